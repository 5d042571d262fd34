"""Sets as code: masks of the positions of their elements."""

from __future__ import annotations

from checker.explicit.emit_code import Code
from checker.explicit.emit_comparing import equal, lies_in
from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.emit_messages import message_is_in
from checker.explicit.emit_packing import converted
from checker.explicit.emit_positions import position
from checker.explicit.emit_types import FALSE, TRUE, number, register
from checker.explicit.emit_values import Bool, Emitted, Int, Message, Set, shape_of_emitted
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import NEVER, IntShape, SetShape, count, joined, joined_all, within
from spec import system as nodes
from spec.system import Operator


def make_set(code: Code, elements: list[Emitted]) -> Set:
    shape = joined_all([shape_of_emitted(element) for element in elements])
    type_ = register(count(shape))
    mask = ir.Constant(type_, 0)
    for element in elements:
        at = position(code, converted(code, element, shape), shape)
        mask = code.either(mask, code.shift_left(ir.Constant(type_, 1), at))
    return Set(mask, shape)


def int_range(code: Code, low: Int, high: Int) -> Set:
    if high.high < low.low:
        return Set(ir.Constant(register(0), 0), NEVER)
    shape = IntShape(low.low, high.high)
    type_ = register(count(shape))
    size = code.sub(code.add(high.number, number(1)), low.number)
    size = code.select(code.is_less(size, number(0)), number(0), size)
    first = code.sub(low.number, number(shape.low))
    # Where the range is empty, ``first`` may be beyond the mask.
    first = code.select(code.is_equal(size, number(0)), number(0), first)
    return Set(code.shift_left(code.ones(type_, size), first), shape)


def is_empty(code: Code, of: Set) -> Ssa:
    return code.is_equal(of.mask, ir.Constant(of.mask.type, 0))


def size_of(code: Code, of: Set) -> Int:
    return Int(code.ones_in(of.mask), 0, count(of.of))


def set_operation(code: Code, operator: Operator, left: Set, right: Set) -> Emitted:
    shape = joined(left.of, right.of)
    a, b = converted(code, left, SetShape(shape)), converted(code, right, SetShape(shape))
    assert isinstance(a, Set)
    assert isinstance(b, Set)
    ones = ir.Constant(a.mask.type, (1 << count(shape)) - 1)
    match operator:
        case Operator.UNION:
            return Set(code.either(a.mask, b.mask), shape)
        case Operator.INTERSECT:
            return Set(code.both(a.mask, b.mask), shape)
    without = code.both(a.mask, code.b.xor(b.mask, ones))
    if operator is Operator.SUBSET:
        return Bool(code.is_equal(without, ir.Constant(without.type, 0)))
    return Set(without, shape)


def is_in(evaluation: Evaluation, left: nodes.Expr, right: nodes.Expr) -> Ssa:
    code = evaluation.code
    element = evaluation.value(left)
    if isinstance(right, nodes.MessagesIn):
        assert isinstance(element, Message)
        return message_is_in(evaluation, element, right)
    if isinstance(right, nodes.IntRange):
        low, high = evaluation.integer(right.low), evaluation.integer(right.high)
        assert isinstance(element, Int)
        above = code.is_less_equal(low.number, element.number)
        return code.both(above, code.is_less_equal(element.number, high.number))
    if isinstance(right, nodes.MakeSet):
        result: Ssa = FALSE
        for member in [evaluation.value(node) for node in right.elements]:
            result = code.either(result, equal(code, element, member))
        return result
    members = evaluation.value(right)
    assert isinstance(members, Set)
    if members.of == NEVER:
        return FALSE
    inside = TRUE if within(shape_of_emitted(element), members.of) else lies_in(code, element, members.of)
    at = position(code, converted(code, element, members.of), members.of)
    at = code.select(inside, at, number(0))
    there = code.resize(code.low_bits(code.shift_right(members.mask, at), 1), TRUE.type)
    return code.conjunction(inside, there)
