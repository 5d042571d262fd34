"""Values of the spec in emitted code: scalars and records by their parts, sets, sequences and maps as packed bits.

Each value knows its shape. ``converted`` gives it another one, narrower too where it is known to fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from checker.explicit.emit_code import BIT, FALSE, I64, TRUE, Code, known, number, register
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
    joined,
    pack,
    position_of,
    shape_of,
    shape_of_value,
    values_of,
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


# ---------------------------------------------------------------------------------------- packing, unpacking


def packed(code: Code, value: Emitted, shape: Shape) -> Ssa:
    """The bits of a value that lies in the shape, zero above them."""
    return code.fits(_packed(code, value, shape), bits(shape), f"a packed {type(value).__name__}")


def _packed(code: Code, value: Emitted, shape: Shape) -> Ssa:
    type_ = register(bits(shape))
    match value, shape:
        case Bool(bit), BoolShape():
            return code.resize(bit, type_)
        case Int(value_), IntShape(low, high):
            return number(0) if low == high else code.sub(value_, number(low))
        case Atom(), AtomShape():
            return _atom(code, value, shape).index
        case Optional(present, of), OptionalShape(inner):
            if of is None or bits(inner) == 0:
                return code.resize(present, type_)
            with code.only_if(lambda: present):
                payload = code.resize(packed(code, of, inner), type_)
            both = code.either(code.shift_left(payload, ir.Constant(type_, 1)), ir.Constant(type_, 1))
            return code.select(present, both, ir.Constant(type_, 0))
        case Record(fields), RecordShape(inners):
            result, at = ir.Constant(type_, 0), 0
            for field, inner in zip(fields, inners, strict=True):
                part = code.resize(packed(code, field, inner), type_)
                result = code.either(result, code.shift_left(part, ir.Constant(type_, at)))
                at += bits(inner)
            return result
        case Set(), SetShape():
            return _set(code, value, shape).mask
        case Seq(), SeqShape(_, capacity):
            seq = _seq(code, value, shape)
            length = code.resize(seq.length, type_)
            at = ir.Constant(type_, capacity.bit_length())
            return code.either(length, code.shift_left(code.resize(seq.slots, type_), at))
        case Map(), MapShape():
            return _map(code, value, shape).slots
    raise AssertionError(f"packing {type(value).__name__} as {shape}")


def unpacked(code: Code, source: Ssa, shape: Shape) -> Emitted:
    """The value whose bits these are, and nothing else above them."""
    match shape:
        case BoolShape():
            return Bool(code.resize(source, BIT))
        case IntShape(low, high):
            return Int(number(low) if low == high else code.add(code.resize(source, I64), number(low)), low, high)
        case AtomShape(elements):
            return Atom(number(0) if len(elements) <= 1 else code.resize(source, I64), elements)
        case OptionalShape(of):
            present = code.resize(source, BIT)
            if isinstance(of, NeverShape):
                return Optional(FALSE, None)
            payload = code.shift_right(source, ir.Constant(source.type, 1))
            return Optional(present, unpacked(code, code.resize(payload, register(bits(of))), of))
        case RecordShape(fields):
            parts, at = [], 0
            for field in fields:
                parts.append(unpacked(code, part_of(code, source, number(at), field), field))
                at += bits(field)
            return Record(tuple(parts))
        case SetShape(of):
            return Set(code.resize(source, register(count(of))), of)
        case SeqShape(of, capacity):
            at = capacity.bit_length()
            length = code.resize(code.low_bits(source, at), I64)
            slots = code.shift_right(source, ir.Constant(source.type, at))
            return Seq(length, code.resize(slots, register(capacity * bits(of))), of, capacity)
        case MapShape(key, of):
            return Map(code.resize(source, register(count(key) * bits(of))), key, of)
        case NeverShape():
            raise AssertionError("no value has this shape")


def part_of(code: Code, source: Ssa, at: Ssa, shape: Shape) -> Ssa:
    """The bits of a value of the shape that stand in ``source`` from bit ``at`` on."""
    width = bits(shape)
    if width == 0:
        return ir.Constant(register(0), 0)
    shifted = code.shift_right(source, at)
    return code.low_bits(code.resize(shifted, register(width)), width)


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


# ------------------------------------------------------------------------------------------------ converting


def converted(code: Code, value: Emitted, shape: Shape) -> Emitted:
    """The value with this shape, in which it is known to lie."""
    match value, shape:
        case Bool(), BoolShape():
            return value
        case Int(value_), IntShape(low, high):
            return Int(number(low) if low == high else value_, low, high)
        case Atom(), AtomShape():
            return _atom(code, value, shape)
        case Optional(present, of), OptionalShape(inner):
            return Optional(
                present, zero(inner) if of is None else converted(code, of, inner) if inner != NEVER else None
            )
        case Record(fields), RecordShape(inners):
            return Record(tuple(converted(code, f, inner) for f, inner in zip(fields, inners, strict=True)))
        case Set(), SetShape():
            return _set(code, value, shape)
        case Seq(), SeqShape():
            return _seq(code, value, shape)
        case Map(), MapShape():
            return _map(code, value, shape)
    raise AssertionError(f"converting {type(value).__name__} to {shape}")


def _atom(code: Code, atom: Atom, shape: AtomShape) -> Atom:
    if atom.elements == shape.elements:
        return atom
    place = {name: i for i, name in enumerate(shape.elements)}
    return Atom(mapped(code, atom.index, [place.get(name, 0) for name in atom.elements]), shape.elements)


def mapped(code: Code, index: Ssa, values: list[int]) -> Ssa:
    """``values[index]``, by an addition where that does it."""
    offset = values[0] if values else 0
    if all(value == offset + i for i, value in enumerate(values)):
        return code.add(index, number(offset))
    return code.table(values, I64, index)


def _set(code: Code, value: Set, shape: SetShape) -> Set:
    old, new = value.of, shape.of
    if old == new:
        return value
    type_ = register(count(new))
    if isinstance(old, NeverShape) or isinstance(new, NeverShape):
        return Set(ir.Constant(type_, 0), new)
    wide = register(max(count(old), count(new)))
    mask, result = code.resize(value.mask, wide), ir.Constant(wide, 0)
    for first, last, moved in _runs(old, new):
        part = code.both(mask, ir.Constant(wide, ((1 << last - first + 1) - 1) << first))
        by = ir.Constant(wide, abs(moved))
        result = code.either(result, code.shift_left(part, by) if moved >= 0 else code.shift_right(part, by))
    return Set(code.resize(result, type_), new)


def _runs(old: Shape, new: Shape) -> list[tuple[int, int, int]]:
    """First and last position of ``old``, and how far they are moved to be positions of ``new``."""
    runs: list[tuple[int, int, int]] = []
    if isinstance(old, IntShape) and isinstance(new, IntShape):
        low, high = max(old.low, new.low), min(old.high, new.high)
        return [(low - old.low, high - old.low, old.low - new.low)] if low <= high else []
    place = position_of(new)
    for position, value in enumerate(values_of(old)):
        if value not in place:
            continue
        moved = place[value] - position
        if runs and runs[-1][1] == position - 1 and runs[-1][2] == moved:
            runs[-1] = (runs[-1][0], position, moved)
        else:
            runs.append((position, position, moved))
    return runs


def _seq(code: Code, value: Seq, shape: SeqShape) -> Seq:
    width = bits(shape.of)
    type_ = register(shape.capacity * width)
    if value.of == shape.of or bits(value.of) == width == 0:
        return Seq(value.length, code.resize(value.slots, type_), shape.of, shape.capacity)
    if isinstance(value.of, NeverShape) or isinstance(shape.of, NeverShape):
        return Seq(value.length, ir.Constant(type_, 0), shape.of, shape.capacity)
    slots = _repacked(
        code, value.slots, value.of, shape.of, min(value.capacity, shape.capacity), type_, value.length
    )
    used = code.mul(value.length, number(width))
    return Seq(value.length, code.both(slots, code.ones(type_, used)), shape.of, shape.capacity)


def _map(code: Code, value: Map, shape: MapShape) -> Map:
    if value.of == shape.of:
        return value
    type_ = register(count(shape.key) * bits(shape.of))
    return Map(_repacked(code, value.slots, value.of, shape.of, count(shape.key), type_), shape.key, shape.of)


def _repacked(
    code: Code, slots: Ssa, old: Shape, new: Shape, size: int, type_: Any, length: Ssa | None = None
) -> Ssa:
    """Elements beyond the length, if there is one, may not fit; the caller masks them."""
    result = ir.Constant(type_, 0)
    for i in range(size):
        element = unpacked(code, part_of(code, slots, number(i * bits(old)), old), old)
        with code.only_if(lambda i=i: TRUE if length is None else code.is_less(number(i), length)):  # type: ignore[misc]
            part = code.resize(packed(code, converted(code, element, new), new), type_)
        result = code.either(result, code.shift_left(part, ir.Constant(type_, i * bits(new))))
    return result


# ------------------------------------------------------------------------------------- choosing and comparing


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


def chosen(code: Code, condition: Ssa, then: Emitted, otherwise: Emitted) -> Emitted:
    """One of two values that are both computed."""
    shape = joined(shape_of_emitted(then), shape_of_emitted(otherwise))
    first, second = parts(converted(code, then, shape)), parts(converted(code, otherwise, shape))
    return rebuilt(shape, [code.select(condition, a, b) for a, b in zip(first, second, strict=True)])


def equal(code: Code, left: Emitted, right: Emitted) -> Ssa:
    match left, right:
        case Bool(a), Bool(b):
            return code.is_equal(a, b)
        case Int(a, low, high), Int(b, other_low, other_high):
            return FALSE if high < other_low or other_high < low else code.is_equal(a, b)
        case Atom(), Atom():
            shape = joined(AtomShape(left.elements), AtomShape(right.elements))
            assert isinstance(shape, AtomShape)
            return code.is_equal(_atom(code, left, shape).index, _atom(code, right, shape).index)
        case Optional(there, of), Optional(other_there, other):
            same = code.is_equal(there, other_there)
            if of is None or other is None:
                return same
            inside = code.disjunction(code.negation(there), equal(code, of, other))
            return code.conjunction(same, inside)
        case Record(fields), Record(others):
            result: Ssa = TRUE
            for field, other_field in zip(fields, others, strict=True):
                result = code.both(result, equal(code, field, other_field))
            return result
        case Message(), Message():
            return code.is_equal(left.key, right.key)
    shape = joined(shape_of_emitted(left), shape_of_emitted(right))
    result = TRUE
    for a, b in zip(parts(converted(code, left, shape)), parts(converted(code, right, shape)), strict=True):
        result = code.both(result, code.is_equal(a, b))
    return result


def lies_in(code: Code, value: Emitted, shape: Shape) -> Ssa:
    """Whether a value is one of the shape. Only scalars, optionals and records of them; others must be within."""
    match value, shape:
        case Int(value_, low, high), IntShape(lowest, highest):
            above = TRUE if low >= lowest else code.is_less_equal(number(lowest), value_)
            below = TRUE if high <= highest else code.is_less_equal(value_, number(highest))
            return code.both(above, below)
        case Atom(index, elements), AtomShape(others):
            if set(elements) <= set(others):
                return TRUE
            return code.resize(code.table([int(name in others) for name in elements], I64, index), BIT)
        case Optional(present, of), OptionalShape(inner):
            if of is None:
                return TRUE
            return code.disjunction(code.negation(present), FALSE if inner == NEVER else lies_in(code, of, inner))
        case Record(fields), RecordShape(inners):
            result: Ssa = TRUE
            for field, inner in zip(fields, inners, strict=True):
                result = code.both(result, lies_in(code, field, inner))
            return result
        case Bool(), BoolShape():
            return TRUE
        case Map(_, key, of), MapShape(_, inner):
            result = TRUE
            for i in range(count(key)):
                result = code.both(result, lies_in(code, element_of(code, value, number(i)), inner))
            return result
        case Set(_, of), SetShape(inner):
            back = _set(code, _set(code, value, shape), SetShape(of))
            return code.is_equal(back.mask, value.mask)
        case Seq(length, _, of, capacity), SeqShape(inner, most):
            fits = TRUE if capacity <= most else code.is_less_equal(length, number(most))
            if inner == of or of == NEVER:
                return fits
            if inner == NEVER:
                return code.is_equal(length, number(0))
            for i in range(min(capacity, most)):
                beyond = code.is_less_equal(length, number(i))
                fits = code.both(
                    fits, code.disjunction(beyond, lies_in(code, element_of(code, value, number(i)), inner))
                )
            return fits
    raise AssertionError(f"{type(value).__name__} in {shape}")


# ------------------------------------------------------------------------------------------------- positions


def position(code: Code, value: Emitted, shape: Shape) -> Ssa:
    """Where a value of the shape stands in its domain."""
    match value, shape:
        case Bool(bit), BoolShape():
            return code.resize(bit, I64)
        case Int(value_), IntShape(low):
            return code.sub(value_, number(low))
        case Atom(), AtomShape():
            return _atom(code, value, shape).index
        case Optional(present, of), OptionalShape(inner):
            if of is None or inner == NEVER:
                return number(0)
            return code.select(present, code.add(position(code, of, inner), number(1)), number(0))
        case Record(fields), RecordShape(inners):
            result: Ssa = number(0)
            for field, inner in zip(fields, inners, strict=True):
                result = code.add(code.mul(result, number(count(inner))), position(code, field, inner))
            return result
    where = [0] * (1 << _table_bits(shape))
    for i, value_ in enumerate(values_of(shape)):
        where[pack(shape, value_)] = i
    return code.table(where, I64, code.resize(packed(code, value, shape), I64))


def at_position(code: Code, place: Ssa, shape: Shape) -> Emitted:
    """The value that stands there in the shape's domain."""
    match shape:
        case BoolShape():
            return Bool(code.resize(place, BIT))
        case IntShape(low, high):
            return Int(code.add(place, number(low)), low, high)
        case AtomShape(elements):
            return Atom(place, elements)
        case OptionalShape(of):
            present = code.is_less(number(0), place)
            inner = code.select(present, code.sub(place, number(1)), number(0))  # a table has no row -1
            return Optional(present, None if of == NEVER else at_position(code, inner, of))
        case RecordShape(fields):
            found: list[Emitted] = []
            rest = place
            for field in reversed(fields):
                size = number(count(field))
                last = len(found) == len(fields) - 1
                found.append(at_position(code, rest if last else code.b.urem(rest, size), field))
                rest = rest if last else code.b.udiv(rest, size)
            return Record(tuple(reversed(found)))
    _table_bits(shape)
    bits_at = code.table([pack(shape, value) for value in values_of(shape)], I64, place)
    return unpacked(code, bits_at, shape)


