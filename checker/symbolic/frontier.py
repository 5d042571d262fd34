"""Bounded search from a frontier: z3 lists the states that the first steps lead to, and is then asked about runs from
any of them.

Where a step has many choices that come to the same (a candidate asks the voters in any order), z3 refutes a long run by
going through the choices of all its steps, while few different states are between them. So they are listed, level by
level, one of those that permuting symmetric sets makes the same; what is found is no longer than it has to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from checker.explicit.canonical import CanonicalStates
from checker.explicit.symmetry import symmetry_of
from checker.symbolic.check import Violation, bad, check, confirmed
from checker.symbolic.circuit import FALSE
from checker.symbolic.depths import NoneWithin, Unknown, read_run
from checker.symbolic.errors import GaveUp
from checker.symbolic.images import Images
from checker.symbolic.layout import read_number
from checker.symbolic.solve import Solver
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import System

BATCH = 64
"""States that a run may begin in, of one question."""


@dataclass(slots=True)
class Frontier:
    """The states first reached by ``depth`` steps, and how each that was found is reached."""

    level: list[State]
    depth: int = 0
    reached_by: dict[State, tuple[State, Label] | None] = field(default_factory=dict)

    def run_to(self, state: State) -> tuple[tuple[Label, ...], tuple[State, ...]]:
        """The labels of a shortest run, and the states after each."""
        labels: list[Label] = []
        states: list[State] = []
        step = self.reached_by[state]
        while step is not None:
            states.append(state)
            state, label = step
            labels.append(label)
            step = self.reached_by[state]
        return tuple(reversed(labels)), tuple(reversed(states))


def check_from_frontier(
    system: System,
    listed: int,
    max_steps: int,
    start: State,
    only: str | None = None,
    watch: Watch | None = None,
) -> Violation | NoneWithin | Unknown:
    """A shortest violation within ``max_steps``, as :func:`check` finds it. ``listed``: how many steps of them are
    listed by their states. KeyboardInterrupt comes through."""
    watch = watch or Watch()
    frontier, known = Frontier([start], reached_by={start: None}), -1
    try:
        for violation in _while_listing(system, frontier, min(listed, max_steps), only, watch):
            if violation is not None:
                return violation
            known = frontier.depth
        if not frontier.level:
            return NoneWithin(known, complete=True)
        starts = [frontier.level[at : at + BATCH] for at in range(0, len(frontier.level), BATCH)]
        searches = [_Search(Evaluator(system), part, only, watch) for part in starts]
        for more in range(1, max_steps - frontier.depth + 1):
            for search in searches:
                found = search.violation(more, frontier, last=search is searches[-1])
                if found is not None:
                    return found
            known = frontier.depth + more
        return NoneWithin(max_steps)
    except GaveUp as reason:
        return Unknown(known, str(reason))


def _while_listing(
    system: System, frontier: Frontier, steps: int, only: str | None, watch: Watch
) -> Iterator[Violation | None]:
    """After each level that is listed whole: None; or the violation that was found on the way."""
    images, canonical = Images(system, watch), CanonicalStates(system, symmetry_of(system))
    evaluator, start = images.evaluator, frontier.level[0]
    if _is_wrong(evaluator, None, start, only):
        yield confirmed(evaluator, start, (), (), only)
    seen = {canonical.least(start)[0]}
    for depth in range(1, steps + 1):
        if not frontier.level:
            return
        try:
            images.compute(frontier.level)
        except EvaluationError:
            found = check(system, depth, start=start, only=only, watch=watch)
            assert not isinstance(found, NoneWithin), "the evaluator has met the error within as many steps"
            if isinstance(found, Unknown):
                raise GaveUp(found.reason) from None
            yield found
        following = []
        for state in frontier.level:
            for label, after in images.of(state):
                if _is_wrong(evaluator, (state, label), after, only):
                    labels, states = frontier.run_to(state)
                    yield confirmed(evaluator, start, (*labels, label), (*states, after), only)
                key = canonical.least(after)[0]
                if key not in seen:
                    seen.add(key)
                    frontier.reached_by[after] = (state, label)
                    following.append(after)
        frontier.level, frontier.depth = following, depth
        yield None


def _is_wrong(evaluator: Evaluator, by: tuple[State, Label] | None, state: State, only: str | None) -> bool:
    """Whether a property is violated in a state or by the step that led there, or its evaluation fails."""
    try:
        broken = [*evaluator.violated(state), *(evaluator.violated_by_step(*by, state) if by is not None else ())]
    except EvaluationError:
        return True
    return any(only in (None, name) for name in broken)


class _Search:
    """Runs that begin in any of some states, longer from question to question."""

    def __init__(self, evaluator: Evaluator, starts: list[State], only: str | None, watch: Watch) -> None:
        self.evaluator, self.starts, self.only = evaluator, starts, only
        self.run = Unrolling(evaluator.system, *starts)
        self.solver = Solver(self.run.circuit, watch)
        self.solver.require(self.run.proper)

    def violation(self, steps: int, frontier: Frontier, *, last: bool) -> Violation | None:
        """One at the end of so many steps. ``last``: if there is none, then from no other states of the frontier.
        Raises GaveUp, KeyboardInterrupt."""
        run, solver = self.run, self.solver
        run.extend_to(steps)
        goal = bad(run, steps, self.only)
        asks = f"a run of {steps} steps from one of {len(self.starts)} states violates {self.only or 'a property'}"
        asked = solver.for_one_question(goal) if goal != FALSE else solver
        if asked.check(goal, query=Query("check", asks, frontier.depth + steps if last else None)):
            labels, states = read_run(run, asked, steps, goal)
            start = self.starts[read_number(run.index, asked.value)]
            until, before = frontier.run_to(start)
            tail = confirmed(self.evaluator, start, labels, states, self.only)
            return Violation(tail.property, tail.message, (*until, *tail.labels), (*before, *tail.states))
        solver.require(run.steps[steps - 1].taken)
        return None
