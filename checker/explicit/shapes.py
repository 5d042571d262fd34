"""Shapes: which values an expression can have, as tightly as intervals tell, and how they are packed into bits.

A sort says what a variable may hold; an expression may compute more (``current_term + 1``), and its shape covers that:
arithmetic on shapes never wraps. Packing is canonical: what lies beyond a sequence's length or under an absent optional
is zero, so two values of one shape are equal iff their bits are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TypeAlias

from checker.explicit.errors import NotEncodable
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

LARGEST_INT = 1 << 61
"""Beyond it no interval may go: the compiled code computes in 64 bits."""
LARGEST_SET = 4096
"""How many possible elements a set's mask may have."""


@dataclass(frozen=True, slots=True)
class NeverShape:
    """No value at all: the element of an empty set, the payload of a literal none."""


@dataclass(frozen=True, slots=True)
class BoolShape:
    pass


@dataclass(frozen=True, slots=True)
class IntShape:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low < -LARGEST_INT or self.high > LARGEST_INT:
            raise NotEncodable(f"an expression may reach {self.low}..{self.high}, which 64 bits do not hold")


@dataclass(frozen=True, slots=True)
class AtomShape:
    """A member of an enum or a set of constants, by its position."""

    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptionalShape:
    of: Shape


@dataclass(frozen=True, slots=True)
class SetShape:
    of: Shape


@dataclass(frozen=True, slots=True)
class SeqShape:
    of: Shape
    capacity: int


@dataclass(frozen=True, slots=True)
class MapShape:
    key: Shape
    of: Shape


@dataclass(frozen=True, slots=True)
class RecordShape:
    fields: tuple[Shape, ...]


Shape: TypeAlias = (
    NeverShape | BoolShape | IntShape | AtomShape | OptionalShape | SetShape | SeqShape | MapShape | RecordShape
)
NEVER = NeverShape()


@cache
def shape_of(sort: Sort) -> Shape:
    """The shape that holds exactly the values of a finite sort."""
    match sort:
        case BoolSort():
            return BoolShape()
        case IntSort(low, high):
            if low is None or high is None:
                raise NotEncodable("an unbounded integer cannot be stored")
            return IntShape(low, high)
        case EnumSort(_, elements) | AtomSort(_, elements):
            return AtomShape(elements)
        case OptionalSort(of):
            return OptionalShape(shape_of(of))
        case SetSort(of):
            return SetShape(shape_of(of))
        case SeqSort(of, capacity):
            if capacity is None:
                raise NotEncodable("a sequence without a capacity cannot be stored")
            return SeqShape(shape_of(of), capacity)
        case MapSort(key, of):
            return MapShape(shape_of(key), shape_of(of))
        case RecordSort(_, fields):
            return RecordShape(tuple(shape_of(field) for _, field in fields))
        case MessageSort():
            raise NotEncodable("a message cannot be stored in a variable")


def shape_of_value(sort: Sort, value: Value) -> Shape:
    """The shape of a literal: its ints are known exactly."""
    match sort:
        case IntSort():
            return IntShape(value, value)
        case OptionalSort(of):
            return OptionalShape(NEVER if value is None else shape_of_value(of, value))
        case SetSort(of):
            return SetShape(joined_all([shape_of_value(of, element) for element in value]))
        case SeqSort(of):
            return SeqShape(joined_all([shape_of_value(of, element) for element in value]), len(value))
        case MapSort(key, of):
            return MapShape(shape_of(key), joined_all([shape_of_value(of, element) for element in value]))
        case RecordSort(_, fields):
            return RecordShape(tuple(shape_of_value(of, v) for (_, of), v in zip(fields, value, strict=True)))
    return shape_of(sort)


@cache
def bits(shape: Shape) -> int:
    """How many bits a packed value takes."""
    match shape:
        case NeverShape():
            return 0
        case BoolShape():
            return 1
        case IntShape(low, high):
            return (high - low).bit_length()
        case AtomShape(elements):
            return (len(elements) - 1).bit_length() if elements else 0
        case OptionalShape(of):
            return 1 + bits(of)
        case SetShape(of):
            return count(of)
        case SeqShape(of, capacity):
            return capacity.bit_length() + capacity * bits(of)
        case MapShape(key, of):
            return count(key) * bits(of)
        case RecordShape(fields):
            return sum(bits(field) for field in fields)


@cache
def count(shape: Shape) -> int:
    """How many values there are: the positions of a set's mask, the keys of a map."""
    match shape:
        case NeverShape():
            total = 0
        case BoolShape():
            total = 2
        case IntShape(low, high):
            total = max(0, high - low + 1)
        case AtomShape(elements):
            total = len(elements)
        case OptionalShape(of):
            total = 1 + count(of)
        case RecordShape(fields):
            total = prod(count(field) for field in fields)
        case MapShape(key, of):
            total = count(of) ** min(count(key), 64)
        case SetShape(of):
            total = 1 << min(count(of), 64)
        case SeqShape(of, capacity):
            total = sum(count(of) ** length for length in range(min(capacity, 64) + 1))
    if total > LARGEST_SET:
        raise NotEncodable(f"a set or a map over {total:,} values is too large (at most {LARGEST_SET:,})")
    return total


def joined_all(shapes: list[Shape]) -> Shape:
    result: Shape = NEVER
    for shape in shapes:
        result = joined(result, shape)
    return result


