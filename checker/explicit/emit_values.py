"""Values of the spec in emitted code: scalars and records by their parts, sets, sequences and maps as packed bits.

Each value knows its shape. ``emit_packing`` gives it another one, ``emit_comparing`` compares it, and
``emit_positions`` finds its position among the values of its shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from checker.explicit.emit_types import FALSE, TRUE, number, register
from checker.explicit.errors import NotEncodable
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import (
    NEVER,
    AtomShape,
    BoolShape,
    IntShape,
    MapShape,
    NeverShape,
    OptionalShape,
    RecordShape,
    SeqShape,
    SetShape,
    Shape,
    bits,
    count,
    pack,
    position_of,
    shape_of_value,
)
from spec.sorts import MessageSort, Sort, Value


@dataclass(frozen=True, slots=True)
class Bool:
    bit: Ssa


@dataclass(frozen=True, slots=True)
class Int:
    number: Ssa
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Atom:
    index: Ssa
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """``of`` is undefined where it is not present; ``None``: it never is."""

    present: Ssa
    of: Emitted | None


@dataclass(frozen=True, slots=True)
class Record:
    fields: tuple[Emitted, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """Bit i of ``mask``: value i of the elements' shape is in it."""

    mask: Ssa
    of: Shape


@dataclass(frozen=True, slots=True)
class Seq:
    """``slots``: the elements, packed, the first one lowest; zero beyond the length."""

    length: Ssa
    slots: Ssa
    of: Shape
    capacity: int


@dataclass(frozen=True, slots=True)
class Map:
    slots: Ssa
    key: Shape
    of: Shape


@dataclass(frozen=True, slots=True)
class Message:
    """``fields``: source, destination, then those of the sort. ``key``: its bits in a slot, not waiting."""

    sort: MessageSort
    key: Ssa
    fields: tuple[Emitted, ...]


Emitted: TypeAlias = Bool | Int | Atom | Optional | Record | Set | Seq | Map | Message


def shape_of_emitted(value: Emitted) -> Shape:
    match value:
        case Bool():
            return BoolShape()
        case Int(_, low, high):
            return IntShape(low, high)
        case Atom(_, elements):
            return AtomShape(elements)
        case Optional(_, of):
            return OptionalShape(NEVER if of is None else shape_of_emitted(of))
        case Record(fields):
            return RecordShape(tuple(shape_of_emitted(field) for field in fields))
        case Set(_, of):
            return SetShape(of)
        case Seq(_, _, of, capacity):
            return SeqShape(of, capacity)
        case Map(_, key, of):
            return MapShape(key, of)
        case Message():
            raise NotEncodable("a message is no value to store")


def constant(sort: Sort, value: Value) -> Emitted:
    """A literal."""
    shape = shape_of_value(sort, value)
    return constant_of(shape, value)


def constant_of(shape: Shape, value: Value) -> Emitted:
    match shape:
        case BoolShape():
            return Bool(TRUE if value else FALSE)
        case IntShape():
            return Int(number(value), value, value)
        case AtomShape(elements):
            return Atom(number(elements.index(value)), elements)
        case OptionalShape(of):
            return Optional(FALSE, None) if value is None else Optional(TRUE, constant_of(of, value))
        case RecordShape(fields):
            return Record(tuple(constant_of(field, v) for field, v in zip(fields, value, strict=True)))
        case SetShape(of):
            mask = sum(1 << position_of(of)[element] for element in value)
            return Set(ir.Constant(register(count(of)), mask), of)
        case SeqShape(of, capacity):
            slots = pack(shape, value) >> capacity.bit_length()
            return Seq(number(len(value)), ir.Constant(register(capacity * bits(of)), slots), of, capacity)
        case MapShape(key, of):
            return Map(ir.Constant(register(count(key) * bits(of)), pack(shape, value)), key, of)
        case NeverShape():
            raise AssertionError("no value has this shape")


def zero(shape: Shape) -> Emitted | None:
    """Some value, for where there is none."""
    match shape:
        case NeverShape():
            return None
        case BoolShape():
            return Bool(FALSE)
        case IntShape(low, high):
            return Int(number(low), low, high)
        case AtomShape(elements):
            return Atom(number(0), elements)
        case OptionalShape(of):
            return Optional(FALSE, zero(of))
        case RecordShape(fields):
            return Record(tuple(_some(zero(field)) for field in fields))
        case SetShape(of):
            return Set(ir.Constant(register(count(of)), 0), of)
        case SeqShape(of, capacity):
            return Seq(number(0), ir.Constant(register(capacity * bits(of)), 0), of, capacity)
        case MapShape(key, of):
            return Map(ir.Constant(register(count(key) * bits(of)), 0), key, of)


def _some(value: Emitted | None) -> Emitted:
    assert value is not None
    return value


def parts(value: Emitted) -> list[Ssa]:
    """The machine values it consists of, as ``rebuilt`` takes them."""
    match value:
        case Bool(part) | Int(part) | Atom(part) | Set(part) | Map(part):
            return [part]
        case Optional(present, of):
            return [present, *(() if of is None else parts(of))]
        case Record(fields):
            return [part for field in fields for part in parts(field)]
        case Seq(length, slots):
            return [length, slots]
        case Message():
            raise NotEncodable("a choice between messages")


def rebuilt(shape: Shape, machine: list[Ssa]) -> Emitted:
    """The value of this shape made of these parts, which are consumed."""
    match shape:
        case BoolShape():
            return Bool(machine.pop(0))
        case IntShape(low, high):
            return Int(machine.pop(0), low, high)
        case AtomShape(elements):
            return Atom(machine.pop(0), elements)
        case OptionalShape(of):
            return Optional(machine.pop(0), None if of == NEVER else rebuilt(of, machine))
        case RecordShape(fields):
            return Record(tuple(rebuilt(field, machine) for field in fields))
        case SetShape(of):
            return Set(machine.pop(0), of)
        case SeqShape(of, capacity):
            return Seq(machine.pop(0), machine.pop(0), of, capacity)
        case MapShape(key, of):
            return Map(machine.pop(0), key, of)
        case NeverShape():
            raise AssertionError("no value has this shape")
