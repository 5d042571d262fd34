"""What one server holds in memory and on disk, as the checkers have followed it, change by change.

It is kept beside the server, in lists of its own. So a check needs to look at what a step changed only, and what a
server has forgotten is still known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from refimpl.entry import Entry, Index, ServerId, Term
from refimpl.log import Log
from refimpl.raft import Raft

BEFORE_ALL_TERMS = Term(0)
BEFORE_THE_LOG = Index(0)


@dataclass(frozen=True, slots=True)
class Change:
    """What one step changed of the durable state: `stays` entries of the log stay, `appended` follow them."""

    current_term: Term
    voted_for: ServerId | None
    stays: Index
    appended: tuple[Entry, ...]
    commit_index: Index


@dataclass(slots=True)
class Image:
    """A durable state, with the log as a list that changes in place."""

    current_term: Term = BEFORE_ALL_TERMS
    voted_for: ServerId | None = None
    log: list[Entry] = field(default_factory=list)
    commit_index: Index = BEFORE_THE_LOG

    def change(self, change: Change) -> None:
        self.current_term, self.voted_for = change.current_term, change.voted_for
        self.commit_index = change.commit_index
        del self.log[change.stays :]
        self.log.extend(change.appended)

    def shows(self, raft: Raft) -> bool:
        """Whether this is the durable state that the core has in memory."""
        durable = raft.durable
        return (self.current_term, self.voted_for, self.commit_index) == (
            durable.current_term, durable.voted_for, durable.commit_index
        ) and tuple(self.log) == durable.log.entries  # fmt: skip


@dataclass(slots=True)
class View:
    """`memory` is after the last step, `flushed` what a power cut leaves, `written` what lies between them."""

    server: ServerId
    memory: Image = field(default_factory=Image)
    flushed: Image = field(default_factory=Image)
    written: list[Change] = field(default_factory=list)
    last_applied: Index = BEFORE_THE_LOG
    leads_in: Term = BEFORE_ALL_TERMS

    def follow(self, raft: Raft) -> Change:
        """Note what the step has changed in memory, and return it."""
        stays = unchanged(self.memory.log, raft.log)
        appended = tuple(raft.log.entry_at(Index(index)) for index in range(stays + 1, raft.log.last_index + 1))
        durable = raft.durable
        change = Change(durable.current_term, durable.voted_for, stays, appended, durable.commit_index)
        self.memory.change(change)
        return change

    def all_flushed(self) -> None:
        for change in self.written:
            self.flushed.change(change)
        self.written.clear()

    def crash(self) -> None:
        """Memory is gone; what was written stays noted until the restart shows how much of it the disk kept."""
        self.last_applied = BEFORE_THE_LOG
        self.leads_in = BEFORE_ALL_TERMS

    def recover(self, raft: Raft, at_least: int, at_most: int) -> int | None:
        """Find out how many of the written changes the disk has kept; None: what it shows is no number of them from
        `at_least` to `at_most`."""
        for kept, change in enumerate([None, *self.written]):
            if change is not None:
                self.flushed.change(change)
            if at_least <= kept <= at_most and self.flushed.shows(raft):
                self.memory = Image(
                    self.flushed.current_term, self.flushed.voted_for, list(raft.log.entries), raft.commit_index
                )
                self.flushed.log[:] = self.memory.log
                self.written.clear()
                return kept
        return None


def unchanged(noted: list[Entry], log: Log) -> Index:
    """How many entries, from the first, are still the ones that were noted.

    An entry is never changed, so it is the same object for as long as it stands in a log; a step changes the end of a
    log only. (That nothing below it changes is for the full check to see.)
    """
    last = min(len(noted), log.last_index)
    while last and noted[last - 1] is not log.entry_at(Index(last)):
        last -= 1
    return Index(last)
