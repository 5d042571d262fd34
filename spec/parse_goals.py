"""From the words of a command line to the syntax of goals: a condition, or a pattern of a label with a `when`.

``crash(s1, keep=0)`` is a call by its looks; whether it is a label or a function of the spec is for the spec to say, so
a goal is parsed as an expression, and ``type_goals`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from spec.diagnostics import Diagnostic
from spec.parse import parse_words
from spec.syntax import Expression, TypeExpression
from spec.system import Place


@dataclass(frozen=True, slots=True)
class GoalText:
    """``file``: what diagnostics call it, such as ``<goal>``."""

    text: str
    file: str


@dataclass(frozen=True, slots=True)
class GoalSyntax:
    of: Expression
    when: Expression | None


@dataclass(frozen=True, slots=True)
class SomeSyntax:
    name: str
    type: TypeExpression
    place: Place


def parse_goal(given: GoalText) -> tuple[GoalSyntax | None, tuple[Diagnostic, ...]]:
    """The goal, or what is wrong with its text."""
    tree, building, faults = parse_words(given.text, given.file, "goal")
    if tree is None:
        return None, faults
    from spec.parse_expressions import expression, parts

    of, when = parts(tree)
    found = GoalSyntax(expression(of, building), None if when is None else expression(when, building))
    return found, tuple(building.faults)


def parse_some(given: GoalText) -> tuple[tuple[SomeSyntax, ...], tuple[Diagnostic, ...]]:
    """``s in Server, w in Submission``: names and their types, or what is wrong with the text."""
    tree, building, faults = parse_words(given.text, given.file, "some")
    if tree is None:
        return (), faults
    from spec.parse_expressions import parts, type_

    found = []
    for binder in parts(parts(tree)[0]):
        name, domain = parts(binder)
        found.append(SomeSyntax(str(name), type_(domain, building), building.place(name)))
    return tuple(found), tuple(building.faults)
