"""A run of symbolic steps from a concrete state, or any of several, as long as asked for."""

from __future__ import annotations

from typing import TypeAlias

from checker.explicit.every_order import in_every_order
from checker.symbolic.batch import any_of
from checker.symbolic.choices import IDLE, possible_kinds
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.expressions import Frame
from checker.symbolic.macros import MacroStep, macro_step
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.transition import Step, step
from checker.symbolic.values import constant
from spec.sorts import Sort, Value
from spec.state import State
from spec.system import Expr, Grain, System

Bound: TypeAlias = dict[str, tuple[Value, Sort]]
"""Names that an expression takes from outside (the tracked element, …), with their values."""


class Unrolling:
    """``states[i]`` is the state after ``steps[:i]``; since the start is concrete, the first steps fold to little.

    Of several starts ``index`` says which; ``proper``: that it says one of them. ``every_order``: an evaluation that
    fails in any order of a symmetric set's elements fails."""

    def __init__(self, system: System, *starts: State, every_order: bool = False) -> None:
        self.circuit = Circuit()
        self.shape = Shape(in_every_order(system) if every_order else system, every_order=every_order)
        first, self.index, self.proper = any_of(self.circuit, self.shape, starts)
        self.states: list[SymbolicState] = [first]
        self.steps: list[Step | MacroStep] = []

    def extend_to(self, length: int) -> None:
        while len(self.steps) < length:
            following: Step | MacroStep
            if self.shape.system.grain is Grain.MACRO:
                following = macro_step(self.circuit, self.shape, self.states[-1])
            else:
                kinds = possible_kinds(self.shape)
                following = step(self.circuit, self.shape, self.states[-1], kinds, reached=True)
            self.steps.append(following)
            self.states.append(following.after)

    def holds(self, expression: Expr, position: int, bound: Bound | None = None) -> tuple[Bit, Bit]:
        """A property of the state after ``position`` steps: whether it is true, and whether its evaluation fails."""
        return holds(self.circuit, self.shape, self.states[position], expression, bound)

    def step_holds(self, expression: Expr, position: int) -> tuple[Bit, Bit]:
        """An action invariant of step ``position`` (0 is the first): of each of its labels."""
        c, holds_, failed = self.circuit, TRUE, FALSE
        for taken in self.steps[position].micro:
            frame = Frame(c, self.shape, taken.after)
            frame.old = Frame(c, self.shape, taken.before)
            frame.label_is = taken.label_is
            value = frame.boolean(expression)
            idle = taken.label_is.get(IDLE.name, FALSE)
            holds_ = c.conjunction(holds_, c.disjunction(idle, value))
            failed = c.disjunction(failed, c.conjunction(idle ^ 1, frame.error))
        return holds_, failed


def holds(
    c: Circuit,
    shape: Shape,
    state: SymbolicState,
    expression: Expr,
    bound: Bound | None = None,
) -> tuple[Bit, Bit]:
    """Whether a property is true of a state, and whether its evaluation fails. ``bound``: names with their values."""
    frame = Frame(c, shape, state)
    for name, (value, sort) in (bound or {}).items():
        frame.local[name] = constant(value, sort)
    return frame.boolean(expression), frame.error
