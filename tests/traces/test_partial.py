"""Traces with holes: what is left out or null is missing, and nothing else is."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.strategies import traces
from tests.traces.toy import toy_trace
from traces.errors import UnreadableTrace
from traces.itf import format_trace
from traces.partial import Missing, PartialState, PartialTrace, fields, parse_partial
from traces.trace import Trace
from traces.values import EMPTY, Map


def read(*states: Any, **top: Any) -> tuple[PartialState, ...]:
    return parse_partial(json.dumps({"states": list(states), **top}).encode(), "log").states


@given(traces())
def test_a_trace_without_holes_is_read_whole(trace: Trace) -> None:
    log = parse_partial(format_trace(trace), "log")
    assert [state.variables for state in log.states] == [state.variables for state in trace.states]
    assert [state.rule for state in log.states] == [None, *(label.rule for label in trace.labels)]
    assert (log.spec, log.model, log.mutant) == (trace.spec, trace.model, trace.mutant)
    for state, label in zip(log.states[1:], trace.labels, strict=True):
        assert state.picks.without("process", "message") == dict(label.arguments)


@pytest.mark.parametrize("hole", [None, {"#unserializable": "a socket"}])
def test_null_and_what_could_not_be_written_are_missing(hole: Any) -> None:
    initial, state = read({}, {"a": hole, "b": {"s1": hole, "s2": 1}, "c": [1, hole], "mbt::actionTaken": hole})
    assert initial == PartialState()
    assert state.rule is None
    value = state.variables["b"]
    assert isinstance(value, Map)
    assert isinstance(value["s1"], Missing)
    assert value["s2"] == 1
    assert isinstance(state.variables["a"], Missing)
    sequence = state.variables["c"]
    assert isinstance(sequence, tuple)
    assert [isinstance(element, Missing) for element in sequence] == [False, True]
    assert state.fields == 2, "b of s2, and c in part"


def test_a_missing_part_equals_nothing_but_itself() -> None:
    one, other = Missing("?"), Missing("?")
    assert one == one
    assert one != other
    assert one != "?"
    (state,) = read({"a": {"#set": [None, None, 1]}})
    found = state.variables["a"]
    assert isinstance(found, frozenset)
    assert len(found) == 3, "two elements are missing"


def test_an_absent_optional_is_not_missing() -> None:
    (state,) = read({"a": {"#tup": []}, "b": {"tag": "None", "value": None}, "c": {"tag": "Some", "value": None}})
    assert state.variables["a"] is None
    assert state.variables["b"] is None
    assert isinstance(state.variables["c"], Missing), "there is a value, and it is not known"


def test_a_state_may_be_missing_and_so_may_labels_before_one() -> None:
    _, nothing, gap, any_number = read({}, None, {"#meta": {"gap": 3}}, {"#meta": {"gap": True, "index": 3}})
    assert nothing == PartialState()
    assert gap == PartialState(gap=3)
    assert any_number == PartialState(gap=None)


def test_choices_of_a_label_may_be_missing() -> None:
    picks = {"process": {"tag": "Some", "value": "s1"}, "by": None, "message": {"tag": "Some", "value": {"type": "M"}}}
    _, state = read({}, {"mbt::nondetPicks": picks})
    assert state.rule is None
    assert state.picks == Map({"process": "s1", "message": Map({"type": "M"})})


def test_fields_are_counted_as_a_log_has_them() -> None:
    assert fields(EMPTY) == 0
    assert fields(Map({"network": (), "term": Map({"s1": 1, "s2": Missing("?")}), "up": Missing("?")})) == 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["#meta", "#set", "#map", "tag", "value", "mbt::actionTaken", "mbt::nondetPicks", "gap", "a"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_in_a_state_is_read_or_refused_with_a_reason(state: Any) -> None:
    with suppress(UnreadableTrace):
        assert isinstance(parse_partial(json.dumps({"states": [{}, state]}).encode(), "log"), PartialTrace)


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_a_file_that_was_cut_is_refused(cut: int) -> None:
    data = format_trace(toy_trace())
    with pytest.raises(UnreadableTrace):
        parse_partial(data[:cut], "log")
