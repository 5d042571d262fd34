"""Bounded search: the shortest run from a state that violates a property."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from checker.explicit.symmetry import NONE, symmetry_of
from checker.symbolic.circuit import Bit
from checker.symbolic.decode import confirm
from checker.symbolic.depths import Depths, FoundRun, NoneWithin, Unknown
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import System


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
    min_steps: int = 0,
) -> Violation | NoneWithin | Unknown:
    """A shortest violation of the system's invariants and action invariants, or evaluation error, from ``start``.

    ``only``: one property by name (evaluation errors are still found). ``min_steps``: z3 is not asked about shorter
    runs; the violation that is found may then not be a shortest one. KeyboardInterrupt comes through.
    """
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0] if start is None else start
    asks = f"violates {only or 'a property'}, or ends in an evaluation error"
    watch = watch or Watch()
    for symmetry in (symmetry_of(system), NONE):
        depths = Depths(system, start, max_steps, watch, "check", asks, symmetry, min_steps)
        found = next(depths.runs(partial(bad, depths.run, only=only)), None)
        if found is None:
            return depths.ended
        try:
            found = _up_to_the_first(evaluator, start, *found, only) if min_steps else found
            return confirmed(evaluator, start, *found, only)
        except EnginesDisagree:
            if not depths.alike:
                raise
            # An evaluation that fails in another order of a symmetric set's elements: once more, in their own order.
    raise AssertionError("the second search is without symmetry")


def bad(run: Unrolling, depth: int, only: str | None) -> Bit:
    """Whether a property is violated, or an evaluation fails, at the end of ``depth`` steps."""
    c, system = run.circuit, run.shape.system
    wrong: list[Bit] = []
    for invariant in (p for p in system.invariants if only in (None, p.name)):
        value, error = run.holds(invariant.expr, depth)
        wrong += [value ^ 1, error]
    if depth == 0:
        return c.some(wrong)
    last = run.steps[depth - 1]
    for action in (p for p in system.action_invariants if only in (None, p.name)):
        value, error = run.step_holds(action.expr, depth - 1)
        wrong += [value ^ 1, error]
    return c.disjunction(last.error, c.conjunction(last.taken, c.some(wrong)))


def _up_to_the_first(
    evaluator: Evaluator, start: State, labels: tuple[Label, ...], states: tuple[State, ...], only: str | None
) -> FoundRun:
    """The run as far as where a property is violated first; of shorter runs nothing was asked."""
    before = start
    for i, (label, after) in enumerate(zip(labels, states, strict=False), 1):
        try:
            broken = {*evaluator.violated(after), *evaluator.violated_by_step(before, label, after)}
        except EvaluationError:
            return labels[:i], states[:i]
        if broken and only in (None, *broken):
            return labels[:i], states[:i]
        before = after
    return labels, states


def confirmed(
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
