"""What a block of statements may do, told before it runs: the variables it changes, the messages it sends at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checker.explicit.errors import NotEncodable
from checker.explicit.shapes import count, shape_of
from spec import system as nodes
from spec.sorts import MessageSort, SetSort
from spec.system import Operator
from spec.type_sorts import always_within


def all_statements(block: nodes.Block) -> Iterator[nodes.Statement]:
    """Those of a block and of the blocks in it."""
    for statement in block:
        yield statement
        match statement:
            case nodes.If(_, then, otherwise):
                yield from all_statements(then)
                yield from all_statements(otherwise)
            case nodes.For(_, _, body):
                yield from all_statements(body)
            case _:
                pass


def assigned(block: nodes.Block) -> set[str]:
    """The variables that a block may change."""
    return {statement.variable for statement in all_statements(block) if isinstance(statement, nodes.Assign)}


def mentions(block: nodes.Block, kind: type[Any]) -> bool:
    """Whether a block has a statement of this kind."""
    return any(isinstance(statement, kind) for statement in all_statements(block))


def most_sends(block: nodes.Block, limit: int) -> int:
    """How many messages a block may send at most, as far as that is below a limit."""
    total = 0
    for statement in block:
        match statement:
            case nodes.Send():
                total += 1
            case nodes.If(_, then, otherwise):
                total += max(most_sends(then, limit), most_sends(otherwise, limit))
            case nodes.For(_, domain, body):
                sends = most_sends(body, limit)
                total += sends and sends * _most_elements(domain, limit)
    return min(total, limit)


def _most_elements(domain: nodes.Expr, limit: int) -> int:
    """How many elements a set may have. Its sort tells that of a stored set only: an expression's may lie outside."""
    match domain, domain.sort:
        case nodes.MakeSet(elements), _:
            return len(elements)
        case nodes.Binary(Operator.UNION, left, right), _:
            return _most_elements(left, limit) + _most_elements(right, limit)
        case nodes.Binary(Operator.DIFFERENCE | Operator.INTERSECT, left), _:
            return _most_elements(left, limit)
        case nodes.Literal(value), _:
            return len(value)
        case _, SetSort(of) if not isinstance(of, MessageSort) and always_within(domain, domain.sort):
            try:
                return count(shape_of(of))
            except NotEncodable:
                return limit
    return limit
