"""The log of one server: an immutable sequence of entries whose first index is 1 (Ongaro 2014 §3.5).

A server that runs for long appends often and cuts seldom. So logs that grew out of each other share one list: each is a
view of its beginning, and what a view sees is never changed. Only an append to a view that does not reach the list's
end, because another log has gone on there, copies.
"""

from __future__ import annotations

from collections.abc import Iterable

from refimpl.entry import Entry, Index, Term


class Log:
    """Entries without gaps. Every change returns a new log; an index beyond the end is a programmer error."""

    __slots__ = ("_length", "_shared")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._shared = list(entries)
        self._length = len(self._shared)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, copied."""
        return tuple(self._shared[: self._length])

    @property
    def last_index(self) -> Index:
        """The index of the last entry, 0 if there is none."""
        return Index(self._length)

    @property
    def last_term(self) -> Term:
        """The term of the last entry, 0 if there is none."""
        return self.term_at(Index(self._length))

    def term_at(self, index: Index) -> Term:
        """The term of the entry at the index; 0 at index 0, which every log shares."""
        return Term(0) if index == 0 else self.entry_at(index).term

    def entry_at(self, index: Index) -> Entry:
        assert 1 <= index <= self._length, f"no entry at {index} in a log of {self._length}"
        return self._shared[index - 1]

    def slice(self, first: Index, last: Index) -> tuple[Entry, ...]:
        """The entries from first to last, both included, as far as they exist."""
        assert first >= 1, "an entry's index is at least 1"
        return tuple(self._shared[first - 1 : min(last, self._length)])

    def append(self, entry: Entry) -> Log:
        """This log with the entry at last_index + 1."""
        assert entry.term >= self.last_term, "terms never fall along a log"
        if self._length < len(self._shared):
            return Log((*self.entries, entry))
        self._shared.append(entry)
        return self._view(self._length + 1)

    def truncate(self, last: Index) -> Log:
        """This log without the entries after `last`."""
        assert 0 <= last <= self._length, f"cannot cut a log of {self._length} to {last}"
        return self._view(last)

    def agrees_at(self, index: Index, term: Term) -> bool:
        """Whether this log has an entry of this term at this index: the consistency check of AppendEntries (§3.5).

        By Log Matching it then agrees with the log of that term's leader up to the index (Figure 3.2).
        """
        return index <= self._length and self.term_at(index) == term

    def is_up_to_date(self, last_index: Index, last_term: Term) -> bool:
        """Whether a log that ends so is at least as up-to-date as this one: later term, or same and longer (§3.6.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def _view(self, length: int) -> Log:
        log = Log.__new__(Log)
        log._shared = self._shared
        log._length = length
        return log

    # Logs are values ----------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Log):
            return NotImplemented
        if self._length != other._length:
            return False
        return self._shared is other._shared or self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        return f"Log({self.entries!r})"

    def __reduce__(self) -> tuple[type[Log], tuple[tuple[Entry, ...]]]:
        return Log, (self.entries,)  # not the shared list: what lies behind this log's end is no part of it
