"""What goes wrong in a round, and how often: drawn anew for each round, so that rounds differ in kind.

A round in which everything happens a little finds less than many in which some things happen a lot and others not at
all (Groce et al., "Swarm Testing", 2012). Most misfortunes are absent from most rounds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from refimpl.simulation.chance import Chance

MILLISECOND = 1_000
"""The virtual clock counts microseconds."""


class Misfortune(Enum):
    """A kind of fault; the value is its name on the command line."""

    LOSS = "loss"  # a message never arrives
    DUPLICATION = "duplication"  # a message arrives twice
    OVERTAKING = "overtaking"  # a message is so late that others overtake it
    PARTITION = "partition"  # some servers do not reach some others, perhaps one way only
    POWER_CUT = "power-cut"  # one server crashes and loses what was not flushed, all or all but a prefix of it
    OUTAGE = "outage"  # all servers lose power at once
    TORN_WRITE = "torn-write"  # a power cut leaves any part of what was not flushed, whatever the order
    KILL = "kill"  # a server's process ends; the bytes that it wrote stay
    PAUSE = "pause"  # a server stands still for a while and does not know it
    SLOW_DISK = "slow-disk"  # fsyncs of some servers take long
    FSYNC_ERROR = "fsync-error"  # an fsync fails, and what it should have written is lost with the next power cut
    FULL_DISK = "full-disk"  # a disk takes no more bytes, from the middle of a frame on
    SKEWED_CLOCK = "skewed-clock"  # election timeouts differ between servers by more than they should
    SPLIT_VOTE = "split-vote"  # election timeouts hardly differ, so candidates run against each other
    SHORT_REIGN = "short-reign"  # a leader is cut off, or crashes, in the first moments after its election
    UNTIMELY_CRASH = "untimely-crash"  # a server crashes just when it has given its word: a flush, a vote, an answer


STRIKING = {
    Misfortune.PARTITION: 300 * MILLISECOND,
    Misfortune.POWER_CUT: 400 * MILLISECOND,
    Misfortune.OUTAGE: 800 * MILLISECOND,
    Misfortune.KILL: 500 * MILLISECOND,
    Misfortune.PAUSE: 600 * MILLISECOND,
    Misfortune.FSYNC_ERROR: 500 * MILLISECOND,
    Misfortune.FULL_DISK: 700 * MILLISECOND,
}
"""What comes at moments, and the mean time between two where it comes often."""


PRESENT = 0.5
"""The probability that a misfortune is among those of a round."""
STRENGTHS = (0.3, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """Times are means in microseconds; `loss`, `duplication` and `overtaking` are probabilities, for each message."""

    servers: int
    clients: int
    keys: int  # how many there are
    reads: float  # the share of reads among the operations
    max_entries: int  # in an AppendEntries
    think: int  # between a client's operations
    delay: int  # of a message
    queue: int  # how long an apply or an answer waits for its turn
    fsync: int
    slow_disks: bool
    segment_size: int  # in bytes
    loss: float
    duplication: float
    overtaking: float
    torn_writes: bool
    skewed_clocks: bool
    split_votes: bool
    short_reigns: float  # the probability that a leader has one
    untimely_crashes: float  # the probability that a vote or an answer is followed by one
    strikes: Mapping[Misfortune, int]

    def calm(self) -> Weather:
        """The same cluster with nothing going wrong any more."""
        return replace(
            self, delay=MILLISECOND, queue=MILLISECOND, fsync=MILLISECOND, loss=0.0, duplication=0.0, overtaking=0.0,
            slow_disks=False, torn_writes=False, skewed_clocks=False, split_votes=False, short_reigns=0.0,
            untimely_crashes=0.0, strikes={},
        )  # fmt: skip


def drawn(seed: int, round_number: int, servers: int | None, without: Collection[Misfortune]) -> Weather:
    """The weather of one round of a seed. `servers`: how many, instead of three or, sometimes, five."""

    def strength(misfortune: Misfortune) -> float:
        # From a source of its own for each, so that leaving one out does not change the others.
        chance = Chance(seed, round_number, "weather", misfortune.value)
        present = chance.happens(PRESENT) and misfortune not in without
        return chance.one_of(STRENGTHS) if present else 0.0

    chance = Chance(seed, round_number, "weather")
    size = chance.one_of((3, 3, 3, 5))
    return Weather(
        servers=size if servers is None else servers,
        clients=chance.one_of((1, 2, 4)),
        keys=chance.one_of((1, 1, 3)),
        reads=chance.one_of((0.0, 0.3, 0.7)),
        max_entries=chance.one_of((1, 1, 8)),
        think=chance.one_of((2, 10, 50)) * MILLISECOND,
        delay=chance.one_of((1, 4, 12)) * MILLISECOND,
        queue=chance.one_of((1, 1, 20)) * MILLISECOND,
        fsync=chance.one_of((1, 4)) * MILLISECOND,
        slow_disks=strength(Misfortune.SLOW_DISK) > 0,
        segment_size=chance.one_of((256, 4_096, 1 << 20)),
        loss=0.2 * strength(Misfortune.LOSS),
        duplication=0.2 * strength(Misfortune.DUPLICATION),
        overtaking=0.2 * strength(Misfortune.OVERTAKING),
        torn_writes=strength(Misfortune.TORN_WRITE) > 0,
        skewed_clocks=strength(Misfortune.SKEWED_CLOCK) > 0,
        split_votes=strength(Misfortune.SPLIT_VOTE) > 0,
        short_reigns=0.8 * strength(Misfortune.SHORT_REIGN),
        untimely_crashes=0.5 * strength(Misfortune.UNTIMELY_CRASH),
        strikes={
            misfortune: int(often / strength(misfortune))
            for misfortune, often in STRIKING.items()
            if strength(misfortune)
        },
    )