def _table_bits(shape: Shape) -> int:
    if bits(shape) > 16:
        raise NotEncodable("a set or a map over collections of more than 16 bits")
    return bits(shape)


def element_of(code: Code, value: Seq | Map, place: Ssa) -> Emitted:
    """The element in a slot that there is."""
    width = bits(value.of)
    return unpacked(code, part_of(code, value.slots, code.mul(place, number(width)), value.of), value.of)


def with_element(code: Code, value: Seq | Map, place: Ssa, element: Emitted) -> Seq | Map:
    """The same with another element, which lies in the elements' shape, in a slot that there is."""
    width, type_ = bits(value.of), value.slots.type
    at = code.mul(place, number(width))
    hole = code.shift_left(code.mask(type_, width), at)
    ones = ir.Constant(type_, (1 << type_.width) - 1)
    rest = code.both(value.slots, code.b.xor(hole, ones))
    new = code.shift_left(code.resize(packed(code, element, value.of), type_), at)
    slots = code.either(rest, new)
    if isinstance(value, Seq):
        return Seq(value.length, slots, value.of, value.capacity)
    return Map(slots, value.key, value.of)


def is_known(value: Emitted) -> bool:
    return not isinstance(value, Message) and all(known(part) is not None for part in parts(value))


__all__ = ["Emitted", "constant", "converted", "shape_of"]
