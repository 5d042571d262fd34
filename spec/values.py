"""Values against sorts: membership, the check made when a value is stored, a total order, and text.

A store checks a value (language.md, Values): above a bound that is a model constant, or beyond a sequence's capacity,
the transition is *cut*; anything else out of the sort is an *error*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from spec.sorts import (
    AtomSort,
    BoolSort,
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
from spec.system import Place


class SpecRuntimeError(Exception):
    """Base of what can end the computation of a transition."""


class EvaluationError(SpecRuntimeError):
    """The spec computed something that has no meaning (wrong index, below range, …): a defect of the spec.

    ``labels``: the label whose computation it was, once known.
    """

    def __init__(self, message: str, place: Place | None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place
        self.labels: tuple[Any, ...] = ()


class Cut(SpecRuntimeError):
    """A bound of the model was exceeded: the transition is neither counted nor explored. ``bound``: its name."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


class NotEnabled(SpecRuntimeError):
    """The label cannot be taken here. ``reason``: what a system action or a delivery lacks; empty where a ``require``
    on the path was false."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


StoreCheck = Callable[[Value, Place | None], None]


def store_check(sort: Sort, what: str) -> StoreCheck | None:
    """The check for storing a value of a well-typed expression in ``what``; ``None`` if no value can fail it."""
    match sort:
        case BoolSort() | EnumSort() | AtomSort() | MessageSort():
            return None
        case IntSort(low, high, cut_above):
            if low is None or high is None:
                return None
            lowest, highest = low, high

            def check_int(value: Value, place: Place | None) -> None:
                if not lowest <= value <= highest:
                    if value > highest and cut_above:
                        raise Cut(f"{what} <= {highest}")
                    raise EvaluationError(f"{what}: {value} is outside {lowest}..{highest}", place)

            return check_int
        case OptionalSort(of):
            inner = store_check(of, what)
            if inner is None:
                return None
            return lambda value, place: None if value is None else inner(value, place)
        case SetSort(of):
            return _each(store_check(of, what), sort_key(of))
        case SeqSort(of, capacity):
            return _check_seq(store_check(of, what), capacity, what)
        case MapSort(_, value_sort):
            return _each(store_check(value_sort, what))
        case RecordSort(_, fields):
            return check_fields(tuple(store_check(field, f"{what}.{name}") for name, field in fields))


def _each(check: StoreCheck | None, key: Callable[[Value], Any] | None = None) -> StoreCheck | None:
    """``key``: of a set's elements. Which of two bad ones is met first decides between a cut and an error."""
    if check is None:
        return None

    def check_each(value: Value, place: Place | None) -> None:
        for element in value if key is None else sorted(value, key=key):
            check(element, place)

    return check_each


def _check_seq(check: StoreCheck | None, capacity: int | None, what: str) -> StoreCheck | None:
    if capacity is None:
        return _each(check)

    def check_seq(value: Value, place: Place | None) -> None:
        if len(value) > capacity:
            raise Cut(f"len({what}) <= {capacity}")
        if check is not None:
            for element in value:
                check(element, place)

    return check_seq


def check_fields(checks: tuple[StoreCheck | None, ...]) -> StoreCheck | None:
    """The check of a tuple, position by position."""
    needed = tuple((position, check) for position, check in enumerate(checks) if check is not None)
    if not needed:
        return None

    def check(value: Value, place: Place | None) -> None:
        for position, check_field in needed:
            check_field(value[position], place)

    return check


def contains(sort: Sort, value: Value) -> bool:
    """Whether ``value`` is a value of ``sort`` (bounds and capacities included)."""
    match sort:
        case BoolSort():
            return isinstance(value, bool)
        case IntSort(low, high):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and (low is None or low <= value) and (high is None or value <= high)
        case EnumSort(_, names) | AtomSort(_, names):
            return value in names
        case OptionalSort(of):
            return value is None or contains(of, value)
        case SetSort(of):
            return isinstance(value, frozenset) and all(contains(of, element) for element in value)
        case SeqSort(of, capacity):
            fits = isinstance(value, tuple) and (capacity is None or len(value) <= capacity)
            return fits and all(contains(of, element) for element in value)
        case MapSort(key, value_sort):
            total = isinstance(value, tuple) and len(value) == len(cached_domain(key))
            return total and all(contains(value_sort, element) for element in value)
        case RecordSort(_, fields):
            whole = isinstance(value, tuple) and len(value) == len(fields)
            return whole and all(contains(field, v) for (_, field), v in zip(fields, value, strict=True))
        case MessageSort(name, source, destination, fields):
            if not (isinstance(value, tuple) and len(value) == 3 + len(fields) and value[0] == name):
                return False
            sorts = (source, destination, *(field for _, field in fields))
            return all(contains(field, v) for field, v in zip(sorts, value[1:], strict=True))


