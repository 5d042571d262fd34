"""What a server does of its own accord: takes its inputs in batches, flushes once for each, keeps its timers.

One round: all inputs that have come are given to the core, and what may leave, leaves. A leader sends each peer what is
new. Committed entries are applied and their clients answered. If something waits for the disk, one fsync in a thread
covers the whole round, while the inputs of the next one queue up: group commit, without a delay to tune.

Timers are checked between rounds, after the inputs: a leader whose heartbeat lay in the queue behind a slow fsync is
not deposed for it. Chance decides how long an election timeout is (§3.4), and nothing else; where fsyncs are slow, it
is longer by some of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from refimpl.entry import ClientId, Serial, ServerId, Term
from refimpl.errors import ImpossibleRequest, ProtocolViolation
from refimpl.events import Events
from refimpl.interface import Candidate, ElectionTimeout, Follower, Leader, Receive, Replicate, Role
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ClientResponse,
    Message,
    PeerMessage,
    ReadRequest,
    ReadResponse,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.metrics import Metrics
from refimpl.quorum import quorum_size
from refimpl.replica import Replica
from refimpl.wire import Answer, Redirect, Request, ServerReply, Status

MAX_REQUESTS = 1024
"""Requests that wait for one round. One more is dropped, as a network may; its client asks again."""
MAX_FROM_PEER = 16
"""Messages of one peer that wait for one round. Beyond it the oldest are dropped: what is said last is worth most.
While this server's disk stalls, a leader says the same again with each heartbeat, up to 4 MiB at a time."""
STALLS = 4
"""Election timeouts for which a leader goes on sending heartbeats while its disk does not answer."""
DEAF = 10
"""Election timeouts without an answer from a majority, after which a leader falls silent. Where messages pass one way
only it could otherwise hold its followers for ever and commit nothing (§6.2). Long, for disks may be slow."""
SYNCS_FOR_A_VOTE = 4
"""An election waits for the candidate's disk, then for its voters' disks, which may be at something else first. Where
disks are slow, an election timeout is longer by so many fsyncs: or each candidate would be overtaken by the next."""
LONGEST_FOR_SYNCS = 10
"""Election timeouts that this may add: a disk that has stalled once is not waited for, for ever."""
APPLIED_PER_ROUND = 1000
"""So that a start from a long log does not keep the server from its heartbeats."""

Reply = Callable[[ServerReply], None]
Send = Callable[[PeerMessage], None]


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. An election timeout is drawn between the given one and twice that (§3.4)."""

    election_timeout: float = 0.5
    heartbeat: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < 2 * self.heartbeat <= self.election_timeout < float("inf"):
            raise ImpossibleRequest(
                f"a heartbeat of {self.heartbeat:g} s with an election timeout of {self.election_timeout:g} s",
                "at least two heartbeats in an election timeout, so that one that is late deposes nobody",
                "lengthen the timeout, or shorten the heartbeat",
            )


@dataclass(slots=True)
class _Waiting:
    """A client's latest command and the way back to the client."""

    serial: Serial
    reply: Reply


