"""How many messages can matter to a property: what it takes to make it true, or false.

A property that says "for every message …" stays true when messages are taken away, so a proof may look at a network of
few messages only: those that its steps deliver, and one *witness* for each "there is a message …" that a violation
takes. What says "there is a message …" of states that are assumed is refused: it would be lost with the others.
"""

from __future__ import annotations

from collections import Counter

from checker.symbolic.errors import NotEncodable
from checker.symbolic.layout import cached_domain
from spec.sorts import IntSort, SetSort
from spec.system import (
    Binary,
    Expr,
    IfElse,
    LetIn,
    MessagesIn,
    Operator,
    Quantified,
    Quantifier,
    Unary,
    UnaryOperator,
)
from spec.type_walk import descendants

Witnesses = Counter[str | None]
"""How many messages of each type; None: of any type."""


def mentions_messages(node: object) -> bool:
    return any(isinstance(part, MessagesIn) for part in descendants(node))


def witnesses(node: Expr, truth: bool) -> Witnesses:
    """How many messages suffice to make the expression ``truth``, whatever others there are. Raises NotEncodable."""
    if not mentions_messages(node):
        return Counter()
    match node:
        case Unary(UnaryOperator.NOT, of):
            return witnesses(of, not truth)
        case Binary(Operator.AND, left, right):
            return _joined(truth, witnesses(left, truth), witnesses(right, truth))
        case Binary(Operator.OR, left, right):
            return _joined(not truth, witnesses(left, truth), witnesses(right, truth))
        case Binary(Operator.IMPLIES, left, right):
            return _joined(not truth, witnesses(left, not truth), witnesses(right, truth))
        case Binary(Operator.IN, left, MessagesIn(message=message)) if not mentions_messages(left):
            return Counter({message: 1} if truth else {})
        case LetIn(_, value, body) if not mentions_messages(value):
            return witnesses(body, truth)
        case IfElse(condition, then, otherwise):
            return (witnesses(condition, True) + witnesses(then, truth)) | (
                witnesses(condition, False) + witnesses(otherwise, truth)
            )
        case Quantified():
            return _quantified(node, truth)
    raise NotEncodable("it counts or compares messages; say it with `forall m in network(…)`")


def _joined(both: bool, left: Witnesses, right: Witnesses) -> Witnesses:
    """Of both parts together, or of one of them, whichever it is."""
    return left + right if both else left | right


def _quantified(node: Quantified, truth: bool) -> Witnesses:
    one = truth is (node.quantifier is Quantifier.EXISTS)  # one element decides; otherwise each of them has its say
    inner = witnesses(node.body, truth)
    match node.domain:
        case MessagesIn(message=message):
            if one:
                return Counter({message: 1}) + inner
            if inner:
                raise NotEncodable("for every message it asks for another one")
            return Counter()
    if mentions_messages(node.domain):
        raise NotEncodable("it computes a set of messages; say it with `forall m in network(…)`")
    if one or not inner:
        return inner
    times = _size(node.domain)
    return Counter({message: count * times for message, count in inner.items()})


def _size(domain: Expr) -> int:
    """No fewer elements than the set can have."""
    sort = domain.sort
    assert isinstance(sort, SetSort)
    if isinstance(sort.of, IntSort) and (sort.of.low is None or sort.of.high is None):
        raise NotEncodable("for every number it asks for a message")
    return len(cached_domain(sort.of))


def refuse_lost(what: str, node: Expr) -> None:
    """Raises NotEncodable if the property, assumed, says that there is some message."""
    try:
        needed = witnesses(node, True)
    except NotEncodable as reason:
        raise NotEncodable(f"{what}: {reason}") from reason
    if needed:
        raise NotEncodable(
            f"{what} says that there is some message; a proof assumes of messages only what holds of all of them: "
            "keep in a ghost that it was sent"
        )
