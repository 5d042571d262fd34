"""The Raft consensus core of one server, without I/O (Ongaro 2014, chapter 3).

Theory of operation
-------------------
A server is a follower, a candidate or a leader, in a term; terms number the elections (§3.3). Whoever learns of a
newer term adopts it and becomes a follower, before anything else.

*Elections* (§3.4). A follower or candidate whose election timeout fires enters the next term, votes for itself and
asks the others. A server votes once in a term, for a candidate whose log is at least as up-to-date as its own
(§3.6.1). Two quorums share a server, so a term has at most one leader, and its log has every committed entry.

*Replication* (§3.5). Only the leader of a term makes entries of that term. Each AppendEntries names the entry before
its own; a follower that lacks that one refuses, and the leader steps back (next_index) until both agree. The follower
then gives up what conflicts. What it acknowledges (match_index) is on its disk.

*Commitment* (§3.6.2). An entry of the leader's own term is committed once a quorum has flushed it, and with it all
before it. An entry of an earlier term is never committed by counting its copies: a server without it may still win
an election. So that earlier entries need not wait for a client, a new leader starts with a no-op (§6.4).

*Clients* (§6.3). A leader appends the command, remembers who waits, and answers after the entry is applied. A retry
of an applied command is answered at once. Any other retry is a new entry, which the state machine recognises.

*Reads* (§6.4). A read needs no entry. The leader notes how much of the log it has to see, waits until a quorum has
answered a message that left after the read arrived, and until so much is applied (refimpl/reads.py).

*Crashes* (§3.8). Term, vote and log are on disk before anyone hears of them. This file cannot write: `step` takes
one input and returns what the shell must do about it, so that the order is data, and a crash can fall between any two
effects. Its rule for messages:

    RequestVote, RequestVoteResponse, AppendEntriesResponse   send_after_sync: they say what a crash must not undo
    AppendEntries                                             send: the leader writes in parallel (§10.2.1) and
                                                              counts itself only up to what is flushed
    ClientResponse, ReadResponse                              send: what they say is on a quorum of disks already

The core reads no clock, file, socket or random number: equal inputs give equal outputs. An input that no correct peer
can send raises ProtocolViolation and changes nothing: to the core it is a message that was lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from refimpl.durable import Durable, Record
from refimpl.entry import NO_ROUND, ClientId, Command, Entry, Index, Serial, ServerId, Term
from refimpl.faults import Fault
from refimpl.interface import (
    Applied,
    Candidate,
    Config,
    ElectionTimeout,
    Flushed,
    Follower,
    Input,
    Leader,
    Output,
    Receive,
    Replicate,
    Role,
    Waiter,
)
from refimpl.log import Log
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ClientResponse,
    Message,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
    ServerMessage,
)
from refimpl.quorum import is_quorum, quorum_index
from refimpl.reads import Read
from refimpl.violations import refuse_violation


@dataclass(slots=True)
class _Effects:
    """The output of the step that is under way."""

    truncate_to: Index | None = None
    append: list[Entry] = field(default_factory=list)
    send: list[Message] = field(default_factory=list)
    send_after_sync: list[Message] = field(default_factory=list)
    abandon: bool = False
    apply: list[Index] = field(default_factory=list)
    answer: list[Waiter] = field(default_factory=list)
    read: list[Read] = field(default_factory=list)


class Raft:
    """One server's state and its transitions. The attributes are for reading; only `step` changes them."""

    def __init__(self, config: Config, recovered: Durable) -> None:
        """Start as a follower (§3.4) from what was recovered, all of which is on disk.

        Nothing is applied yet: the shell begins with the indices 1 to recovered.commit_index queued for apply.
        """
        self.config = config
        self.current_term: Term = recovered.current_term
        self.voted_for: ServerId | None = recovered.voted_for
        self.log: Log = recovered.log
        self.commit_index: Index = recovered.commit_index
        self.last_applied: Index = Index(0)
        self.role: Role = Follower()
        self._applied_serials: dict[ClientId, Serial] = {}
        self._effects = _Effects()

    def step(self, event: Input) -> Output:
        """Take one input to its end; everything durable that changed is in one record."""
        before = self._marks
        self._effects = _Effects()
        match event:
            case ElectionTimeout():
                self._campaign()
            case Replicate(peer):
                self._replicate(peer)
            case Receive(message):
                self._receive(message)
            case Flushed():
                self._flushed()
            case Applied(index, session):
                self._applied(index, session)
        effects = self._effects
        record = self._record_since(before)
        return Output(
            persist=None if record.is_empty() else record,
            send=tuple(effects.send),
            send_after_sync=tuple(effects.send_after_sync),
            abandon=effects.abandon,
            apply=tuple(effects.apply),
            answer=tuple(effects.answer),
            read=tuple(effects.read),
        )

    @property
    def durable(self) -> Durable:
        """What the disk holds once everything that was asked to be persisted is flushed."""
        term_and_vote, commit_index = self._marks
        return Durable(*term_and_vote, self.log, commit_index)

    @property
    def _marks(self) -> tuple[tuple[Term, ServerId | None], Index]:
        vote = None if Fault.VOTE_NOT_DURABLE in self.config.broken else self.voted_for
        return (self.current_term, vote), self.commit_index

    def _record_since(self, before: tuple[tuple[Term, ServerId | None], Index]) -> Record:
        term_and_vote, commit_index = self._marks
        return Record(
            term_and_vote=term_and_vote if term_and_vote != before[0] else None,
            truncate_to=self._effects.truncate_to,
            append=tuple(self._effects.append),
            commit_index=commit_index if commit_index != before[1] else None,
        )

    # Terms and roles (§3.3, §3.4) ---------------------------------------------------------------------------------

    def _receive(self, message: ServerMessage) -> None:
        refuse_violation(self, message)
        if not isinstance(message, ClientRequest | ReadRequest) and message.term > self.current_term:
            self._adopt_term(message.term)
        match message:
            case RequestVote():
                self._consider_vote(message)
            case RequestVoteResponse():
                self._count_vote(message)
            case AppendEntries():
                self._accept_entries(message)
            case AppendEntriesResponse():
                self._note_progress(message)
            case ClientRequest():
                self._accept_command(message)
            case ReadRequest():
                self._accept_read(message)

    def _adopt_term(self, term: Term) -> None:
        self.current_term = term
        self.voted_for = None
        self._step_down()

    def _step_down(self) -> None:
        # Whether the entries of those who wait will be committed is another leader's affair now.
        self._effects.abandon |= isinstance(self.role, Leader)
        self.role = Follower()

    def _campaign(self) -> None:
        if isinstance(self.role, Leader):
            return
        self.current_term = Term(self.current_term + 1)
        self.voted_for = self.config.server
        # The own vote counts from now: no response to the requests can come before they leave, which is after the
        # flush. Where no response is needed, in a cluster of one, _flushed counts instead.
        self.role = Candidate(votes_granted=frozenset({self.config.server}))
        for peer in self.config.peers:
            self._effects.send_after_sync.append(
                RequestVote(self.config.server, peer, self.current_term, self.log.last_index, self.log.last_term)
            )

    def _consider_vote(self, request: RequestVote) -> None:
        granted = (
            request.term == self.current_term
            and self.voted_for in (None, request.source)
            and self.log.is_up_to_date(request.last_log_index, request.last_log_term)
        )
        if granted:
            self.voted_for = request.source
        # A vote that left before it was on disk could be cast again after a crash (§3.8).
        self._effects.send_after_sync.append(
            RequestVoteResponse(self.config.server, request.source, self.current_term, granted)
        )

    def _count_vote(self, response: RequestVoteResponse) -> None:
        if not isinstance(self.role, Candidate) or response.term != self.current_term or not response.vote_granted:
            return
        votes_granted = self.role.votes_granted | {response.source}
        self.role = Candidate(votes_granted)
        if is_quorum(votes_granted, self.config.servers):
            self._become_leader()

    def _become_leader(self) -> None:
        servers = self.config.servers
        self.role = Leader(
            next_index={server: Index(self.log.last_index + 1) for server in servers},
            match_index={server: Index(0) for server in servers},
            no_op_index=Index(self.log.last_index + 1),
        )
        if Fault.NEW_LEADER_AUTO_COMMITS in self.config.broken and self.log.last_index > self.commit_index:
            self._commit(self.log.last_index)
        self._append(Entry(self.current_term, command=None))  # §6.4; also how earlier entries get committed, §3.6.2

    # Replication (§3.5) -------------------------------------------------------------------------------------------

    def _replicate(self, peer: ServerId) -> None:
        assert peer in self.config.peers, f"{peer} is not a peer of {self.config.server}"
        if not isinstance(self.role, Leader):
            return
        next_index = self.role.next_index[peer]
        prev_log_index = Index(next_index - 1)
        self._effects.send.append(
            AppendEntries(
                self.config.server,
                peer,
                self.current_term,
                prev_log_index,
                self.log.term_at(prev_log_index),
                self.log.slice(next_index, Index(prev_log_index + self.config.max_entries)),
                self.commit_index,
                self.role.reads.round,
            )
        )

    def _accept_entries(self, request: AppendEntries) -> None:
        if request.term < self.current_term:
            # Without its round, which a sender that leads this later term by now would take for one of this term.
            self._reply_to_append(replace(request, round=NO_ROUND), success=False, index=self.log.last_index)
            return
        assert not isinstance(self.role, Leader), "a second leader's messages were refused"
        if isinstance(self.role, Candidate):
            self._step_down()  # another candidate has won this term (§3.4)
        if not self.log.agrees_at(request.prev_log_index, request.prev_log_term):
            self._reply_to_append(request, success=False, index=self.log.last_index)
            return
        for index, entry in enumerate(request.entries, start=request.prev_log_index + 1):
            self._store_entry(Index(index), entry)
        # Not min(leader_commit, last_index): what stands after the entries of this message was not compared.
        last_compared = Index(request.prev_log_index + len(request.entries))
        committed = min(request.leader_commit, last_compared)
        if committed > self.commit_index:
            self._commit(committed)
        self._reply_to_append(request, success=True, index=last_compared)

    def _store_entry(self, index: Index, entry: Entry) -> None:
        if self.log.agrees_at(index, entry.term):
            return  # truncating here would drop entries that a late copy of an old message does not know of
        if index <= self.log.last_index:
            self._truncate(Index(index - 1))
        self._append(entry)

    def _reply_to_append(self, request: AppendEntries, success: bool, index: Index) -> None:
        response = AppendEntriesResponse(
            self.config.server, request.source, self.current_term, success, index, request.round
        )
        if Fault.FOLLOWER_ACKS_BEFORE_FSYNC in self.config.broken:
            self._effects.send.append(response)
        else:
            self._effects.send_after_sync.append(response)  # an acknowledged entry counts as a durable copy (§3.8)

    def _note_progress(self, response: AppendEntriesResponse) -> None:
        if not isinstance(self.role, Leader) or response.term != self.current_term:
            return
        peer, match_index, next_index = response.source, self.role.match_index, self.role.next_index
        if response.success:
            # max: a response that was overtaken by a later one must not take back what that one said.
            matched = max(match_index[peer], response.index)
            stepped = max(next_index[peer], Index(matched + 1))
        else:
            matched = match_index[peer]
            stepped = max(Index(matched + 1), min(Index(next_index[peer] - 1), Index(response.index + 1)))
        self.role = replace(
            self.role,
            next_index={**next_index, peer: stepped},
            match_index={**match_index, peer: matched},
            reads=self.role.reads.confirm(peer, response.round),  # a refusal confirms, too: the term is the same
        )
        self._advance_commit(self.role)
        self._answer_reads(self.role)

    # Commitment (§3.6.2) ------------------------------------------------------------------------------------------

    def _flushed(self) -> None:
        match self.role:
            case Leader(match_index=match_index):
                self.role = replace(self.role, match_index={**match_index, self.config.server: self.log.last_index})
                self._advance_commit(self.role)  # this disk may be the one that completes the quorum (§10.2.1)
            case Candidate(votes_granted):
                if is_quorum(votes_granted, self.config.servers):
                    self._become_leader()  # a cluster of one
            case Follower():
                pass

    def _advance_commit(self, leader: Leader) -> None:
        # Terms do not fall along a log: if the entry that a quorum has reached is of an earlier term, so are all
        # before it, and none of them can be committed by counting.
        reached = quorum_index(leader.match_index)
        if reached <= self.commit_index:
            return
        if self.log.term_at(reached) == self.current_term or Fault.COMMIT_PRIOR_TERM_BY_COUNTING in self.config.broken:
            self._commit(reached)

    def _commit(self, index: Index) -> None:
        assert self.commit_index < index <= self.log.last_index, "the commit index only rises, within the log"
        self._effects.apply.extend(Index(committed) for committed in range(self.commit_index + 1, index + 1))
        self.commit_index = index

    def _append(self, entry: Entry) -> None:
        self.log = self.log.append(entry)
        self._effects.append.append(entry)

    def _truncate(self, last: Index) -> None:
        assert last >= self.commit_index or self.config.broken, "committed entries stay; a conflict was refused"
        self.log = self.log.truncate(last)
        self._effects.truncate_to = last

    # Clients (§6.3) -----------------------------------------------------------------------------------------------

    def _accept_command(self, request: ClientRequest) -> None:
        if not isinstance(self.role, Leader):
            return  # the client will try another server (§6.2)
        response = ClientResponse(self.config.server, request.source, request.serial)
        if request.serial <= self._applied_serials.get(request.source, 0):
            self._effects.send.append(response)
            return
        # An earlier copy may be in the log, uncommitted: it may have been appended by a leader whose waiter is gone.
        self._append(Entry(self.current_term, Command(request.source, request.serial, request.operation)))
        if Fault.REPLY_AT_APPEND in self.config.broken:
            self._effects.send.append(response)
            return
        waiter = Waiter(request.source, request.serial, self.log.last_index, self.current_term)
        self.role = replace(self.role, waiters=(*self.role.waiters, waiter))

    def _applied(self, index: Index, session: tuple[ClientId, Serial] | None) -> None:
        assert index == self.last_applied + 1 <= self.commit_index, "entries are applied once, in order, once committed"
        self.last_applied = index
        if session is not None:
            client, serial = session
            self._applied_serials[client] = serial
        if not isinstance(self.role, Leader):
            return
        ready = tuple(waiter for waiter in self.role.waiters if waiter.index <= index)
        for waiter in ready:
            # A leader never overwrites its own log (Leader Append-Only), so the entry is still the client's.
            assert self.log.term_at(waiter.index) == waiter.term, "a waiter's entry is the one that was appended for it"
        self.role = replace(self.role, waiters=self.role.waiters[len(ready) :])
        self._effects.answer.extend(ready)
        self._answer_reads(self.role)

    # Reads (§6.4) -------------------------------------------------------------------------------------------------

    def _accept_read(self, request: ReadRequest) -> None:
        if not isinstance(self.role, Leader):
            return  # the client will try another server (§6.2)
        reads = self.role.reads.begin(request.source, request.serial, request.key, self._read_index(self.role))
        if Fault.STALE_READS in self.config.broken:
            self._effects.read.append(reads.waiting[-1])
            return
        self.role = replace(self.role, reads=reads)
        self._answer_reads(self.role)  # a cluster of one

    def _read_index(self, leader: Leader) -> Index:
        if Fault.READ_BEFORE_OWN_COMMIT in self.config.broken:
            return self.commit_index
        return max(self.commit_index, leader.no_op_index)

    def _answer_reads(self, leader: Leader) -> None:
        applied = self.commit_index if Fault.READ_BEFORE_APPLY in self.config.broken else self.last_applied
        ready = leader.reads.ready(self.config.server, self.config.servers, applied)
        if ready:
            self.role = replace(leader, reads=leader.reads.answered(len(ready)))
            self._effects.read.extend(ready)
