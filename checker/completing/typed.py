"""From a trace's value, which has lost its sort, back to the spec's: the inverse of ``checker.tracing.plain``."""

from __future__ import annotations

from functools import lru_cache

from checker.tracing import map_key
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
)
from spec.sorts import Value as SpecValue
from spec.values import cached_domain, contains
from traces.partial import Missing
from traces.values import Map, Value


class NotOfSort(Exception):
    """The trace's value stands for none of the sort."""


class Incomplete(Exception):
    """A part of the value is missing."""


def typed(sort: Sort, value: Value) -> SpecValue:
    """The value of the sort that is written as ``value``. Raises NotOfSort, Incomplete."""
    found = _typed(sort, value)
    if not isinstance(sort, MessageSort) and not contains(sort, found):
        raise NotOfSort
    return found


def _typed(sort: Sort, value: Value) -> SpecValue:
    if isinstance(value, Missing):
        raise Incomplete
    match sort, value:
        case BoolSort(), bool():
            return value
        case IntSort(), int() if not isinstance(value, bool):
            return value
        case ((EnumSort() | AtomSort()), str()):
            return value
        case OptionalSort(), None:
            return None
        case OptionalSort(of), _:
            return _typed(of, value)
        case SetSort(of), frozenset():
            return frozenset([_typed(of, element) for element in value])
        case SeqSort(of), tuple():
            return tuple([_typed(of, element) for element in value])
        case MapSort(key, of), Map():
            return tuple(_parts(value, dict.fromkeys(_keys(key), of)))
        case RecordSort(_, fields), Map():
            return tuple(_parts(value, dict(fields)))
        case MessageSort(name, source, destination, fields), Map():
            if value.get("type", name) != name:
                raise NotOfSort
            parts = {"source": source, "destination": destination, **dict(fields)}
            return (name, *_parts(value.without("type"), parts))
        case _:
            raise NotOfSort


def _parts(value: Map, sorts: dict[str | int, Sort] | dict[str, Sort]) -> list[SpecValue]:
    if not value.keys() <= sorts.keys():
        raise NotOfSort
    if len(value) < len(sorts):
        raise Incomplete
    return [typed(sort, value[name]) for name, sort in sorts.items()]


@lru_cache(maxsize=1000)
def _keys(sort: Sort) -> tuple[str | int, ...]:
    return tuple(map_key(sort, key) for key in cached_domain(sort))
