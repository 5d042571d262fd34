"""Sorts: the types of a spec once a model has fixed every constant, and the shape of their values.

Values are plain immutable Python: ``bool``; ``int``; ``str`` for members of enums and elements of sets of
constants; ``None`` or the value itself for an optional; ``frozenset``; a ``tuple`` for a sequence (1-based in
the language, 0-based here); a ``tuple`` of values in the order of the key domain for a total map; a ``tuple`` of
field values for a record; ``(type name, source, destination, field values…)`` for a message. A value does not
carry its sort: every node of the IR that yields one knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, TypeAlias

Value: TypeAlias = Any  # the shapes above; Python cannot say "tuple whose shape the sort gives"


@dataclass(frozen=True, slots=True)
class BoolSort:
    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class IntSort:
    """``low..high``, both inclusive; both ``None`` for the unbounded integers that expressions compute on.

    ``cut_above``: the upper bound comes from a model constant, so a value above it cuts the transition (counted);
    otherwise a value out of range is an evaluation error.
    """

    low: int | None = None
    high: int | None = None
    cut_above: bool = False
    name: str | None = None

    def __str__(self) -> str:
        return self.name or ("int" if self.low is None else f"{self.low}..{self.high}")


@dataclass(frozen=True, slots=True)
class EnumSort:
    name: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AtomSort:
    """The elements that a model gives to a ``const X: set``, in the model's order.

    The union of several process kinds (the source of a message that more than one kind sends) is an AtomSort
    named ``process``.
    """

    name: str
    elements: tuple[str, ...]
    symmetric: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OptionalSort:
    of: Sort

    def __str__(self) -> str:
        return f"optional[{self.of}]"


@dataclass(frozen=True, slots=True)
class SetSort:
    of: Sort

    def __str__(self) -> str:
        return f"set[{self.of}]"


@dataclass(frozen=True, slots=True)
class SeqSort:
    """At most ``capacity`` elements; a longer one cuts the transition. ``None``: not stored, so not bounded."""

    of: Sort
    capacity: int | None

    def __str__(self) -> str:
        return f"seq[{self.of}]" if self.capacity is None else f"seq[{self.of}, {self.capacity}]"


@dataclass(frozen=True, slots=True)
class MapSort:
    key: Sort
    value: Sort

    def __str__(self) -> str:
        return f"map[{self.key}, {self.value}]"


@dataclass(frozen=True, slots=True)
class RecordSort:
    name: str
    fields: tuple[tuple[str, Sort], ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class MessageSort:
    name: str
    source: AtomSort
    destination: AtomSort
    fields: tuple[tuple[str, Sort], ...]

    def __str__(self) -> str:
        return self.name

    def field_position(self, field: str) -> int:
        """Where ``field`` (``source`` and ``destination`` included) stands in the value's tuple."""
        names = ("", "source", "destination", *(name for name, _ in self.fields))
        return names.index(field)

    def field_sort(self, field: str) -> Sort:
        if field == "source":
            return self.source
        if field == "destination":
            return self.destination
        return dict(self.fields)[field]


Sort: TypeAlias = (
    BoolSort | IntSort | EnumSort | AtomSort | OptionalSort | SetSort | SeqSort | MapSort | RecordSort | MessageSort
)

BOOL = BoolSort()
INT = IntSort()


def domain(sort: Sort) -> tuple[Value, ...]:
    """Every value of a finite sort, in the order that maps, loops and labels use.

    Raises ValueError for a sort that has no finite domain (an unbounded int, a message).
    """
    return tuple(_domain(sort))


def _domain(sort: Sort) -> Iterator[Value]:
    match sort:
        case BoolSort():
            yield from (False, True)
        case IntSort(low, high):
            if low is None or high is None:
                raise ValueError("the integers have no finite domain")
            yield from range(low, high + 1)
        case EnumSort(_, members):
            yield from members
        case AtomSort(_, elements):
            yield from elements
        case OptionalSort(of):
            yield None
            yield from _domain(of)
        case SetSort(of):
            members_ = domain(of)
            for size in range(len(members_) + 1):
                yield from (frozenset(chosen) for chosen in combinations(members_, size))
        case SeqSort(of, capacity):
            if capacity is None:
                raise ValueError("a sequence without a capacity has no finite domain")
            for length in range(capacity + 1):
                yield from product(domain(of), repeat=length)
        case MapSort(key, value):
            yield from product(domain(value), repeat=len(domain(key)))
        case RecordSort(_, fields):
            yield from product(*(domain(field) for _, field in fields))
        case MessageSort():
            raise ValueError("messages have no finite domain")
