"""Values as flat bits: how a value of a stored sort is laid out, made from free inputs, and read back from a model.

The layout is canonical: what lies beyond a sequence's length or under an absent optional is zero, so two packed values
of one sort are equal iff their bits are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.numbers import Number, bit_at, less, less_equal, number, width
from checker.symbolic.values import Atom, Members, Message, Optional, Product, Slots, Symbolic, constant
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
    domain,
)

ReadBit = Callable[[Bit], bool]
"""The value of a bit in a model."""


@cache
def cached_domain(sort: Sort) -> tuple[Any, ...]:
    return domain(sort)


@cache
def constants(sort: Sort) -> tuple[Symbolic, ...]:
    """The domain of a finite sort, as symbolic values."""
    return tuple(constant(value, sort) for value in cached_domain(sort))


@cache
def size(sort: Sort) -> int:
    """How many bits a value of the sort takes."""
    match sort:
        case BoolSort():
            return 1
        case IntSort(low, high):
            if low is None or high is None:
                raise NotEncodable("an unbounded integer cannot be stored")
            return width(low, high)
        case EnumSort(_, elements) | AtomSort(_, elements):
            return (len(elements) - 1).bit_length()
        case OptionalSort(of):
            return 1 + size(of)
        case SetSort(of):
            return len(cached_domain(of))
        case SeqSort(of, capacity):
            if capacity is None:
                raise NotEncodable("a sequence without a capacity cannot be stored")
            return width(0, capacity) + capacity * size(of)
        case MapSort(key, of):
            return len(cached_domain(key)) * size(of)
        case RecordSort(_, fields):
            return sum(size(of) for _, of in fields)
        case MessageSort():
            raise NotEncodable("a message cannot be stored in a variable")


def pack(c: Circuit, value: Symbolic, sort: Sort) -> tuple[Bit, ...]:
    """The bits of a value that lies in the sort; of another value, anything."""
    return tuple(_packed(c, value, sort, TRUE))


def _packed(c: Circuit, value: Symbolic, sort: Sort, there: Bit) -> Iterator[Bit]:
    match sort, value:
        case BoolSort(), int():
            yield c.conjunction(there, value)
        case IntSort(), Number():
            yield from (c.conjunction(there, bit_at(value, i)) for i in range(size(sort)))
        case (EnumSort() | AtomSort()), Atom():
            yield from (c.conjunction(there, bit) for bit in value.bits)
        case OptionalSort(of), Optional():
            present = c.conjunction(there, value.present)
            yield present
            if value.value is None:
                yield from (FALSE,) * size(of)
            else:
                yield from _packed(c, value.value, of, present)
        case SetSort(of), Members():
            for key in cached_domain(of):
                yield c.conjunction(there, value.members.get(key, FALSE))
        case SeqSort(of, int() as capacity), Slots():
            yield from (c.conjunction(there, bit_at(value.length, i)) for i in range(width(0, capacity)))
            for i in range(capacity):
                within = c.conjunction(there, less(c, number(i), value.length))
                if i < len(value.slots) and within != FALSE:
                    yield from _packed(c, value.slots[i], of, within)
                else:
                    yield from (FALSE,) * size(of)
        case MapSort(_, of), Product():
            for field in value.fields:
                yield from _packed(c, field, of, there)
        case RecordSort(_, fields), Product():
            for field, (_, of) in zip(value.fields, fields, strict=True):
                yield from _packed(c, field, of, there)
        case _:
            raise AssertionError(f"packing {type(value).__name__} as {sort}")


def unpack(bits: tuple[Bit, ...], sort: Sort) -> Symbolic:
    """The value whose packed bits these are; ``bits`` may be longer."""
    return _Unpacker(bits).take(sort)


class _Unpacker:
    def __init__(self, bits: tuple[Bit, ...]) -> None:
        self.bits = bits
        self.at = 0

    def _next(self, count: int) -> tuple[Bit, ...]:
        self.at += count
        return self.bits[self.at - count : self.at]

    def take(self, sort: Sort) -> Symbolic:
        match sort:
            case BoolSort():
                return self._next(1)[0]
            case IntSort(low, high):
                bits = self._next(size(sort))
                assert low is not None
                assert high is not None
                return number(low) if low == high else Number(bits, low, high)
            case EnumSort(_, elements) | AtomSort(_, elements):
                return Atom(self._next(size(sort)), elements)
            case OptionalSort(of):
                present = self._next(1)[0]
                return Optional(present, self.take(of))
            case SetSort(of):
                keys = cached_domain(of)
                return Members(dict(zip(keys, self._next(len(keys)), strict=True)))
            case SeqSort(of, capacity):
                assert capacity is not None
                bits = self._next(width(0, capacity))
                length = Number(bits, 0, capacity) if capacity else number(0)
                return Slots(length, tuple(self.take(of) for _ in range(capacity)))
            case MapSort(key, of):
                return Product(tuple(self.take(of) for _ in cached_domain(key)))
            case RecordSort(_, fields):
                return Product(tuple(self.take(of) for _, of in fields))
            case MessageSort():
                raise NotEncodable("a message cannot be stored in a variable")


def raw_bits(value: Symbolic) -> tuple[Bit, ...]:
    """The bits that a value was unpacked from."""
    match value:
        case int():
            return (value,)
        case Number() | Atom():
            return value.bits
        case Optional():
            return (value.present, *(raw_bits(value.value) if value.value is not None else ()))
        case Members():
            return tuple(value.members.values())
        case Slots():
            return (*value.length.bits, *(bit for slot in value.slots for bit in raw_bits(slot)))
        case Product() | Message():
            return tuple(bit for field in value.fields for bit in raw_bits(field))
    raise AssertionError(type(value))


def well_formed(c: Circuit, value: Symbolic, sort: Sort) -> Bit:
    """Whether a value unpacked from free bits is one of the sort (what is absent is not looked at)."""
    match sort, value:
        case IntSort(int() as low, int() as high), Number():
            raw = Number(value.bits, -(1 << len(value.bits)) if low < 0 else 0, 1 << len(value.bits))
            return c.conjunction(less_equal(c, number(low), raw), less_equal(c, raw, number(high)))
        case (EnumSort(_, elements) | AtomSort(_, elements)), Atom():
            count = len(elements)
            if count == 1 << len(value.bits):
                return TRUE
            return less(c, Number(value.bits, 0, (1 << len(value.bits)) - 1), number(count))
        case OptionalSort(of), Optional():
            return TRUE if value.value is None else c.implies(value.present, well_formed(c, value.value, of))
        case SeqSort(of, int() as capacity), Slots():
            length = Number(value.length.bits, 0, (1 << len(value.length.bits)) - 1)
            result = less_equal(c, length, number(capacity)) if capacity else TRUE
            for i, slot in enumerate(value.slots):
                within = less(c, number(i), value.length)
                result = c.conjunction(result, c.implies(within, well_formed(c, slot, of)))
            return result
        case MapSort(_, of), Product():
            return c.every(well_formed(c, field, of) for field in value.fields)
        case RecordSort(_, fields), Product():
            return c.every(well_formed(c, f, of) for f, (_, of) in zip(value.fields, fields, strict=True))
    return TRUE


def read(value: Symbolic, sort: Sort, bit: ReadBit) -> Any:
    """The value that a model gives."""
    match sort, value:
        case BoolSort(), int():
            return bit(value)
        case IntSort(), Number():
            return read_number(value, bit)
        case (EnumSort() | AtomSort()), Atom():
            return value.elements[_unsigned(value.bits, bit)]
        case OptionalSort(of), Optional():
            return read(value.value, of, bit) if value.value is not None and bit(value.present) else None
        case SetSort(), Members():
            return frozenset(key for key, there in value.members.items() if bit(there))
        case SeqSort(of), Slots():
            return tuple(read(value.slots[i], of, bit) for i in range(read_number(value.length, bit)))
        case MapSort(_, of), Product():
            return tuple(read(field, of, bit) for field in value.fields)
        case RecordSort(_, fields), Product():
            return tuple(read(field, of, bit) for field, (_, of) in zip(value.fields, fields, strict=True))
    raise AssertionError(f"reading {type(value).__name__} as {sort}")


def read_number(value: Number, bit: ReadBit) -> int:
    if value.low == value.high:
        return value.low
    result = _unsigned(value.bits, bit)
    if value.low < 0 and bit(value.bits[-1]):
        result -= 1 << len(value.bits)
    return result


def _unsigned(bits: tuple[Bit, ...], bit: ReadBit) -> int:
    return sum(1 << i for i, b in enumerate(bits) if bit(b))


def arbitrary(sort: Sort) -> Symbolic:
    """Some value of the sort: what stands where the spec computes nothing."""
    match sort:
        case IntSort(low, high):
            return number(max(low or 0, min(0, high or 0)))
        case SetSort():
            return Members({})
        case SeqSort():
            return Slots(number(0), ())
        case OptionalSort():
            return Optional(FALSE, None)
        case MapSort(key, of):
            return Product((arbitrary(of),) * len(cached_domain(key)))
        case RecordSort(_, fields):
            return Product(tuple(arbitrary(of) for _, of in fields))
        case BoolSort():
            return FALSE
        case EnumSort(_, elements) | AtomSort(_, elements):
            return constant(elements[0], sort)
        case MessageSort():
            raise NotEncodable("no message to speak of")