@cache
def cached_domain(sort: Sort) -> tuple[Value, ...]:
    return domain(sort)


@cache
def positions(sort: Sort) -> dict[Value, int]:
    """Where each value stands in its sort's domain."""
    return {value: position for position, value in enumerate(domain(sort))}


def sort_key(sort: Sort) -> Callable[[Value], Any]:
    """The key that sorts values of ``sort`` as its domain does, without listing the domain (which may be vast, or lack
    a value that is out of range)."""
    match sort:
        case BoolSort() | IntSort():
            return lambda value: value
        case EnumSort(_, names) | AtomSort(_, names):
            return {name: position for position, name in enumerate(names)}.__getitem__
        case OptionalSort(of):
            inner = sort_key(of)
            return lambda value: () if value is None else (inner(value),)
        case SetSort(of):
            inner = sort_key(of)
            return lambda value: (len(value), sorted(map(inner, value)))
        case SeqSort(of):
            inner = sort_key(of)
            return lambda value: (len(value), [inner(element) for element in value])
        case MapSort(_, of):
            inner = sort_key(of)
            return lambda value: [inner(element) for element in value]
        case RecordSort(_, fields):
            inners = tuple(sort_key(field) for _, field in fields)
            return lambda value: [inner(v) for inner, v in zip(inners, value, strict=True)]
        case MessageSort():
            return message_key


def order_key(value: Value) -> Any:
    """A total order over all values, the same on every run: by shape, then by content."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int):
        return (2, value)
    if isinstance(value, str):
        return (3, value)
    if isinstance(value, tuple):
        return (4, tuple(order_key(element) for element in value))
    return (5, tuple(sorted(order_key(element) for element in value)))


def canonical(value: Value) -> str:
    """A value as text that is the same on every run and machine: what set hashes are made of."""
    if isinstance(value, tuple):
        return "(" + ",".join(canonical(element) for element in value) + ")"
    if isinstance(value, frozenset):
        return "{" + ",".join(sorted(canonical(element) for element in value)) + "}"
    assert value is None or isinstance(value, bool | int | str), f"{value!r} is not a value"
    return repr(value)


@lru_cache(maxsize=200_000)
def message_key(message: tuple[Value, ...]) -> Any:
    """``order_key`` of a message, remembered: the same messages are sorted again and again."""
    return order_key(message)


def show(sort: Sort, value: Value) -> str:
    """A value as the language writes it."""
    match sort:
        case BoolSort():
            return "true" if value else "false"
        case IntSort() | EnumSort() | AtomSort():
            return str(value)
        case OptionalSort(of):
            return "none" if value is None else show(of, value)
        case SetSort(of):
            return "{" + ", ".join(show(of, element) for element in sorted(value, key=order_key)) + "}"
        case SeqSort(of):
            return "[" + ", ".join(show(of, element) for element in value) + "]"
        case MapSort(key, of):
            keys = cached_domain(key)
            return "{" + ", ".join(f"{show(key, k)}: {show(of, v)}" for k, v in zip(keys, value, strict=True)) + "}"
        case RecordSort(name, fields):
            inner = (f"{field}={show(of, v)}" for (field, of), v in zip(fields, value, strict=True))
            return f"{name}({', '.join(inner)})"
        case MessageSort(name, _, _, fields):
            inner = (f"{field}={show(of, v)}" for (field, of), v in zip(fields, value[3:], strict=True))
            return f"{name}({', '.join((f'{value[1]} → {value[2]}', *inner))})"
