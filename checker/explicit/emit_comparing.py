"""Two values compared or chosen between, and whether a value lies in a shape."""

from __future__ import annotations

from checker.explicit.emit_code import Code
from checker.explicit.emit_packing import converted, converted_atom, converted_set
from checker.explicit.emit_positions import element_of
from checker.explicit.emit_types import BIT, FALSE, I64, TRUE, number
from checker.explicit.emit_values import (
    Atom,
    Bool,
    Emitted,
    Int,
    Map,
    Message,
    Optional,
    Record,
    Seq,
    Set,
    parts,
    rebuilt,
    shape_of_emitted,
)
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import (
    NEVER,
    AtomShape,
    BoolShape,
    IntShape,
    MapShape,
    OptionalShape,
    RecordShape,
    SeqShape,
    SetShape,
    Shape,
    count,
    joined,
)


def equal(code: Code, left: Emitted, right: Emitted) -> Ssa:
    match left, right:
        case Bool(a), Bool(b):
            return code.is_equal(a, b)
        case Int(a, low, high), Int(b, other_low, other_high):
            return FALSE if high < other_low or other_high < low else code.is_equal(a, b)
        case Atom(), Atom():
            shape = joined(AtomShape(left.elements), AtomShape(right.elements))
            assert isinstance(shape, AtomShape)
            return code.is_equal(converted_atom(code, left, shape).index, converted_atom(code, right, shape).index)
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


def chosen(code: Code, condition: Ssa, then: Emitted, otherwise: Emitted) -> Emitted:
    """One of two values that are both computed."""
    shape = joined(shape_of_emitted(then), shape_of_emitted(otherwise))
    first, second = parts(converted(code, then, shape)), parts(converted(code, otherwise, shape))
    return rebuilt(shape, [code.select(condition, a, b) for a, b in zip(first, second, strict=True)])


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
            back = converted_set(code, converted_set(code, value, shape), SetShape(of))
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
