"""Sorts and values: domains, membership, the check of a store, order, text."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.counting import set_hash
from spec.sorts import (
    BOOL,
    INT,
    AtomSort,
    EnumSort,
    IntSort,
    MapSort,
    MessageSort,
    OptionalSort,
    RecordSort,
    SeqSort,
    SetSort,
    Sort,
    Value,
    domain,
)
from spec.values import Cut, EvaluationError, canonical, contains, order_key, positions, show, sort_key, store_check

DIGIT = IntSort(0, 2)
TERM = IntSort(1, 2, cut_above=True, name="Term")
LIGHT = EnumSort("Light", ("Red", "Green", "Amber"))
NODE = AtomSort("Node", ("z", "a"))
ENTRY = RecordSort("Entry", (("term", TERM), ("light", LIGHT)))
NOTE = MessageSort("Note", NODE, NODE, (("term", TERM), ("log", SeqSort(DIGIT, 2))))


def sorts(depth: int = 2) -> st.SearchStrategy[Sort]:
    """Small finite sorts: no domain is larger than some hundreds."""
    flat: st.SearchStrategy[Sort] = st.sampled_from([BOOL, IntSort(-1, 1), LIGHT, NODE])
    if depth == 0:
        return flat
    inner = sorts(depth - 1).filter(lambda sort: len(domain(sort)) <= 6)
    return st.one_of(
        flat,
        inner.filter(lambda sort: not isinstance(sort, OptionalSort)).map(OptionalSort),
        inner.map(SetSort),
        st.builds(SeqSort, inner, st.integers(0, 2)),
        st.builds(MapSort, flat, inner),
        st.builds(lambda a, b: RecordSort("Pair", (("a", a), ("b", b))), inner, inner),
    )


# ---------------------------------------------------------------------------------------------------- domains


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        (BOOL, (False, True)),
        (IntSort(-1, 2), (-1, 0, 1, 2)),
        (IntSort(1, 0), ()),
        (LIGHT, ("Red", "Green", "Amber")),
        (NODE, ("z", "a")),
        (OptionalSort(NODE), (None, "z", "a")),
        (SetSort(NODE), (frozenset(), {"z"}, {"a"}, {"z", "a"})),
        (SeqSort(NODE, 2), ((), ("z",), ("a",), ("z", "z"), ("z", "a"), ("a", "z"), ("a", "a"))),
        (MapSort(NODE, BOOL), ((False, False), (False, True), (True, False), (True, True))),
        (RecordSort("R", (("n", NODE), ("b", BOOL))), (("z", False), ("z", True), ("a", False), ("a", True))),
    ],
)
def test_domain_lists_every_value_in_order(sort: Sort, values: tuple[Value, ...]) -> None:
    assert domain(sort) == values


@pytest.mark.parametrize("sort", [INT, SeqSort(BOOL, None), NOTE, SetSort(INT)])
def test_sort_without_an_end_has_no_domain(sort: Sort) -> None:
    with pytest.raises(ValueError, match="no finite domain"):
        domain(sort)


@given(sorts())
def test_domain_is_distinct_and_contained_and_numbered(sort: Sort) -> None:
    values = domain(sort)
    assert len(set(values)) == len(values)
    assert all(contains(sort, value) for value in values)
    assert [positions(sort)[value] for value in values] == list(range(len(values)))


@given(sorts())
def test_no_check_of_a_store_fails_on_a_value_of_the_domain(sort: Sort) -> None:
    check = store_check(sort, "x")
    for value in domain(sort):
        if check is not None:
            check(value, None)


@pytest.mark.parametrize(
    "sort",
    [
        BOOL,
        IntSort(-1, 2),
        LIGHT,
        NODE,
        OptionalSort(NODE),
        SetSort(LIGHT),
        SeqSort(NODE, 2),
        MapSort(NODE, LIGHT),
        RecordSort("R", (("n", NODE), ("b", BOOL))),
    ],
    ids=str,
)
def test_sort_key_puts_a_reversed_domain_in_order(sort: Sort) -> None:
    backwards = domain(sort)[::-1]  # a tie would keep this order
    assert sorted(backwards, key=sort_key(sort)) == list(domain(sort))


@given(sorts(), st.randoms(use_true_random=False))
def test_sort_key_sorts_as_the_domain_does(sort: Sort, random: Any) -> None:
    values = list(domain(sort))
    shuffled = list(values)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=sort_key(sort)) == values


def test_sort_key_orders_values_outside_the_sort_too() -> None:
    assert sorted([(9, "Red"), (1, "Amber"), (0, "Red")], key=sort_key(ENTRY)) == [(0, "Red"), (1, "Amber"), (9, "Red")]


def test_sort_key_does_not_list_a_vast_domain() -> None:
    vast = SeqSort(MapSort(IntSort(0, 99), IntSort(0, 99)), 50)
    assert sorted([((5,) * 100,), ()], key=sort_key(vast)) == [(), ((5,) * 100,)]


@given(sorts(), st.randoms(use_true_random=False))
def test_order_key_is_total_and_tells_values_apart(sort: Sort, random: Any) -> None:
    values = list(domain(sort))
    assert len({order_key(value) for value in values}) == len(values)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=order_key) == sorted(values, key=order_key)


# ------------------------------------------------------------------------------------------------- membership


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        (BOOL, 1),
        (DIGIT, 3),
        (DIGIT, -1),
        (DIGIT, True),
        (INT, "1"),
        (LIGHT, "Blue"),
        (NODE, None),
        (OptionalSort(DIGIT), 3),
        (SetSort(DIGIT), frozenset({3})),
        (SetSort(DIGIT), (1,)),
        (SeqSort(DIGIT, 1), (1, 1)),
        (SeqSort(DIGIT, 1), (3,)),
        (MapSort(NODE, DIGIT), (0,)),
        (MapSort(NODE, DIGIT), (0, 3)),
        (ENTRY, (1,)),
        (ENTRY, (0, "Red")),
        (NOTE, ("Bell", "z", "a", 1, ())),
        (NOTE, ("Note", "z", "q", 1, ())),
        (NOTE, ("Note", "z", "a", 1, (0, 0, 0))),
        (NOTE, ("Note", "z", "a", 1)),
    ],
)
def test_value_is_not_of_the_sort(sort: Sort, value: Value) -> None:
    assert not contains(sort, value)


def test_message_and_unbounded_values_are_of_their_sorts() -> None:
    assert contains(NOTE, ("Note", "z", "a", 2, (0, 2)))
    assert contains(INT, -(10**9))
    assert contains(SeqSort(BOOL, None), (True,) * 100)


@given(sorts())
def test_a_store_passes_exactly_the_values_of_the_sort(sort: Sort) -> None:
    """Of values that are of the same kind: the ones the type checker lets through."""
    wider = _widened(sort)
    check = store_check(sort, "x")
    for value in domain(wider):
        passed = True
        try:
            if check is not None:
                check(value, None)
        except (Cut, EvaluationError):
            passed = False
        assert passed == contains(sort, value)


def _widened(sort: Sort) -> Sort:
    match sort:
        case IntSort():
            return IntSort(-2, 2)
        case OptionalSort(of):
            return OptionalSort(_widened(of))
        case SetSort(of) if len(domain(of)) <= 4:
            return SetSort(_widened(of))
        case MapSort(key, of) if len(domain(of)) <= 4:
            return MapSort(key, _widened(of))
        case SeqSort(of, int(capacity)) if len(domain(of)) <= 4:
            return SeqSort(of, capacity + 1)
    return sort


# ------------------------------------------------------------------------------------------- cuts and errors


def outcome(sort: Sort, value: Value) -> str:
    check = store_check(sort, "x")
    assert check is not None
    try:
        check(value, None)
    except Cut as cut:
        return f"cut {cut.bound}"
    except EvaluationError as error:
        return f"error {error.message}"
    return "stored"


@pytest.mark.parametrize(
    ("sort", "value", "expected"),
    [
        (TERM, 2, "stored"),
        (TERM, 3, "cut x <= 2"),
        (TERM, 0, "error x: 0 is outside 1..2"),
        (DIGIT, 3, "error x: 3 is outside 0..2"),
        (OptionalSort(TERM), None, "stored"),
        (OptionalSort(TERM), 3, "cut x <= 2"),
        (SeqSort(DIGIT, 1), (1, 1), "cut len(x) <= 1"),
        (SeqSort(DIGIT, 1), (9, 9), "cut len(x) <= 1"),
        (SeqSort(TERM, 2), (3, 0), "cut x <= 2"),
        (SeqSort(TERM, 2), (0, 3), "error x: 0 is outside 1..2"),
        (SetSort(TERM), frozenset({3, 0, 9}), "error x: 0 is outside 1..2"),
        (SetSort(TERM), frozenset({3, 9}), "cut x <= 2"),
        (SetSort(ENTRY), frozenset({(3, "Red"), (0, "Amber")}), "error x.term: 0 is outside 1..2"),
        (MapSort(NODE, TERM), (3, 0), "cut x <= 2"),
        (MapSort(NODE, TERM), (0, 3), "error x: 0 is outside 1..2"),
        (ENTRY, (3, "Red"), "cut x.term <= 2"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_first_bad_part_decides_between_a_cut_and_an_error(sort: Sort, value: Value, expected: str) -> None:
    assert outcome(sort, value) == expected


UNCHECKED = [BOOL, LIGHT, NODE, INT, SetSort(NODE), SeqSort(BOOL, None), OptionalSort(BOOL)]


@pytest.mark.parametrize("sort", UNCHECKED)
def test_what_cannot_fail_is_not_checked(sort: Sort) -> None:
    assert store_check(sort, "x") is None


# ------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("sort", "value", "text"),
    [
        (BOOL, True, "true"),
        (OptionalSort(NODE), None, "none"),
        (SetSort(DIGIT), frozenset({2, 0}), "{0, 2}"),
        (SeqSort(LIGHT, 3), ("Red", "Amber"), "[Red, Amber]"),
        (MapSort(NODE, DIGIT), (1, 2), "{z: 1, a: 2}"),
        (ENTRY, (1, "Red"), "Entry(term=1, light=Red)"),
        (NOTE, ("Note", "z", "a", 2, (0,)), "Note(z → a, term=2, log=[0])"),
    ],
)
def test_value_is_shown_as_the_language_writes_it(sort: Sort, value: Value, text: str) -> None:
    assert show(sort, value) == text


@given(sorts())
def test_canonical_text_tells_values_apart(sort: Sort) -> None:
    values = domain(sort)
    assert len({canonical(value) for value in values}) == len(values)


def test_canonical_text_and_set_hashes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from spec.counting import set_hash; from spec.values import canonical\n"
        "s = frozenset('abcdefgh')\n"
        "print(canonical((s, None, True, 3)), set_hash({(s, 1), (s, 2)}), set_hash([(s, 2), (s, 1)]))"
    )
    outputs = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        )
        outputs.add(run.stdout)
    (output,) = outputs
    text, first, second = output.split()
    assert text == "({'a','b','c','d','e','f','g','h'},None,True,3)"
    assert first == second == set_hash({(frozenset("abcdefgh"), 1), (frozenset("abcdefgh"), 2)})
    assert first != set_hash({(frozenset("abcdefgh"), 1)})


def test_only_values_have_a_canonical_text() -> None:
    with pytest.raises(AssertionError, match="is not a value"):
        canonical(({1: 2},))
