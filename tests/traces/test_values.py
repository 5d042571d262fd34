"""The values of traces."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

from tests.traces.strategies import values
from traces.values import Map, Value, freeze, order, thaw


def test_a_map_equals_a_dict_and_can_be_hashed() -> None:
    assert Map({"a": 1}) == {"a": 1}
    assert hash(Map({"a": 1, "b": 2})) == hash(Map({"b": 2, "a": 1}))
    assert Map({"a": 1}) in {Map({"a": 1})}


def test_a_map_cannot_be_changed() -> None:
    value = Map({"a": 1})
    with pytest.raises(TypeError, match="cannot be changed"):
        value["a"] = 2
    with pytest.raises(TypeError, match="cannot be changed"):
        del value["a"]
    with pytest.raises(TypeError, match="cannot be changed"):
        value.update({"b": 2})
    with pytest.raises(TypeError, match="cannot be changed"):
        value |= {"b": 2}
    assert value == {"a": 1}


def test_a_map_gives_a_changed_copy() -> None:
    assert Map({"a": 1, "b": 2}).with_({"b": 3}) == {"a": 1, "b": 3}
    assert Map({"a": 1, "b": 2}).without("b", "c") == {"a": 1}


@given(values)
def test_a_value_survives_pickling_and_copying(value: Value) -> None:
    hash(value)  # a kept hash must not travel: it differs from process to process
    travelled = pickle.loads(pickle.dumps(value))
    assert travelled == value
    assert not (isinstance(travelled, Map) and hasattr(travelled, "_hash"))
    assert copy.deepcopy(value) == value


@given(values)
def test_freezing_what_is_frozen_changes_nothing(value: Value) -> None:
    assert freeze(value) == value


def test_plain_data_is_frozen_at_every_depth() -> None:
    frozen = freeze({"log": [{"term": 1}], "votes": {"s2", "s1"}})
    assert frozen == Map({"log": (Map({"term": 1}),), "votes": frozenset({"s1", "s2"})})
    hash(frozen)


def test_thawing_gives_plain_data_of_its_own() -> None:
    value = Map({"log": (Map({"term": 1}),), "votes": frozenset({"s2", "s1"})})
    plain = thaw(value)
    assert plain == {"log": [{"term": 1}], "votes": ["s1", "s2"]}
    assert type(plain) is dict
    assert thaw(value) is not plain


@pytest.mark.parametrize("plain", [1.5, b"x", {1.5: 1}, {True: 1}, [object()], {"a": {None: 1}}])
def test_what_is_no_value_is_refused(plain: object) -> None:
    with pytest.raises(TypeError):
        freeze(plain)


def test_the_order_tells_a_bool_from_an_int() -> None:
    assert order(True) != order(1)
    assert sorted([frozenset({2}), (1,), "a", 3, False, None, Map({"a": 1})], key=order) == [
        None, False, 3, "a", (1,), frozenset({2}), Map({"a": 1})
    ]  # fmt: skip