class Driver:
    """Drives a replica until `stop`, or until an error of its disk ends `run`."""

    def __init__(
        self, replica: Replica, send: Send, timings: Timings, chance: Random, events: Events, metrics: Metrics
    ) -> None:
        self._replica = replica
        self._send = send
        self._timings = timings
        self._chance = chance
        self._events = events
        self._metrics = metrics
        self._now = asyncio.get_running_loop().time
        self._messages: dict[ServerId, deque[PeerMessage]] = {}  # by who sent them, so that none pushes out another's
        self._requests: list[tuple[Request, Reply]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._clients: dict[ClientId, _Waiting] = {}
        self._leader_of_term: tuple[Term, ServerId | None] = (Term(0), None)
        self._known_role: tuple[type[Role], Term] = (Follower, replica.raft.current_term)
        self._election_due = float("inf")
        self._heartbeat_due = float("inf")
        self._last_sync = 0.0  # seconds that it took
        self._heard: dict[ServerId, float] = {}  # when a peer has last answered this leader
        self._unanswered: set[ServerId] = set()  # peers that have not responded to the latest AppendEntries
        metrics.role("follower", replica.raft.current_term)

    # What the network brings ----------------------------------------------------------------------------------------

    def receive(self, message: PeerMessage) -> None:
        """A peer's message has come."""
        waiting = self._messages.setdefault(message.source, deque(maxlen=MAX_FROM_PEER))
        if len(waiting) == MAX_FROM_PEER:
            self._metrics.dropped("messages")
        waiting.append(message)
        self._wake.set()

    def request(self, request: Request, reply: Reply) -> None:
        """A client's command or read has come; `reply` is called once, or never if it is dropped, or this server stops.

        Not in a queue with the others: a flood of requests must not push out what peers say.
        """
        if len(self._requests) == MAX_REQUESTS:
            self._metrics.dropped("requests")
            return
        self._requests.append((request, reply))
        self._wake.set()

    def status(self) -> Status:
        """How the server sees itself now."""
        return status_of(self._replica, self._leader_for_clients())

    def _leader_for_clients(self) -> ServerId | None:
        """Whom a client should ask. Not this server, if it leads and no majority answers: it would wait long (§6.2)."""
        # In a cluster that is broken on purpose, a checker is to see what this would hide.
        is_broken = bool(self._replica.config.broken)
        leads_alone = isinstance(self._replica.raft.role, Leader) and not self._hears_majority(2) and not is_broken
        return None if leads_alone else self._leader

    def _hears_majority(self, timeouts: int) -> bool:
        """Whether a majority, this leader included, has answered within so many election timeouts."""
        servers, since = self._replica.config.servers, self._now() - timeouts * self._timings.election_timeout
        heard = sum(1 for answered in tuple(self._heard.values()) if answered >= since)
        return heard + 1 >= quorum_size(servers)

    # Rounds ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Returns after `stop`; raises DiskError, WalPoisoned."""
        loop = asyncio.get_running_loop()
        self._await_leader(loop.time())
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fsync") as disk:
            while not self._stopping:
                self._round(loop)
                if self._replica.needs_sync:
                    await self._sync(loop, disk)
                    self._deliver(self._replica.release())
                    self._finish(loop.time())
                elif not self._messages and not self._requests and not self._replica.to_apply:
                    await self._sleep(loop)
                else:
                    await asyncio.sleep(0)  # the network's turn
            self._replica.sync()  # nobody waits for it, but the next start applies sooner
        self._send_clients_away()

    def stop(self) -> None:
        """End after the current round. Clients that wait are sent away; what they asked for may still happen."""
        self._stopping = True
        self._wake.set()

    async def _sync(self, loop: asyncio.AbstractEventLoop, disk: ThreadPoolExecutor) -> None:
        begun = loop.time()
        timers: list[asyncio.TimerHandle] = []

        def beat_in_time() -> None:
            # A slow disk costs time, not the leadership. To send what is in memory touches no file; a leader whose
            # disk stalls for good is better replaced, so this ends.
            if self._heartbeat_due < begun + STALLS * self._timings.election_timeout:
                timers[:] = [loop.call_at(self._heartbeat_due, beat)]

        def beat() -> None:
            self._beat(loop.time())
            beat_in_time()

        beat_in_time()
        try:
            await loop.run_in_executor(disk, self._replica.sync)
        finally:
            for timer in timers:
                timer.cancel()
        self._last_sync = loop.time() - begun
        self._metrics.synced(self._last_sync)

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wake.clear()
        if self._stopping:
            return
        timer = loop.call_at(min(self._election_due, self._heartbeat_due), self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        messages, self._messages = [message for queue in self._messages.values() for message in queue], {}
        requests, self._requests = self._requests, []
        if messages or requests:
            self._metrics.batch(len(messages) + len(requests))
        for message in messages:
            self._take_message(message, loop.time())
        for request, reply in requests:
            self._take_request(request, reply)
        now = loop.time()
        if now >= self._election_due:
            self._await_leader(now)
            self._deliver(self._replica.handle(ElectionTimeout()))
        if now >= self._heartbeat_due:
            self._beat(now)
        self._finish(now)

    def _beat(self, now: float) -> None:
        self._heartbeat_due = now + self._timings.heartbeat
        if not self._hears_majority(DEAF):
            return  # and the others elect one who hears them, if it was this server's ears and not the others' end
        for peer in self._replica.config.peers:
            self._replicate(peer)

    def _finish(self, now: float) -> None:
        """What follows from the inputs without another one: apply, answer, replicate."""
        for _ in range(min(self._replica.to_apply, APPLIED_PER_ROUND)):
            self._deliver(self._replica.apply_next())
        for _ in range(self._replica.to_answer):
            self._deliver((self._replica.answer_next(),))
        self._note_role(now)
        role, last_index = self._replica.raft.role, self._replica.raft.log.last_index
        if isinstance(role, Leader):
            for peer in self._replica.config.peers:
                # One at a time: the core sends from next_index, which only an answer moves.
                wanted = role.next_index[peer] <= last_index or role.reads.awaits(peer)
                if wanted and peer not in self._unanswered:
                    self._replicate(peer)

    # Inputs -----------------------------------------------------------------------------------------------------------

    def _take_message(self, message: PeerMessage, now: float) -> None:
        try:
            self._deliver(self._replica.handle(Receive(message)))
        except ProtocolViolation as error:
            self._events.error("protocol_violation", source=message.source, error=str(error))
            self._metrics.refused("violation")
            return
        raft = self._replica.raft
        match message:
            case AppendEntries():
                if message.term == raft.current_term:
                    self._await_leader(now)
                    self._note_leader(message.source)
            case RequestVote():
                if message.term == raft.current_term and message.source == raft.voted_for:
                    self._await_leader(now)  # whoever has voted gives his candidate time to win (§3.4)
            case AppendEntriesResponse():
                self._unanswered.discard(message.source)
                if message.term == raft.current_term:
                    self._heard[message.source] = now
            case RequestVoteResponse():
                pass

    def _take_request(self, request: Request, reply: Reply) -> None:
        leader = self._leader_for_clients()
        if leader != self._replica.config.server:
            reply(Redirect(request.source, request.serial, leader))
            return
        self._clients[request.source] = _Waiting(request.serial, reply)
        self._deliver(self._replica.handle(Receive(request)))

    def _replicate(self, peer: ServerId) -> None:
        self._unanswered.add(peer)
        self._deliver(self._replica.handle(Replicate(peer)))

    def _deliver(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            match message:
                case ClientResponse(destination=client, serial=serial):
                    self._answer(client, serial, self._replica.response_to(client, serial))
                case ReadResponse(destination=client, serial=serial, value=value):
                    self._answer(client, serial, value)
                case ClientRequest() | ReadRequest():
                    raise AssertionError("a server asks nothing as a client")
                case RequestVote() | RequestVoteResponse() | AppendEntries() | AppendEntriesResponse():
                    self._send(message)

    def _answer(self, client: ClientId, serial: Serial, response: str | None) -> None:
        waiting = self._clients.get(client)
        if waiting is None or waiting.serial != serial:
            return  # the client has gone on, or away
        del self._clients[client]
        waiting.reply(Answer(client, serial, response))

    # Terms, roles, timers ---------------------------------------------------------------------------------------------

    def _await_leader(self, now: float) -> None:
        usual = self._timings.election_timeout
        shortest = usual + min(SYNCS_FOR_A_VOTE * self._last_sync, LONGEST_FOR_SYNCS * usual)
        self._election_due = now + self._chance.uniform(shortest, 2 * shortest)

    def _note_leader(self, leader: ServerId) -> None:
        noted = (self._replica.raft.current_term, leader)
        if noted != self._leader_of_term:
            self._leader_of_term = noted
            self._events.info("leader", leader=leader, term=noted[0])

    @property
    def _leader(self) -> ServerId | None:
        term, leader = self._leader_of_term
        return leader if term == self._replica.raft.current_term else None

    def _note_role(self, now: float) -> None:
        raft = self._replica.raft
        known = (type(raft.role), raft.current_term)
        if known == self._known_role:
            return
        led = self._known_role[0] is Leader
        self._known_role = known
        match raft.role:
            case Leader():
                self._election_due, self._heartbeat_due = float("inf"), now + self._timings.heartbeat
                self._unanswered.clear()
                self._heard = dict.fromkeys(self._replica.config.peers, now)
                self._note_leader(self._replica.config.server)
            case Follower() | Candidate():
                self._heartbeat_due = float("inf")
                if led:
                    self._await_leader(now)
                    self._send_clients_away()
        self._events.info("role", role=known[0].__name__.lower(), term=raft.current_term)
        self._metrics.role(known[0].__name__.lower(), raft.current_term)

    def _send_clients_away(self) -> None:
        for client, waiting in self._clients.items():
            leader = None if self._stopping and self._leader == self._replica.config.server else self._leader
            waiting.reply(Redirect(client, waiting.serial, leader))
        self._clients.clear()


def status_of(replica: Replica, leader: ServerId | None) -> Status:
    """How the server sees itself. `leader`: the one that it follows, if it knows one."""
    raft, peers = replica.raft, replica.config.peers
    role = raft.role  # of one moment, also for the thread that serves the metrics
    matched = role.match_index if isinstance(role, Leader) else {}
    return Status(
        replica.config.server,
        replica.config.servers,
        type(role).__name__.lower(),
        raft.current_term,
        leader,
        raft.log.last_index,
        raft.commit_index,
        raft.last_applied,
        {peer: matched[peer] for peer in peers if peer in matched},
    )
