"""The log against a list of entries, by hand and by a random machine."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from refimpl.entry import Append, ClientId, Command, Entry, Index, Serial, Term
from refimpl.log import Log


def entry(term: int, serial: int = 0) -> Entry:
    if serial == 0:
        return Entry(Term(term), None)
    return Entry(Term(term), Command(ClientId("c1"), Serial(serial), Append("writes", f"c1:{serial};")))


LOG = Log((entry(1), entry(1, 1), entry(3)))


def test_an_empty_log_ends_at_index_0_with_term_0() -> None:
    assert (Log().last_index, Log().last_term) == (0, 0)
    assert Log().agrees_at(Index(0), Term(0))


def test_the_first_index_is_1() -> None:
    assert LOG.entry_at(Index(1)) == entry(1)
    assert [LOG.term_at(Index(index)) for index in (0, 1, 2, 3)] == [0, 1, 1, 3]


@pytest.mark.parametrize("index", [-1, 0, 4])
def test_an_index_without_an_entry_is_a_programmer_error(index: int) -> None:
    with pytest.raises(AssertionError, match="no entry at"):
        LOG.entry_at(Index(index))


def test_a_slice_has_both_ends_and_stops_where_the_log_does() -> None:
    assert LOG.slice(Index(2), Index(2)) == (entry(1, 1),)
    assert LOG.slice(Index(3), Index(9)) == (entry(3),)
    assert LOG.slice(Index(4), Index(4)) == ()


def test_terms_never_fall_along_a_log() -> None:
    with pytest.raises(AssertionError, match="terms never fall"):
        LOG.append(entry(2))


def test_a_log_agrees_where_it_has_an_entry_of_the_term() -> None:
    assert LOG.agrees_at(Index(3), Term(3))
    assert not LOG.agrees_at(Index(3), Term(1))
    assert not LOG.agrees_at(Index(4), Term(3))


@pytest.mark.parametrize(
    ("last_index", "last_term", "up_to_date"),
    [(3, 3, True), (4, 3, True), (2, 3, False), (1, 4, True), (9, 2, False), (0, 0, False)],
)
def test_a_later_term_or_the_same_and_no_shorter_is_up_to_date(
    last_index: int, last_term: int, up_to_date: bool
) -> None:
    assert LOG.is_up_to_date(Index(last_index), Term(last_term)) is up_to_date


def test_appending_to_the_longest_log_copies_nothing_and_to_a_shorter_one_leaves_the_longer_alone() -> None:
    longer = LOG.append(entry(3, 2))
    assert longer._shared is LOG._shared
    other = LOG.append(entry(4))
    assert (longer.entries[3:], other.entries[3:]) == ((entry(3, 2),), (entry(4),))
    assert (longer == other, longer.truncate(Index(3)) == LOG) == (False, True)


def test_a_log_that_was_cut_takes_nothing_along_when_it_is_copied() -> None:
    cut = pickle.loads(pickle.dumps(LOG.truncate(Index(1))))
    assert (cut, cut._shared) == (Log((entry(1),)), [entry(1)])
    assert hash(cut) == hash(LOG.truncate(Index(1)))


class LogMachine(RuleBasedStateMachine):
    """Random appends and truncations, compared with a list."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.model: list[Entry] = []
        self.earlier: list[tuple[Log, tuple[Entry, ...]]] = []

    @rule(higher=st.integers(0, 2), serial=st.integers(0, 3))
    def append(self, higher: int, serial: int) -> None:
        self.earlier.append((self.log, tuple(self.model)))
        added = entry((self.model[-1].term if self.model else 1) + higher, serial)
        self.log = self.log.append(added)
        self.model.append(added)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        self.earlier.append((self.log, tuple(self.model)))
        last = data.draw(st.integers(0, len(self.model)))
        self.log = self.log.truncate(Index(last))
        del self.model[last:]

    @invariant()
    def equals_the_model(self) -> None:
        assert self.log.entries == tuple(self.model)
        assert self.log.last_index == len(self.model)
        assert self.log.last_term == (self.model[-1].term if self.model else 0)
        for index, expected in enumerate(self.model, start=1):
            assert self.log.entry_at(Index(index)) == expected
            assert self.log.slice(Index(index), Index(len(self.model))) == tuple(self.model[index - 1 :])

    @invariant()
    def earlier_logs_have_not_changed(self) -> None:
        for log, entries in self.earlier:
            assert log.entries == entries


TestLogMachine = LogMachine.TestCase
