"""A value with the elements of sets renamed: what a permutation of symmetric sets makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

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

Renaming: TypeAlias = Mapping[str, str]
"""What elements are renamed to; the others keep their names."""


def renamed(sort: Sort, value: Value, names: Renaming) -> Value:
    """The value with elements renamed wherever they stand."""
    match sort:
        case BoolSort() | IntSort() | EnumSort():
            return value
        case AtomSort():
            return names.get(value, value)
        case OptionalSort(of):
            return None if value is None else renamed(of, value, names)
        case SetSort(of):
            return frozenset(renamed(of, element, names) for element in value)
        case SeqSort(of):
            return tuple(renamed(of, element, names) for element in value)
        case MapSort(key, of):
            keys = domain(key)
            moved = {renamed(key, k, names): renamed(of, v, names) for k, v in zip(keys, value, strict=True)}
            return tuple(moved[k] for k in keys)
        case RecordSort(_, fields):
            return tuple(renamed(of, v, names) for (_, of), v in zip(fields, value, strict=True))
        case MessageSort(name, source, destination, fields):
            sorts = (source, destination, *(of for _, of in fields))
            return (name, *(renamed(of, v, names) for of, v in zip(sorts, value[1:], strict=True)))
