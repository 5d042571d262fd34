"""Reads that a leader answers from its state machine, without an entry in the log (ReadIndex, Ongaro 2014 §6.4).

A read has to see every write that was answered before the read arrived. For that the leader needs three things:

    what is committed   `index`, noted at arrival: the commit index, but not below the no-op of the leader's own term. A
                        new leader has every committed entry, and does not know that they are committed until its no-op
                        is (§6.4, step 1, which waits for that; to wait for the no-op to be applied is the same wait)
    that it leads       `round`: a quorum, the leader included, has answered an AppendEntries that left after the read
                        arrived. A leader of a later term would have been elected by one of them (step 3)
    the values          last_applied is at `index` or beyond (step 4)

Rounds number the reads of one leadership. An AppendEntries carries the latest round and its response echoes it, so one
exchange confirms all reads before it, and an exchange from before the read confirms nothing. Nothing here is durable:
a leader that steps down or crashes forgets its reads, and their clients try again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from refimpl.entry import NO_ROUND, ClientId, Index, Round, Serial, ServerId
from refimpl.quorum import is_quorum


@dataclass(frozen=True, slots=True)
class Read:
    """A client that waits for the value of a key, and what its answer waits for."""

    client: ClientId
    serial: Serial
    key: str
    index: Index
    round: Round


@dataclass(frozen=True, slots=True)
class Reads:
    """The reads of one leader in its term: the latest round, the latest that each peer has echoed, who still waits.

    Index and round rise along `waiting`, so the reads that may be answered are always the first ones.
    """

    round: Round = NO_ROUND
    confirmed: Mapping[ServerId, Round] = field(default_factory=dict)
    waiting: tuple[Read, ...] = ()

    def begin(self, client: ClientId, serial: Serial, key: str, index: Index) -> Reads:
        """With one more read, in a round of its own."""
        number = Round(self.round + 1)
        return replace(self, round=number, waiting=(*self.waiting, Read(client, serial, key, index, number)))

    def confirm(self, peer: ServerId, number: Round) -> Reads:
        """With the peer's echo of a round; an echo that was overtaken by a later one says nothing new."""
        if number <= self.confirmed_by(peer):
            return self
        return replace(self, confirmed={**self.confirmed, peer: number})

    def confirmed_by(self, peer: ServerId) -> Round:
        """The latest round that the peer has echoed."""
        return self.confirmed.get(peer, NO_ROUND)

    def awaits(self, peer: ServerId) -> bool:
        """Whether a read waits that an answer of the peer could confirm: a reason to send it an AppendEntries."""
        return bool(self.waiting) and self.confirmed_by(peer) < self.waiting[-1].round

    def ready(self, leader: ServerId, servers: Iterable[ServerId], applied: Index) -> tuple[Read, ...]:
        """Those that may be answered by a state machine that has applied so far."""
        members = tuple(servers)

        def is_ready(read: Read) -> bool:
            loyal = frozenset({leader} | {peer for peer in members if self.confirmed_by(peer) >= read.round})
            return read.index <= applied and is_quorum(loyal, members)

        return tuple(takewhile(is_ready, self.waiting))

    def answered(self, number: int) -> Reads:
        """Without that many of the first reads."""
        return replace(self, waiting=self.waiting[number:])


NO_READS = Reads()
