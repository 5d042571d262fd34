"""Values as bits, and in another shape: ``packed`` and ``unpacked``, and ``converted``.

A value is given a wider shape, or a narrower one where it is known to fit.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_types import BIT, FALSE, I64, TRUE, number, register
from checker.explicit.emit_values import Atom, Bool, Emitted, Int, Map, Optional, Record, Seq, Set, zero
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
    position_of,
    values_of,
)


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
            return converted_atom(code, value, shape).index
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
            return converted_set(code, value, shape).mask
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


# ------------------------------------------------------------------------------------------------ converting


def converted(code: Code, value: Emitted, shape: Shape) -> Emitted:
    """The value with this shape, in which it is known to lie."""
    match value, shape:
        case Bool(), BoolShape():
            return value
        case Int(value_), IntShape(low, high):
            return Int(number(low) if low == high else value_, low, high)
        case Atom(), AtomShape():
            return converted_atom(code, value, shape)
        case Optional(present, of), OptionalShape(inner):
            return Optional(
                present, zero(inner) if of is None else converted(code, of, inner) if inner != NEVER else None
            )
        case Record(fields), RecordShape(inners):
            return Record(tuple(converted(code, f, inner) for f, inner in zip(fields, inners, strict=True)))
        case Set(), SetShape():
            return converted_set(code, value, shape)
        case Seq(), SeqShape():
            return _seq(code, value, shape)
        case Map(), MapShape():
            return _map(code, value, shape)
    raise AssertionError(f"converting {type(value).__name__} to {shape}")


def converted_atom(code: Code, atom: Atom, shape: AtomShape) -> Atom:
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


def converted_set(code: Code, value: Set, shape: SetShape) -> Set:
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
    slots = _repacked(code, value.slots, value.of, shape.of, min(value.capacity, shape.capacity), type_, value.length)
    used = code.mul(value.length, number(width))
    return Seq(value.length, code.both(slots, code.ones(type_, used)), shape.of, shape.capacity)


def _map(code: Code, value: Map, shape: MapShape) -> Map:
    if value.of == shape.of:
        return value
    type_ = register(count(shape.key) * bits(shape.of))
    return Map(_repacked(code, value.slots, value.of, shape.of, count(shape.key), type_), shape.key, shape.of)


def _repacked(code: Code, slots: Ssa, old: Shape, new: Shape, size: int, type_: Any, length: Ssa | None = None) -> Ssa:
    """Elements beyond the length, if there is one, may not fit; the caller masks them."""
    result = ir.Constant(type_, 0)
    for i in range(size):
        element = unpacked(code, part_of(code, slots, number(i * bits(old)), old), old)
        with code.only_if(lambda i=i: TRUE if length is None else code.is_less(number(i), length)):  # type: ignore[misc]
            part = code.resize(packed(code, converted(code, element, new), new), type_)
        result = code.either(result, code.shift_left(part, ir.Constant(type_, i * bits(new))))
    return result
