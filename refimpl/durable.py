"""What survives a crash, and the record of one change to it (Ongaro 2014 §3.8).

A record holds everything that one step of the core changed, so that a crash keeps a step whole or not at all. Were the
new term and the vote two records, a crash between them could leave a term in which a vote was cast and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from refimpl.entry import Entry, Index, ServerId, Term
from refimpl.log import Log


@dataclass(frozen=True, slots=True)
class Record:
    """One change, its parts in the order in which they take effect; None or () is a part that does not change.

    `truncate_to` is the last index that stays. At least one part changes.
    """

    term_and_vote: tuple[Term, ServerId | None] | None = None
    truncate_to: Index | None = None
    append: tuple[Entry, ...] = ()
    commit_index: Index | None = None

    def is_empty(self) -> bool:
        marked = self.term_and_vote is not None or self.commit_index is not None
        return not marked and self.truncate_to is None and not self.append


@dataclass(frozen=True, slots=True)
class Durable:
    """The durable state of a server.

    §3.8 asks for the term, the vote and the log. The commit mark is durable too, as in the write path that this
    project checks, but nobody waits for it: it is safe to lose (§3.8), and a restart that has it applies sooner.
    """

    current_term: Term
    voted_for: ServerId | None
    log: Log
    commit_index: Index

    def can_take(self, record: Record) -> bool:
        """Whether some step of a core in this state can have written the record, as far as the log is concerned."""
        last = self.log.last_index if record.truncate_to is None else record.truncate_to
        if not 0 <= last <= self.log.last_index:
            return False
        terms = (self.log.term_at(last), *(entry.term for entry in record.append))
        in_order = all(term <= following for term, following in pairwise(terms))
        return in_order and 0 <= (record.commit_index or 0) <= last + len(record.append)

    def after(self, record: Record) -> Durable:
        """This state once the record, which it can take, has taken effect."""
        term, vote = record.term_and_vote or (self.current_term, self.voted_for)
        log = self.log if record.truncate_to is None else self.log.truncate(record.truncate_to)
        for entry in record.append:
            log = log.append(entry)
        commit_index = self.commit_index if record.commit_index is None else record.commit_index
        return Durable(term, vote, log, commit_index)


INITIAL = Durable(Term(0), None, Log(), Index(0))
"""The state of a server that never ran: an empty disk."""
