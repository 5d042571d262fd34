"""The log of one server: an immutable sequence of entries whose first index is 1 (Ongaro 2014 §3.5)."""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.entry import Entry, Index, Term


@dataclass(frozen=True, slots=True)
class Log:
    """Entries without gaps. Every change returns a new log; an index beyond the end is a programmer error."""

    entries: tuple[Entry, ...] = ()

    @property
    def last_index(self) -> Index:
        """The index of the last entry, 0 if there is none."""
        return Index(len(self.entries))

    @property
    def last_term(self) -> Term:
        """The term of the last entry, 0 if there is none."""
        return self.term_at(self.last_index)

    def term_at(self, index: Index) -> Term:
        """The term of the entry at the index; 0 at index 0, which every log shares."""
        return Term(0) if index == 0 else self.entry_at(index).term

    def entry_at(self, index: Index) -> Entry:
        assert 1 <= index <= len(self.entries), f"no entry at {index} in a log of {len(self.entries)}"
        return self.entries[index - 1]

    def slice(self, first: Index, last: Index) -> tuple[Entry, ...]:
        """The entries from first to last, both included, as far as they exist."""
        assert first >= 1, "an entry's index is at least 1"
        return self.entries[first - 1 : last]

    def append(self, entry: Entry) -> Log:
        """This log with the entry at last_index + 1."""
        assert entry.term >= self.last_term, "terms never fall along a log"
        return Log((*self.entries, entry))

    def truncate(self, last: Index) -> Log:
        """This log without the entries after `last`."""
        assert 0 <= last <= len(self.entries), f"cannot cut a log of {len(self.entries)} to {last}"
        return Log(self.entries[:last])

    def agrees_at(self, index: Index, term: Term) -> bool:
        """Whether this log has an entry of this term at this index: the consistency check of AppendEntries (§3.5).

        By Log Matching it then agrees with the log of that term's leader up to the index (Figure 3.2).
        """
        return index <= self.last_index and self.term_at(index) == term

    def is_up_to_date(self, last_index: Index, last_term: Term) -> bool:
        """Whether a log that ends so is at least as up-to-date as this one: later term, or same and longer (§3.6.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)
