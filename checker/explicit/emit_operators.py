"""Operators as code: logic that evaluates its right side only where the left does not decide, and arithmetic."""

from __future__ import annotations

from checker.explicit.emit_comparing import equal
from checker.explicit.emit_evaluation import Evaluation, is_simple
from checker.explicit.emit_messages import count_messages
from checker.explicit.emit_sequences import concatenated
from checker.explicit.emit_sets import is_empty, is_in, set_operation, size_of
from checker.explicit.emit_types import FALSE, TRUE, known, number
from checker.explicit.emit_values import Bool, Emitted, Int, Optional, Seq, Set, zero
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import NEVER, IntShape, shape_of
from spec import system as nodes
from spec.sorts import IntSort, Sort
from spec.system import Operator, UnaryOperator


def unary(evaluation: Evaluation, node: nodes.Unary) -> Emitted:
    code, operator = evaluation.code, node.operator
    if operator is UnaryOperator.SIZE and isinstance(node.of, nodes.MessagesIn):
        return count_messages(evaluation, node.of)
    if operator is UnaryOperator.SIZE and isinstance(node.of, nodes.IntRange):
        low, high = evaluation.integer(node.of.low), evaluation.integer(node.of.high)
        size = code.sub(code.add(high.number, number(1)), low.number)
        most = max(0, high.high - low.low + 1)
        return Int(code.select(code.is_less(size, number(0)), number(0), size), 0, most)
    of = evaluation.value(node.of)
    match operator, of:
        case UnaryOperator.NOT, Bool(bit):
            return Bool(code.negation(bit))
        case UnaryOperator.NEGATE, Int(value, low_, high_):
            return _int(code.sub(number(0), value), -high_, -low_)
        case UnaryOperator.LENGTH, Seq(length, _, _, capacity):
            return Int(length, 0, capacity)
        case UnaryOperator.SIZE, Set():
            return size_of(code, of)
        case ((UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM), Set(mask, shape)):
            evaluation.fail_unless(code.negation(is_empty(code, of)))
            if not isinstance(shape, IntShape):
                assert shape == NEVER
                return Int(number(0), 0, 0)
            at = code.lowest(mask) if operator is UnaryOperator.MINIMUM else code.highest(mask)
            return Int(code.add(at, number(shape.low)), shape.low, shape.high)
        case UnaryOperator.UNWRAP, Optional(present, inner):
            evaluation.fail_unless(present)
            return _unreachable(node.sort) if inner is None else inner
    raise AssertionError(f"{operator} of {type(of).__name__}")


def binary(evaluation: Evaluation, node: nodes.Binary) -> Emitted:
    operator = node.operator
    if operator in (Operator.AND, Operator.OR, Operator.IMPLIES):
        return _logic(evaluation, operator, node.left, node.right)
    if operator is Operator.IN:
        return Bool(is_in(evaluation, node.left, node.right))
    left, right = evaluation.value(node.left), evaluation.value(node.right)
    match operator:
        case Operator.EQUAL:
            return Bool(equal(evaluation.code, left, right))
        case Operator.NOT_EQUAL:
            return Bool(evaluation.code.negation(equal(evaluation.code, left, right)))
        case Operator.SUBSET | Operator.UNION | Operator.INTERSECT | Operator.DIFFERENCE:
            assert isinstance(left, Set)
            assert isinstance(right, Set)
            return set_operation(evaluation.code, operator, left, right)
        case Operator.CONCAT:
            assert isinstance(left, Seq)
            assert isinstance(right, Seq)
            return concatenated(evaluation.code, left, right)
    assert isinstance(left, Int)
    assert isinstance(right, Int)
    return _arithmetic(evaluation, operator, left, right)


def _logic(evaluation: Evaluation, operator: Operator, left: nodes.Expr, right: nodes.Expr) -> Emitted:
    code = evaluation.code
    first = evaluation.boolean(left)
    if operator is Operator.IMPLIES:
        first = code.negation(first)
    decides = operator is not Operator.AND  # the value of the left side that decides, and the result then
    if known(first) is not None:
        return Bool(first) if bool(known(first)) == decides else Bool(evaluation.boolean(right))
    if is_simple(right):
        second = evaluation.boolean(right)
        return Bool(code.disjunction(first, second) if decides else code.conjunction(first, second))
    before, more, after = code.b.block, code.block(), code.block()
    code.b.cbranch(first, after, more) if decides else code.b.cbranch(first, more, after)
    code.b.position_at_end(more)
    second = evaluation.boolean(right)
    end = code.b.block
    code.b.branch(after)
    code.b.position_at_end(after)
    phi = code.b.phi(TRUE.type)
    phi.add_incoming(TRUE if decides else FALSE, before)
    phi.add_incoming(second, end)
    return Bool(phi)


def _arithmetic(evaluation: Evaluation, operator: Operator, left: Int, right: Int) -> Emitted:
    code, a, b = evaluation.code, left.number, right.number
    match operator:
        case Operator.ADD:
            return _int(code.add(a, b), left.low + right.low, left.high + right.high)
        case Operator.SUBTRACT:
            return _int(code.sub(a, b), left.low - right.high, left.high - right.low)
        case Operator.MULTIPLY:
            corners = [x * y for x in (left.low, left.high) for y in (right.low, right.high)]
            return _int(code.mul(a, b), min(corners), max(corners))
        case Operator.MIN:
            lower = code.is_less(a, b)
            return Int(code.select(lower, a, b), min(left.low, right.low), min(left.high, right.high))
        case Operator.MAX:
            higher = code.is_less(b, a)
            return Int(code.select(higher, a, b), max(left.low, right.low), max(left.high, right.high))
        case Operator.LESS:
            return Bool(code.is_less(a, b))
        case Operator.LESS_EQUAL:
            return Bool(code.is_less_equal(a, b))
        case Operator.GREATER:
            return Bool(code.is_less(b, a))
        case Operator.GREATER_EQUAL:
            return Bool(code.is_less_equal(b, a))
    return _division(evaluation, operator, left, right)


def _division(evaluation: Evaluation, operator: Operator, left: Int, right: Int) -> Emitted:
    """Floor division and its remainder, which has the divisor's sign."""
    code, a, b = evaluation.code, left.number, right.number
    evaluation.fail_unless(code.negation(code.is_equal(b, number(0))))
    quotient, remainder = code.b.sdiv(a, b), code.b.srem(a, b)
    there = code.negation(code.is_equal(remainder, number(0)))
    opposite = code.is_less(code.b.xor(remainder, b), number(0))
    down = code.both(there, opposite)
    if operator is Operator.MODULO:
        result = code.select(down, code.add(remainder, b), remainder)
        return _int(result, min(0, right.low + 1), max(0, right.high - 1))
    result = code.select(down, code.sub(quotient, number(1)), quotient)
    most = max(abs(left.low), abs(left.high))
    low = 0 if left.low >= 0 and right.low >= 0 else -most
    return _int(result, low, most)


def _int(value: Ssa, low: int, high: int) -> Int:
    IntShape(low, high)  # raises NotEncodable if 64 bits may not hold it
    return Int(number(low) if low == high else value, low, high)


def _unreachable(sort: Sort) -> Emitted:
    """Some value, after an evaluation that has failed."""
    found = zero(IntShape(0, 0) if isinstance(sort, IntSort) else shape_of(sort))
    assert found is not None
    return found
