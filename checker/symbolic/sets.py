"""Operations on sets: masks over the values that they may have, or lists of messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.numbers import Number, by_cases
from checker.symbolic.values import Members, MessageSet, Symbolic, cases, includes, messages_of
from spec.sorts import Sort
from spec.system import Operator


def members_of(c: Circuit, elements: Iterable[tuple[Bit, Symbolic]], of: Sort) -> Members:
    """The set of these values, each where its condition holds."""
    members: dict[Any, Bit] = {}
    for there, value in elements:
        for key, here in cases(c, value, of):
            members[key] = c.disjunction(members.get(key, FALSE), c.conjunction(there, here))
    return _ordered(members)


def _ordered(members: dict[Any, Bit]) -> Members:
    """Ints ascending; other keys are put in order where the order matters."""
    if all(isinstance(key, int) for key in members):
        return Members(dict(sorted(members.items())))
    return Members(members)


def set_operation(c: Circuit, operator: Operator, left: Symbolic, right: Symbolic) -> Members:
    if not (isinstance(left, Members) and isinstance(right, Members)):
        raise NotEncodable(f"{operator.value} of sets of messages")
    a, b = left.members, right.members
    match operator:
        case Operator.UNION:
            return _ordered({key: c.disjunction(a.get(key, FALSE), b.get(key, FALSE)) for key in {**a, **b}})
        case Operator.INTERSECT:
            return Members({key: c.conjunction(bit, b[key]) for key, bit in a.items() if key in b})
        case Operator.DIFFERENCE:
            return Members({key: c.conjunction(bit, b.get(key, FALSE) ^ 1) for key, bit in a.items()})
    raise AssertionError(operator)


def included(c: Circuit, left: Symbolic, right: Symbolic) -> Bit:
    if isinstance(left, MessageSet) or isinstance(right, MessageSet):
        return includes(c, messages_of(right), messages_of(left))
    assert isinstance(left, Members)
    assert isinstance(right, Members)
    return c.every(c.implies(bit, right.members.get(key, FALSE)) for key, bit in left.members.items())


def extreme(c: Circuit, members: dict[int, Bit], *, largest: bool) -> Number:
    """The least or the largest member; of the empty set, anything."""
    chosen: dict[int, Bit] = {}
    before: Bit = FALSE
    for key in sorted(members, reverse=largest):
        chosen[key] = c.conjunction(members[key], before ^ 1)
        before = c.disjunction(before, members[key])
    return by_cases(c, chosen)
