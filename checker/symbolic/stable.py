"""Facts that stay true once they are, and what they rule out for ever: completions refused at any length.

A fact is a part of an outcome, or its negation, that is true after a crash. If no step of any state makes it false (one
question to z3 for each kind of label, as in ``induction.py``), it is true of every completion; and an outcome that
contradicts all such facts together has none, however long.

A step is asked about from a state with few pending records. That suffices for facts that mention neither disks nor
pending records nor messages: what a label does to the rest depends on no more than whether something is pending, and on
the one record that a crash leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from checker.symbolic.arbitrary import arbitrary_state
from checker.symbolic.circuit import Circuit
from checker.symbolic.consecution import verdict_of
from checker.symbolic.errors import NotEncodable
from checker.symbolic.expressions import Frame
from checker.symbolic.induction import Obligations, unbounded
from checker.symbolic.solve import Solver
from checker.symbolic.state import Shape
from checker.symbolic.watch import Asked, Query, Watch
from spec.state import State
from spec.system import (
    Binary,
    EndRecord,
    Expr,
    For,
    Layer,
    LetIn,
    MessagesIn,
    Operator,
    PendingCount,
    Place,
    Property,
    Read,
    StorageMode,
    System,
    Unary,
    UnaryOperator,
)
from spec.type_walk import descendants

JUNCTIONS = (Operator.AND, Operator.OR, Operator.IMPLIES)


def facts_of(outcomes: Sequence[Expr]) -> list[Expr]:
    """The parts of outcomes that are no junctions, and their negations, each once; without those that z3 cannot be
    asked about here."""
    found: dict[Any, Expr] = {}
    for outcome in outcomes:
        for part in _parts(outcome):
            if not _mentions_storage(part):
                found.setdefault(_shape(part, {}), part)
    return [fact for part in found.values() for fact in (part, Unary(UnaryOperator.NOT, part, part.sort))]


def _parts(expr: Expr) -> Iterator[Expr]:
    match expr:
        case Binary(operator, left, right) if operator in JUNCTIONS:
            yield from _parts(left)
            yield from _parts(right)
        case Unary(UnaryOperator.NOT, of):
            yield from _parts(of)
        case LetIn(name, value, body, sort):
            yield from (LetIn(name, value, part, sort) for part in _parts(body))
        case _:
            yield expr


def _mentions_storage(node: object) -> bool:
    return any(
        isinstance(part, PendingCount | MessagesIn) or (isinstance(part, Read) and part.layer is Layer.DISK)
        for part in descendants(node)
    )


def _shape(node: Any, names: dict[str, int]) -> Any:
    """The same for two expressions that differ in their places and in how they call what they bind."""
    if isinstance(node, tuple):
        return tuple(_shape(part, names) for part in node)
    if isinstance(node, Place):
        return None
    if is_dataclass(node) and not isinstance(node, type):
        parts = ((field.name, getattr(node, field.name)) for field in fields(node))
        return (type(node).__name__, *(_named(name, value, names) for name, value in parts))
    return node


def _named(field: str, value: Any, names: dict[str, int]) -> Any:
    return names.setdefault(value, len(names)) if field == "name" and isinstance(value, str) else _shape(value, names)


class Stable:
    """The stable facts of one system. Raises NotEncodable where no proof can be made of the system."""

    def __init__(self, system: System, start: State, watch: Watch) -> None:
        self.system, self.start, self.watch = _few_pending(system), start, watch
        bodies = (*(rule.body for rule in system.rules), *(kind.on_flush for kind in system.kinds))
        if _mentions_storage(bodies):
            raise NotEncodable("a ghost looks into a disk, at pending records or at messages")
        self.unbounded = unbounded(self.system)

    def stays(self, numbered: tuple[int, Expr]) -> tuple[bool, list[Asked]]:
        """Whether no step makes the fact false, and what z3 was asked for that; the watch is not told, for this may be
        another process."""
        number, fact = numbered
        watch = Watch(self.watch.deadline, None, self.watch.smt_out)
        bare = replace(self.system, invariants=(), action_invariants=())
        obligations = Obligations(bare, self.start, [Property(f"fact-{number}", fact)])
        for case in obligations.cases():
            verdict = verdict_of(obligations, case, watch)
            if verdict.unknown is not None or any(broken.property is not None for broken in verdict.broken):
                return False, watch.asked
        return True, watch.asked

    def excluded(self, facts: Sequence[Expr], goals: Sequence[Expr]) -> list[bool]:
        """Of each goal, whether no state has it and all the facts. Of one about storage or messages nothing is said:
        they are not as in the states that runs reach."""
        c, shape = Circuit(), Shape(self.unbounded)
        state, proper = arbitrary_state(c, shape, ())
        solver = Solver(c, self.watch)
        solver.require(proper)
        for fact in facts:
            frame = Frame(c, shape, state)
            solver.require(c.conjunction(frame.boolean(fact), frame.error ^ 1))
        found = []
        for goal in goals:
            if _mentions_storage(goal):
                found.append(False)
                continue
            frame = Frame(c, shape, state)
            value = frame.boolean(goal)
            asks = "a state of the facts that stay true, with this outcome"
            found.append(not solver.check(c.conjunction(value, frame.error ^ 1), query=Query("stable", asks)))
        return found


def _few_pending(system: System) -> System:
    """The system with room for as many pending records as a step can tell apart, where it has no bound."""
    if system.storage is not StorageMode.BUFFERED or system.bounds.pending is not None:
        return system
    bodies = (*(rule.body for rule in system.rules), *(kind.on_flush for kind in system.kinds))
    if any(isinstance(p, For) and any(isinstance(q, EndRecord) for q in descendants(p)) for p in descendants(bodies)):
        raise NotEncodable("a loop ends records")
    most = max(sum(isinstance(part, EndRecord) for part in descendants(body)) for body in bodies)
    return replace(system, bounds=replace(system.bounds, pending=2 + most))


__all__ = ["Stable", "facts_of"]
