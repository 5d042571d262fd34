"""Evaluates what has a value before any state exists: bounds, capacities, settings and initial values."""

from __future__ import annotations

from collections.abc import Mapping

from spec.sorts import MapSort, MessageSort, RecordSort, Sort, Value, domain
from spec.system import (
    Binary,
    Checked,
    Expr,
    Field,
    IfElse,
    Index,
    IntRange,
    IsUp,
    LabelIs,
    LetIn,
    Literal,
    Local,
    MakeMap,
    MakeRecord,
    MakeSeq,
    MakeSet,
    MessagesIn,
    Operator,
    PendingCount,
    Quantified,
    Quantifier,
    Read,
    SetComprehension,
    Slice,
    Unary,
    UnaryOperator,
    Update,
    WithField,
    Wrap,
)
from spec.type_sorts import value_in


class ConstantError(Exception):
    """The expression has no value; the text says why."""


Bindings = Mapping[str, Value]


def constant_value(expr: Expr, bindings: Bindings) -> Value:
    """The value of an expression that reads no state, with its free locals bound. Raises ConstantError."""
    match expr:
        case Literal(value):
            return value
        case Local(name):
            return bindings[name]
        case Wrap(of):
            return constant_value(of, bindings)
        case Checked(of, sort, what):
            value = constant_value(of, bindings)
            if not value_in(value, sort):
                raise ConstantError(f"{value} is not a value of {sort} ({what})")
            return value
        case IfElse(condition, then, otherwise):
            return constant_value(then if constant_value(condition, bindings) else otherwise, bindings)
        case LetIn(name, value, body):
            return constant_value(body, {**bindings, name: constant_value(value, bindings)})
        case Unary(operator, of):
            return _unary(operator, constant_value(of, bindings))
        case Binary():
            return _binary(expr, bindings)
        case MakeSet(elements):
            return frozenset(constant_value(element, bindings) for element in elements)
        case MakeSeq(elements) | MakeRecord(elements):
            return tuple(constant_value(element, bindings) for element in elements)
        case MakeMap(name, value, sort):
            assert isinstance(sort, MapSort)
            return tuple(constant_value(value, {**bindings, name: key}) for key in domain(sort.key))
        case IntRange(low, high):
            return frozenset(range(constant_value(low, bindings), constant_value(high, bindings) + 1))
        case Quantified(quantifier, name, over, body):
            found = (constant_value(body, {**bindings, name: value}) for value in constant_value(over, bindings))
            return all(found) if quantifier is Quantifier.FORALL else any(found)
        case SetComprehension(name, over, condition, value):
            inner = ({**bindings, name: element} for element in constant_value(over, bindings))
            return frozenset(constant_value(value, each) for each in inner if constant_value(condition, each))
        case Index(of, key):
            return constant_value(of, bindings)[_position(of.sort, constant_value(of, bindings), constant_value(key, bindings))]
        case Slice(of, low, high):
            sequence, first, last = (constant_value(part, bindings) for part in (of, low, high))
            if last >= first and not (first >= 1 and last <= len(sequence)):
                raise ConstantError(f"there is no [{first}..{last}] in a sequence of {len(sequence)}")
            return sequence[first - 1 : last] if last >= first else ()
        case Update(of, key, value):
            whole = list(constant_value(of, bindings))
            whole[_position(of.sort, tuple(whole), constant_value(key, bindings))] = constant_value(value, bindings)
            return tuple(whole)
        case Field(of, name):
            return constant_value(of, bindings)[_field(of.sort, name)]
        case WithField(of, name, value):
            record = list(constant_value(of, bindings))
            record[_field(of.sort, name)] = constant_value(value, bindings)
            return tuple(record)
        case Read() | IsUp() | PendingCount() | MessagesIn() | LabelIs():
            raise AssertionError(f"the type checker lets no state into a constant expression: {expr}")


def _field(sort: Sort, name: str) -> int:
    assert isinstance(sort, RecordSort | MessageSort)
    return sort.field_position(name) if isinstance(sort, MessageSort) else [n for n, _ in sort.fields].index(name)


def _position(sort: Sort, whole: tuple[Value, ...], key: Value) -> int:
    """Where ``key`` stands in the tuple of a map or (1-based) sequence."""
    if isinstance(sort, MapSort):
        keys = domain(sort.key)
        if key not in keys:
            raise ConstantError(f"{key} is not a key of {sort}")
        return keys.index(key)
    if not 1 <= key <= len(whole):
        raise ConstantError(f"there is no [{key}] in a sequence of {len(whole)}")
    return int(key) - 1


def _unary(operator: UnaryOperator, value: Value) -> Value:
    match operator:
        case UnaryOperator.NOT:
            return not value
        case UnaryOperator.NEGATE:
            return -value
        case UnaryOperator.LENGTH | UnaryOperator.SIZE:
            return len(value)
        case UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM:
            if not value:
                raise ConstantError(f"the {operator.value} of an empty set")
            return min(value) if operator is UnaryOperator.MINIMUM else max(value)
        case UnaryOperator.UNWRAP:
            if value is None:
                raise ConstantError("`the` of none")
            return value


def _binary(expr: Binary, bindings: Bindings) -> Value:
    left = constant_value(expr.left, bindings)
    match expr.operator:
        case Operator.AND:
            return left and constant_value(expr.right, bindings)
        case Operator.OR:
            return left or constant_value(expr.right, bindings)
        case Operator.IMPLIES:
            return not left or constant_value(expr.right, bindings)
    right = constant_value(expr.right, bindings)
    match expr.operator:
        case Operator.ADD | Operator.CONCAT:
            return left + right
        case Operator.SUBTRACT | Operator.DIFFERENCE:
            return left - right
        case Operator.MULTIPLY:
            return left * right
        case Operator.DIVIDE | Operator.MODULO:
            if right == 0:
                raise ConstantError("division by zero")
            return left // right if expr.operator is Operator.DIVIDE else left % right
        case Operator.MIN:
            return min(left, right)
        case Operator.MAX:
            return max(left, right)
        case Operator.LESS:
            return left < right
        case Operator.LESS_EQUAL:
            return left <= right
        case Operator.GREATER:
            return left > right
        case Operator.GREATER_EQUAL:
            return left >= right
        case Operator.EQUAL:
            return left == right
        case Operator.NOT_EQUAL:
            return left != right
        case Operator.IN:
            return left in right
        case Operator.SUBSET:
            return left <= right
        case Operator.UNION:
            return left | right
        case Operator.INTERSECT:
            return left & right
