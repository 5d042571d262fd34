"""A system in which no order of a symmetric set's elements hides a failure: what only stored states need.

`exists` and `forall` end at the first element that decides. If another one's evaluation fails, it depends on the order
of the elements whether that shows; of the states that differ in the order only one is looked at. So here all elements
are evaluated, and any failure is one. Whether the real run that leads there fails too, the evaluator says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spec.sorts import BOOL, SetSort
from spec.system import (
    Binary,
    Checked,
    Expr,
    Index,
    Literal,
    MessagesIn,
    Operator,
    Quantified,
    Quantifier,
    SetComprehension,
    Slice,
    System,
    Unary,
    UnaryOperator,
    Update,
)
from spec.type_loops import is_symmetric
from spec.type_walk import descendants, rebuilt

_SOME = SetSort(BOOL)


def in_every_order(system: System) -> System:
    """The same system, except that a quantifier over a symmetric set fails if it does for any of its elements."""
    return replace(
        system,
        rules=tuple(replace(rule, body=rebuilt(rule.body, _whole)) for rule in system.rules),
        kinds=tuple(replace(kind, on_flush=rebuilt(kind.on_flush, _whole)) for kind in system.kinds),
        invariants=rebuilt(system.invariants, _whole),
        action_invariants=rebuilt(system.action_invariants, _whole),
        sometimes=rebuilt(system.sometimes, _whole),
        constraints=rebuilt(system.constraints, _whole),
    )


def _whole(node: Any) -> Any:
    """A quantifier as the question whether a set is empty, whose elements are all evaluated."""
    if not isinstance(node, Quantified):
        return node
    if not (isinstance(node.domain, MessagesIn) or is_symmetric(node.domain.sort)) or not may_fail(node.body):
        return node
    wanted = node.quantifier is Quantifier.EXISTS
    condition: Expr = node.body if wanted else Unary(UnaryOperator.NOT, node.body, BOOL)
    found = SetComprehension(node.name, node.domain, condition, Literal(True, BOOL), _SOME)
    operator = Operator.NOT_EQUAL if wanted else Operator.EQUAL
    return Binary(operator, found, Literal(frozenset(), _SOME), BOOL)


def may_fail(expr: Expr) -> bool:
    """Whether its evaluation may fail, as far as its form tells."""
    for node in descendants(expr):
        match node:
            case Index() | Slice() | Update() | Checked():
                return True
            case Unary(UnaryOperator.UNWRAP | UnaryOperator.MINIMUM | UnaryOperator.MAXIMUM):
                return True
            case Binary(Operator.DIVIDE | Operator.MODULO):
                return True
    return False
