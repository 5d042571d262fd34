"""Arithmetic and comparison of numbers whose interval is known: exact, for the interval of the result is too."""

from __future__ import annotations

from typing import cast

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.numbers import Number, add, is_number, less, less_equal, ranged, subtract, tabulate
from checker.symbolic.values import Symbolic, choose
from spec.system import Operator


def arithmetic(c: Circuit, operator: Operator, left: Number, right: Number) -> tuple[Symbolic, Bit]:
    """The result, and whether there is none (a division by zero)."""
    match operator:
        case Operator.DIVIDE:
            return tabulate(c, left, right, lambda x, y: x // y if y else None), is_number(c, right, 0)
        case Operator.MODULO:
            return tabulate(c, left, right, lambda x, y: x % y if y else None), is_number(c, right, 0)
    return _total(c, operator, left, right), FALSE


def _total(c: Circuit, operator: Operator, left: Number, right: Number) -> Symbolic:
    match operator:
        case Operator.ADD:
            return add(c, left, right)
        case Operator.SUBTRACT:
            return subtract(c, left, right)
        case Operator.MULTIPLY:
            return tabulate(c, left, right, lambda x, y: x * y)
        case Operator.MIN:
            smaller = cast(Number, choose(c, less(c, left, right), left, right))
            return ranged(smaller, min(left.low, right.low), min(left.high, right.high))
        case Operator.MAX:
            larger = cast(Number, choose(c, less(c, left, right), right, left))
            return ranged(larger, max(left.low, right.low), max(left.high, right.high))
        case Operator.LESS:
            return less(c, left, right)
        case Operator.LESS_EQUAL:
            return less_equal(c, left, right)
        case Operator.GREATER:
            return less(c, right, left)
        case Operator.GREATER_EQUAL:
            return less_equal(c, right, left)
    raise AssertionError(operator)


def between(c: Circuit, low: Number, value: Number, high: Number) -> Bit:
    return c.conjunction(less_equal(c, low, value), less_equal(c, value, high))
