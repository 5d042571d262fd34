"""Walks syntax and IR without knowing each node: what is in it, whatever it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spec.syntax import AtBlock, ForStatement, IfStatement, Name, NameType


def names_in(node: object) -> Iterator[str]:
    """Every plain name that the syntax mentions."""
    for part in descendants(node):
        if isinstance(part, Name | NameType):
            yield part.name


def statements_in(body: Iterable[object]) -> Iterator[Any]:
    """Every statement of a body, nested ones included."""
    for statement in body:
        yield statement
        match statement:
            case IfStatement():
                yield from statements_in((*statement.then, *statement.otherwise))
            case ForStatement() | AtBlock():
                yield from statements_in(statement.body)


def descendants(node: object) -> Iterator[object]:
    """The node and every node below it, in source order."""
    if isinstance(node, tuple):
        for element in node:
            yield from descendants(element)
    elif dataclasses.is_dataclass(node):
        yield node
        for item in dataclasses.fields(node):
            yield from descendants(getattr(node, item.name))


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """A copy with ``change`` applied to every node, children first."""
    if isinstance(node, tuple):
        return tuple(rebuilt(element, change) for element in node)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    parts = {item.name: rebuilt(getattr(node, item.name), change) for item in dataclasses.fields(node)}
    changed = any(parts[name] is not getattr(node, name) for name in parts)
    return change(dataclasses.replace(node, **parts) if changed else node)
