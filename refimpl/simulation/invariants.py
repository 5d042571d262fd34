"""The incremental checks: after each step, whether what it changed keeps the promises of the cluster.

What has ever happened is kept here, out of the servers' reach: who led which term with which log, what was committed at
which index in which term, who was answered. A step is then compared with that history, never with all other servers: an
entry that agrees with the history at its index and term agrees with every log there ever was (`_match_logs`), and a
committed one with every commit (`_agree_on_commits`). `full_check` compares everything with everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from refimpl.entry import ClientId, Entry, Index, Serial, ServerId, Term
from refimpl.interface import Leader
from refimpl.node import Node
from refimpl.quorum import quorum_size
from refimpl.raft import Raft
from refimpl.simulation.model import Model
from refimpl.simulation.moments import Moments
from refimpl.simulation.properties import Property, PropertyViolated
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.view import Change, View


@dataclass(frozen=True, slots=True)
class Election:
    """A leader, and the terms of the entries of its log when it began to lead."""

    term: Term
    leader: ServerId
    log_terms: tuple[Term, ...]


class Invariants:
    """Raises PropertyViolated as soon as a step breaks a promise. The attributes are for the full check."""

    def __init__(self, servers: Iterable[ServerId], tally: Tally) -> None:
        self.views = {server: View(server) for server in servers}
        self.elections: dict[Term, Election] = {}
        self.committed: list[Entry] = []
        self.committed_in: list[Term] = []
        self.answered: set[tuple[ClientId, Serial]] = set()
        self.model = Model()
        self.moments = Moments(self.model)
        self._entries: dict[tuple[Index, Term], tuple[Entry, Term]] = {}
        self._newest_election = Term(0)
        self._tally = tally

    # What the cluster reports -----------------------------------------------------------------------------------------

    def stepped(self, node: Node) -> None:
        """The server has taken a step, and is up."""
        raft, view = node.raft, self.views[node.config.server]
        memory = view.memory
        term_before, commit_before, log_before = memory.current_term, memory.commit_index, len(memory.log)
        change = view.follow(raft)
        frames = len(node.unflushed_ends) - len(view.written)
        assert frames in (0, 1), "a step writes one record at most"
        if frames:
            view.written.append(change)
        if change.current_term < term_before:
            self._fail(Property.MONOTONE, view, f"term {change.current_term} after {term_before}")
        if change.commit_index < commit_before:
            self._fail(Property.MONOTONE, view, f"commit index {change.commit_index} after {commit_before}")
        if change.appended:
            self._match_logs(view, change)
        if isinstance(raft.role, Leader):
            self._lead(view, raft, change, log_before)
        else:
            view.leads_in = Term(0)
        if change.commit_index > commit_before or change.stays < commit_before:
            self._agree_on_commits(view, Index(min(change.stays, commit_before)))
        if change.stays < log_before:
            self._tally[Seen.TRUNCATION] += log_before - change.stays
        if raft.last_applied != view.last_applied:
            self._apply_once(view, node, raft.last_applied)

    def flushed(self, server: ServerId) -> None:
        """The server's disk has everything that was written; to be called before `stepped` looks at what follows."""
        self.views[server].all_flushed()

    def crashed(self, server: ServerId) -> None:
        self.views[server].crash()

    def restarted(self, node: Node, at_least: int, at_most: int) -> tuple[int, int]:
        """The server has recovered, and must have kept the first `at_least` to `at_most` frames of those that it had
        written and not flushed. Returns how many it has kept, and how many there were."""
        view = self.views[node.config.server]
        written = len(view.written)
        kept = view.recover(node.raft, at_least, at_most)
        if kept is None:
            found = node.raft.durable
            self._fail(
                Property.RECOVERY,
                view,
                f"term {found.current_term}, vote {found.voted_for}, {found.log.last_index} entries and commit index "
                f"{found.commit_index} are not what {at_least} to {at_most} kept frames give",
            )
        self._agree_on_commits(view, Index(0))
        return kept, written

    def answers(self, client: ClientId, serial: Serial) -> None:
        """A server tells a client that its command has taken effect."""
        if (client, serial) in self.answered:
            return
        index = self.model.first_index.get((client, serial))
        if index is None:
            raise PropertyViolated(
                Property.ANSWERED_WRITES, f"command {serial} of {client} is answered and was never committed"
            )
        entry = self.committed[index - 1]
        holders = [view.server for view in self.views.values() if view.flushed.log[index - 1 : index] == [entry]]
        if len(holders) < quorum_size(self.views):
            raise PropertyViolated(
                Property.ANSWERED_WRITES,
                f"command {serial} of {client}, entry {index}, is answered and on the disks of {holders} only",
            )
        self.answered.add((client, serial))

    # The checks -------------------------------------------------------------------------------------------------------

    def _match_logs(self, view: View, change: Change) -> None:
        log = view.memory.log
        for index in range(change.stays + 1, len(log) + 1):
            entry = log[index - 1]
            before = log[index - 2].term if index > 1 else Term(0)
            known, known_before = self._entries.setdefault((Index(index), entry.term), (entry, before))
            if known_before != before or (known is not entry and known != entry):
                self._fail(
                    Property.LOG_MATCHING,
                    view,
                    f"entry {index} of term {entry.term} is {entry} after one of term {before}, and was {known} after "
                    f"one of term {known_before} in another log",
                )

    def _lead(self, view: View, raft: Raft, change: Change, log_before: int) -> None:
        term = raft.current_term
        if view.leads_in == term:
            if change.stays < log_before:
                self._fail(Property.LEADER_APPEND_ONLY, view, f"{log_before} entries, of which {change.stays} are left")
            return
        view.leads_in = term
        if term in self.elections:
            self._fail(Property.ELECTION_SAFETY, view, f"leads term {term}, as did {self.elections[term].leader}")
        self._tally[Seen.ELECTION] += 1
        election = Election(term, view.server, tuple(entry.term for entry in view.memory.log))
        self.elections[term] = election
        self._newest_election = max(self._newest_election, term)
        # The last entry that was committed in an earlier term: that it is there says, by log matching, that all are.
        last = len(self.committed)
        while last and self.committed_in[last - 1] >= term:
            last -= 1
        self._complete(election, last)

    def _complete(self, election: Election, index: int) -> None:
        if index and election.log_terms[index - 1 : index] != (self.committed[index - 1].term,):
            raise PropertyViolated(
                Property.LEADER_COMPLETENESS,
                f"{election.leader} was elected in term {election.term} without entry {index} of term "
                f"{self.committed[index - 1].term}, committed in term {self.committed_in[index - 1]}",
            )

    def _agree_on_commits(self, view: View, after: Index) -> None:
        log, commit_index, term = view.memory.log, view.memory.commit_index, view.memory.current_term
        if commit_index > len(log):
            self._fail(Property.MONOTONE, view, f"commit index {commit_index} of {len(log)} entries")
        for index in range(after + 1, commit_index + 1):
            entry = log[index - 1]
            if index > len(self.committed):
                self._commit(Index(index), entry, term)
            elif self.committed[index - 1] is not entry and self.committed[index - 1] != entry:
                self._fail(
                    Property.STATE_MACHINE_SAFETY,
                    view,
                    f"entry {index} is committed as {entry}, and was committed as {self.committed[index - 1]}",
                )

    def _commit(self, index: Index, entry: Entry, term: Term) -> None:
        self.committed.append(entry)
        self.committed_in.append(term)
        self._tally[Seen.COMMIT] += 1
        if not self.model.commit(index, entry):
            self._tally[Seen.DUPLICATE] += 1
        if term < self._newest_election:
            # Somebody leads a later term already: an old leader hears of its quorum last.
            for election in self.elections.values():
                if election.term > term:
                    self._complete(election, index)

    def _apply_once(self, view: View, node: Node, last_applied: Index) -> None:
        if last_applied < view.last_applied:
            self._fail(Property.MONOTONE, view, f"last applied {last_applied} after {view.last_applied}")
        if last_applied > view.memory.commit_index:
            self._fail(Property.MONOTONE, view, f"last applied {last_applied}, commit index {view.memory.commit_index}")
        applied = self.committed[view.last_applied : last_applied]
        self._tally[Seen.APPLY] += len(applied)
        view.last_applied = last_applied
        for key in {entry.command.operation.key: None for entry in applied if entry.command is not None}:
            value, expected = node.store.values.get(key), self.model.value_at(key, last_applied)
            if value != expected:
                self._fail(
                    Property.EXACTLY_ONCE, view, f"{key} is {value!r} after entry {last_applied}, not {expected!r}"
                )

    def _fail(self, broken: Property, view: View, found: str) -> NoReturn:
        raise PropertyViolated(broken, f"{view.server}: {found}")
