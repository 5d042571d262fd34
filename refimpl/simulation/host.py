"""One simulated server: the real node on its disk, with the timers and the haste that a shell gives it.

The core says what may happen and never when. When is this file's: election timeouts that a leader's messages put off,
heartbeats, an fsync some time after a write (and then for all that was written by then), entries sent on as soon as the
peer has the ones before them.
"""

from __future__ import annotations

from refimpl.entry import Index, ServerId, Term
from refimpl.interface import Config, ElectionTimeout, Leader, Receive, Replicate
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    Message,
    ReadRequest,
    RequestVote,
    ServerMessage,
)
from refimpl.node import Node
from refimpl.simulated_directory import SimulatedDirectory
from refimpl.simulation.chance import Chance
from refimpl.simulation.clock import MILLISECOND, Clock
from refimpl.simulation.events import Answer, Apply, ElectionTimer, Fsync, Heartbeat
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.weather import Weather

HEARTBEAT = 50 * MILLISECOND
ELECTION_TIMEOUT = (100 * MILLISECOND, 200 * MILLISECOND)
SLOW_FSYNC = 20 * MILLISECOND
SPLIT_VOTE = (150 * MILLISECOND, 155 * MILLISECOND)
APPLIES_AT_ONCE = 64
"""A restart applies its whole log again; one entry a step would make most steps the same dull one."""


class Host:
    """`life` counts starts. Methods return the messages that leave; they raise what the node raises."""

    def __init__(self, config: Config, weather: Weather, clock: Clock, chance: Chance, tally: Tally) -> None:
        self.name = config.server
        self.weather = weather
        self.disk = SimulatedDirectory(f"disk of {config.server}")
        self.node = Node(config, self.disk, weather.segment_size)
        self.life = 0
        self._clock = clock
        self._chance = chance
        self._tally = tally
        self._peers = config.peers
        self._has_slow_disk = chance.happens(0.5)
        self.started()

    def started(self) -> None:
        """The node has recovered: nothing is planned for this life yet."""
        self.life += 1
        self.paused_until = 0
        self._skew = self._chance.one_of((0.6, 1.0, 1.6)) if self.weather.skewed_clocks else 1.0
        self._led_term = Term(0)
        self._fsync_planned = self._apply_planned = self._answer_planned = False
        self._put_off_election()
        self._clock.plan(self._election_due - self._clock.now, ElectionTimer(self.name, self.life))
        self._plan_effects()

    @property
    def leads(self) -> bool:
        return self.node.is_up and isinstance(self.node.raft.role, Leader)

    # What is due at this server --------------------------------------------------------------------------------------

    def election_timer(self) -> tuple[Message, ...] | None:
        """None: it was put off, or a leader has none."""
        postponed = self._election_due > self._clock.now
        if not postponed:
            self._put_off_election()
        self._clock.plan(self._election_due - self._clock.now, ElectionTimer(self.name, self.life))
        if postponed or self.leads:
            return None
        self._tally[Seen.CAMPAIGN] += 1
        return self._with_consequences(self.node.handle(ElectionTimeout()))

    def heartbeat(self, term: Term) -> tuple[Message, ...] | None:
        """None: the server leads that term no more."""
        if not self.leads or self.node.raft.current_term != term:
            return None
        self._clock.plan(HEARTBEAT, Heartbeat(self.name, self.life, term))
        return self._replicate(self._peers)

    def receive(self, message: ServerMessage) -> tuple[Message, ...]:
        node = self.node
        next_before = self._next_index(message)
        sent = node.handle(Receive(message))
        raft = node.raft
        match message:
            case AppendEntries(term=term) if term == raft.current_term:
                self._put_off_election()
            case RequestVote(source=source, term=term) if (term, source) == (raft.current_term, raft.voted_for):
                self._put_off_election()
            case AppendEntriesResponse(source=peer):
                # Only where this response moved next_index: a copy of it must not start a second stream of entries.
                if next_before != self._next_index(message) <= raft.log.last_index:
                    sent += self._replicate((peer,))
            case ReadRequest() if isinstance(raft.role, Leader):
                sent += self._replicate(tuple(filter(raft.role.reads.awaits, self._peers)))
            case ClientRequest() if isinstance(raft.role, Leader):
                last_index, next_index = raft.log.last_index, raft.role.next_index
                # Who lacks earlier entries gets this one when the response to those arrives.
                sent += self._replicate(tuple(peer for peer in self._peers if next_index[peer] == last_index))
            case _:
                pass
        return self._with_consequences(sent)

    def fsync(self) -> tuple[Message, ...]:
        self._fsync_planned = False
        return self._with_consequences(self.node.flush())

    def apply(self) -> tuple[Message, ...]:
        self._apply_planned = False
        sent: tuple[Message, ...] = ()
        for _ in range(APPLIES_AT_ONCE):
            if not self.node.can_apply:
                break
            sent += self.node.apply_next()
        return self._with_consequences(sent)

    def answer(self) -> tuple[Message, ...] | None:
        """None: it leads no more, and owes no answer."""
        self._answer_planned = False
        if not self.node.can_answer:
            return None
        return self._with_consequences(self.node.answer_next())

    # ------------------------------------------------------------------------------------------------------------------

    def _next_index(self, message: ServerMessage) -> Index:
        """What the leader believes the sender of a response lacks first; 0 without a belief."""
        role = self.node.raft.role
        if isinstance(message, AppendEntriesResponse) and isinstance(role, Leader):
            return role.next_index[message.source]
        return Index(0)

    def _replicate(self, peers: tuple[ServerId, ...]) -> tuple[Message, ...]:
        sent: tuple[Message, ...] = ()
        for peer in peers:
            sent += self.node.handle(Replicate(peer))
        return sent

    def _with_consequences(self, sent: tuple[Message, ...]) -> tuple[Message, ...]:
        """Plan what the step made necessary; a new leader says at once that it leads."""
        raft = self.node.raft
        if self.leads and self._led_term != raft.current_term:
            self._led_term = raft.current_term
            self._clock.plan(HEARTBEAT, Heartbeat(self.name, self.life, raft.current_term))
            sent += self._replicate(self._peers)
        self._plan_effects()
        return sent

    def _plan_effects(self) -> None:
        node = self.node
        if not self._fsync_planned and node.unflushed_ends:
            self._fsync_planned = True
            slow = self.weather.slow_disks and self._has_slow_disk
            length = self._chance.around(SLOW_FSYNC if slow else self.weather.fsync)
            self._clock.plan(length, Fsync(self.name, self.life))
        if not self._apply_planned and node.can_apply:
            self._apply_planned = True
            self._clock.plan(self._chance.around(self.weather.queue), Apply(self.name, self.life))
        if not self._answer_planned and node.can_answer:
            self._answer_planned = True
            self._clock.plan(self._chance.around(self.weather.queue), Answer(self.name, self.life))

    def _put_off_election(self) -> None:
        timeout = self._chance.between(*(SPLIT_VOTE if self.weather.split_votes else ELECTION_TIMEOUT))
        self._election_due = self._clock.now + int(timeout * self._skew)