@cache
def joined(left: Shape, right: Shape) -> Shape:
    """The least shape that covers both."""
    if left == right or isinstance(right, NeverShape):
        return left
    match left, right:
        case NeverShape(), _:
            return right
        case IntShape(), IntShape():
            return IntShape(min(left.low, right.low), max(left.high, right.high))
        case AtomShape(elements), AtomShape(others):
            if set(elements) <= set(others):
                return right
            return AtomShape(elements + tuple(other for other in others if other not in elements))
        case OptionalShape(of), OptionalShape(other):
            return OptionalShape(joined(of, other))
        case SetShape(of), SetShape(other):
            return SetShape(joined(of, other))
        case SeqShape(of, capacity), SeqShape(other, another):
            return SeqShape(joined(of, other), max(capacity, another))
        case MapShape(key, of), MapShape(_, other):
            return MapShape(key, joined(of, other))
        case RecordShape(fields), RecordShape(others_):
            return RecordShape(tuple(joined(a, b) for a, b in zip(fields, others_, strict=True)))
    raise AssertionError(f"{left} and {right} have nothing in common")


def within(inner: Shape, outer: Shape) -> bool:
    """Whether every value of ``inner`` is one of ``outer``."""
    match inner, outer:
        case NeverShape(), _:
            return True
        case BoolShape(), BoolShape():
            return True
        case IntShape(), IntShape():
            return outer.low <= inner.low and inner.high <= outer.high
        case AtomShape(elements), AtomShape(others):
            return set(elements) <= set(others)
        case (OptionalShape(of), OptionalShape(other)) | (SetShape(of), SetShape(other)):
            return within(of, other)
        case SeqShape(of, capacity), SeqShape(other, another):
            return capacity <= another and within(of, other)
        case MapShape(_, of), MapShape(_, other):
            return within(of, other)
        case RecordShape(fields), RecordShape(others_):
            return all(within(a, b) for a, b in zip(fields, others_, strict=True))
    return False


def pack(shape: Shape, value: Value) -> int:
    """A value as bits: a record's first field, a sequence's length and first slot stand lowest."""
    match shape:
        case NeverShape():
            raise NotEncodable(f"{value!r} has no bits here")
        case BoolShape():
            return int(value)
        case IntShape(low, high):
            if not low <= value <= high:
                raise NotEncodable(f"{value} is outside {low}..{high}")
            return int(value) - low
        case AtomShape(elements):
            return elements.index(value)
        case OptionalShape(of):
            return 0 if value is None else 1 | pack(of, value) << 1
        case SetShape(of):
            return sum(1 << position_of(of)[element] for element in value)
        case SeqShape(of, capacity):
            if len(value) > capacity:
                raise NotEncodable(f"a sequence of {len(value)} in a place for {capacity}")
            return len(value) | _pack_all([of] * len(value), value) << capacity.bit_length()
        case MapShape(_, of):
            return _pack_all([of] * len(value), value)
        case RecordShape(fields):
            return _pack_all(list(fields), value)


def _pack_all(shapes: list[Shape], values: tuple[Value, ...]) -> int:
    packed, at = 0, 0
    for shape, value in zip(shapes, values, strict=True):
        packed |= pack(shape, value) << at
        at += bits(shape)
    return packed


def unpack(shape: Shape, packed: int) -> Value:
    """The value whose bits these are."""
    match shape:
        case NeverShape():
            raise AssertionError("no value has this shape")
        case BoolShape():
            return bool(packed)
        case IntShape(low):
            return packed + low
        case AtomShape(elements):
            return elements[packed]
        case OptionalShape(of):
            return unpack(of, packed >> 1) if packed & 1 else None
        case SetShape(of):
            return frozenset(value for i, value in enumerate(values_of(of)) if packed >> i & 1)
        case SeqShape(of, capacity):
            at = capacity.bit_length()
            return _unpack_all([of] * (packed & ((1 << at) - 1)), packed >> at)
        case MapShape(key, of):
            return _unpack_all([of] * count(key), packed)
        case RecordShape(fields):
            return _unpack_all(list(fields), packed)


def _unpack_all(shapes: list[Shape], packed: int) -> tuple[Value, ...]:
    values = []
    for shape in shapes:
        width = bits(shape)
        values.append(unpack(shape, packed & ((1 << width) - 1)))
        packed >>= width
    return tuple(values)


def sort_of(shape: Shape) -> Sort:
    """A sort with these values, in the order of its domain."""
    match shape:
        case NeverShape():
            return EnumSort("never", ())
        case BoolShape():
            return BoolSort()
        case IntShape(low, high):
            return IntSort(low, high)
        case AtomShape(elements):
            return AtomSort("", elements)
        case OptionalShape(of):
            return OptionalSort(sort_of(of))
        case SetShape(of):
            return SetSort(sort_of(of))
        case SeqShape(of, capacity):
            return SeqSort(sort_of(of), capacity)
        case MapShape(key, of):
            return MapSort(sort_of(key), sort_of(of))
        case RecordShape(fields):
            return RecordSort("", tuple((str(i), sort_of(field)) for i, field in enumerate(fields)))


@cache
def values_of(shape: Shape) -> tuple[Value, ...]:
    """Every value, in the order of the domain."""
    assert count(shape) <= LARGEST_SET
    return domain(sort_of(shape))


@cache
def position_of(shape: Shape) -> dict[Value, int]:
    return {value: position for position, value in enumerate(values_of(shape))}
