"""Bounded search: the shortest run from a state that violates a property."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from checker.symbolic.circuit import Bit, Circuit
from checker.symbolic.decode import confirm
from checker.symbolic.depths import Depths, NoneWithin, Unknown
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import Property, System


@dataclass(frozen=True, slots=True)
class Violation:
    """``labels`` lead from the start to where ``property`` is violated; ``None``: their last one, or the evaluation of
    a property after it, is an evaluation error (``message``). Confirmed by the evaluator."""

    property: str | None
    message: str
    labels: tuple[Label, ...]
    states: tuple[State, ...]


def check(
    system: System,
    max_steps: int,
    *,
    start: State | None = None,
    only: str | None = None,
    watch: Watch | None = None,
) -> Violation | NoneWithin | Unknown:
    """A shortest violation of the system's invariants and action invariants, or evaluation error, from ``start``.

    ``only``: one property by name (evaluation errors are still found). KeyboardInterrupt comes through.
    """
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0] if start is None else start
    invariants = [p for p in system.invariants if only in (None, p.name)]
    actions = [p for p in system.action_invariants if only in (None, p.name)]
    asks = f"violates {only or 'a property'}, or ends in an evaluation error"
    depths = Depths(system, start, max_steps, watch or Watch(), "check", asks)
    found = next(depths.runs(lambda depth: _bad(depths.run, depth, invariants, actions)), None)
    return depths.ended if found is None else _violation(evaluator, start, *found, only)


def _bad(run: Unrolling, depth: int, invariants: Iterable[Property], actions: Iterable[Property]) -> Bit:
    c: Circuit = run.circuit
    wrong: list[Bit] = []
    for invariant in invariants:
        value, error = run.holds(invariant.expr, depth)
        wrong += [value ^ 1, error]
    if depth == 0:
        return c.some(wrong)
    last = run.steps[depth - 1]
    for action in actions:
        value, error = run.step_holds(action.expr, depth - 1)
        wrong += [value ^ 1, error]
    return c.disjunction(last.error, c.conjunction(last.taken, c.some(wrong)))


def _violation(
    evaluator: Evaluator, start: State, labels: tuple[Label, ...], states: tuple[State, ...], only: str | None
) -> Violation:
    """What the evaluator says is wrong at the end of the run; if it says nothing, the engines disagree."""
    try:
        replayed = confirm(evaluator.system, start, labels, states, evaluator)
    except EvaluationError as error:
        return Violation(None, str(error), labels, states[: len(labels) - 1])
    last = replayed[-1] if replayed else start
    try:
        broken = [(name, "invariant") for name in evaluator.violated(last)]
        if labels:
            before = replayed[-2] if len(replayed) > 1 else start
            broken += [(name, "action invariant") for name in evaluator.violated_by_step(before, labels[-1], last)]
    except EvaluationError as error:
        return Violation(None, str(error), labels, replayed)
    for name, what in broken:
        if only in (None, name):
            return Violation(name, f"{what} {name} is violated", labels, replayed)
    raise EnginesDisagree(len(labels), labels[-1] if labels else None, "no property is violated for the evaluator")
