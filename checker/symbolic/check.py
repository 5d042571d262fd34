"""Bounded search: the shortest run from a state that violates a property, or reaches a goal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checker.symbolic.circuit import FALSE, Bit, Circuit
from checker.symbolic.decode import confirm, labels_of, read_state, reader, state_bits
from checker.symbolic.errors import EnginesDisagree, GaveUp
from checker.symbolic.solve import Solver
from checker.symbolic.unroll import Bound, Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import Expr, Property, System


@dataclass(frozen=True, slots=True)
class Violation:
    """``labels`` lead from the start to where ``property`` is violated; ``None``: their last one, or the evaluation of
    a property after it, is an evaluation error (``message``). Confirmed by the evaluator."""

    property: str | None
    message: str
    labels: tuple[Label, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """``labels`` lead from the start to the goal. Confirmed by the evaluator."""

    labels: tuple[Label, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class NoneWithin:
    """There is none of at most ``depth`` labels. ``complete``: nor a longer one, for no run is longer."""

    depth: int
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is none of at most ``depth`` labels (-1: nothing is known); beyond that z3 gave up, for ``reason``."""

    depth: int
    reason: str


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

    def bad(run: Unrolling, depth: int) -> Bit:
        return _bad(run, depth, invariants, actions)

    asks = f"violates {only or 'a property'}, or ends in an evaluation error"
    found = _search(system, start, max_steps, bad, "check", asks, watch or Watch())
    if isinstance(found, tuple):
        return _violation(evaluator, start, *found, only)
    return found


def reach(
    system: System,
    goal: Expr,
    max_steps: int,
    *,
    start: State | None = None,
    bound: Bound | None = None,
    watch: Watch | None = None,
) -> Reached | NoneWithin | Unknown:
    """A shortest run from ``start`` to a state where ``goal`` is true. ``bound``: names in it, with values."""
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0] if start is None else start

    def at_goal(run: Unrolling, depth: int) -> Bit:
        value, error = run.holds(goal, depth, bound)
        reached = run.circuit.conjunction(value, error ^ 1)
        return run.circuit.conjunction(reached, run.steps[depth - 1].taken) if depth else reached

    found = _search(system, start, max_steps, at_goal, "reach", "comes to the goal", watch or Watch())
    if not isinstance(found, tuple):
        return found
    labels, states = found
    replayed = confirm(system, start, labels, states, evaluator)
    local = {name: value for name, (value, _) in (bound or {}).items()}
    if not evaluator.holds(evaluator.compile(goal), replayed[-1] if replayed else start, **local):
        raise EnginesDisagree(len(labels), None, "the goal is false for the evaluator")
    return Reached(labels, replayed)


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


def _search(
    system: System,
    start: State,
    max_steps: int,
    target: Callable[[Unrolling, int], Bit],
    task: str,
    asks: str,
    watch: Watch,
) -> tuple[tuple[Label, ...], tuple[State, ...]] | NoneWithin | Unknown:
    """A shortest run at whose end ``target`` is true: its labels, and the states after each but maybe the last."""
    run = Unrolling(system, start)
    solver = Solver(run.circuit, watch)
    known = -1
    try:
        for depth in range(max_steps + 1):
            run.extend_to(depth)
            watch.deadline.check()
            goal = target(run, depth)
            if solver.check(goal, query=Query(task, f"a run of {depth} labels {asks}", depth)):
                return _read_run(run, solver, depth, goal)
            known = depth
            if depth:
                taken = run.steps[depth - 1].taken
                if taken == FALSE:
                    return NoneWithin(depth, complete=True)
                solver.require(taken)
    except GaveUp as reason:
        return Unknown(known, str(reason))
    return NoneWithin(max_steps)


def _read_run(run: Unrolling, solver: Solver, depth: int, goal: Bit) -> tuple[tuple[Label, ...], tuple[State, ...]]:
    """Reads the choices from the model, and all else by simulating the circuit on them."""
    steps = run.steps[:depth]
    inputs = {bit: int(solver.value(bit)) for s in steps for bit in s.bits if bit > 1}
    micro = [single for s in steps for single in s.micro]
    roots = [goal, *(bit for s in steps for bit in (*s.bits, *state_bits(s.before), s.taken))]
    roots += [bit for s in micro for bit in (*state_bits(s.before), s.taken, *s.label_is.values())]
    roots += state_bits(run.states[depth])
    bit = reader(run.circuit, roots, inputs)
    if not bit(goal):
        raise EnginesDisagree(depth, None, "z3's model does not satisfy the circuit")
    states = [read_state(run.shape, s.after, bit) for s in steps if bit(s.taken)]
    return labels_of(run.shape, steps, bit), tuple(states)


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
