"""Where a value stands among all values of its shape, what stands at a position, and the elements of collections."""

from __future__ import annotations

from checker.explicit.emit_code import Code
from checker.explicit.emit_packing import converted_atom, packed, part_of, unpacked
from checker.explicit.emit_types import BIT, I64, number
from checker.explicit.emit_values import Atom, Bool, Emitted, Int, Map, Optional, Record, Seq
from checker.explicit.errors import NotEncodable
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import (
    NEVER,
    AtomShape,
    BoolShape,
    IntShape,
    OptionalShape,
    RecordShape,
    Shape,
    bits,
    count,
    pack,
    values_of,
)


def position(code: Code, value: Emitted, shape: Shape) -> Ssa:
    """Where a value of the shape stands in its domain."""
    match value, shape:
        case Bool(bit), BoolShape():
            return code.resize(bit, I64)
        case Int(value_), IntShape(low):
            return code.sub(value_, number(low))
        case Atom(), AtomShape():
            return converted_atom(code, value, shape).index
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
