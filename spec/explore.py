"""Breadth-first search over the evaluator: the oracle that both engines are compared with.

Plain and exhaustive within its bounds: states are compared whole, the frontier is a level, the first state that
violates a property ends the search with a shortest run to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State

Progress = Callable[[int, int, int], None]
"""Called now and then with (depth, distinct states, states on the queue)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """``labels`` lead from the start to the violation; ``property`` is None for an evaluation error."""

    property: str | None
    message: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class OutDegree:
    """How many labels lead out of a state: at least, on average, at most; of the states that were expanded."""

    fewest: int
    average: float
    most: int


@dataclass(slots=True)
class Explored:
    """``violation``: an evaluation error, or the first violation of a property; ``violations``: the first of each.

    ``levels[i]``: distinct states first reached by i labels. ``expanded``: how many states' transitions were all
    followed. ``complete``: the queue ran empty."""

    levels: list[int] = field(default_factory=list)
    generated: int = 0
    expanded: int = 0
    complete: bool = False
    violation: Violation | None = None
    violations: dict[str, Violation] = field(default_factory=dict)
    out_degree: OutDegree | None = None
    deadlock: tuple[Label, ...] | None = None
    cuts: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    reached: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    states: dict[State, tuple[State | None, Label | None]] = field(default_factory=dict)

    @property
    def distinct(self) -> int:
        return len(self.states)

    @property
    def queue(self) -> int:
        """States found and not expanded."""
        return len(self.states) - self.expanded

    @property
    def depth(self) -> int:
        """Levels, the initial one counted as 1 (as TLC counts)."""
        return len(self.levels)

    def run_to(self, state: State) -> tuple[Label, ...]:
        """The labels of a shortest run to a state that was found."""
        labels: list[Label] = []
        before, label = self.states[state]
        while before is not None:
            assert label is not None
            labels.append(label)
            before, label = self.states[before]
        return tuple(reversed(labels))


def explore(
    evaluator: Evaluator,
    *,
    start: State | None = None,
    max_steps: int | None = None,
    only: str | None = None,
    check: bool = True,
    stop_at_violation: bool = True,
    progress: Progress | None = None,
    into: Explored | None = None,
) -> Explored:
    """Searches from ``start`` (default: the initial state), at most ``max_steps`` labels deep.

    ``only``: check this one property; ``check=False``: none. ``into``: a new Explored to fill, which keeps what was
    found until KeyboardInterrupt, or what ``progress`` raises.
    """
    found = Explored() if into is None else into
    evaluator.tally.cuts = found.cuts
    first = evaluator.initial_states()[0] if start is None else start
    goals = {p.name: evaluator.compile(p.expr) for p in evaluator.system.sometimes} if check else {}
    found.states[first] = (None, None)
    level = [first]
    fewest, most = sys.maxsize, 0
    while level:
        found.levels.append(len(level))
        for state in level:
            try:
                reached = [name for name, goal in goals.items() if evaluator.holds(goal, state)]
                broken = _chosen(evaluator.violated(state), only) if check else []
            except EvaluationError as error:
                found.violation = Violation(None, str(error), found.run_to(state))
                return found
            for name in reached:
                found.reached[name] = found.run_to(state)
                del goals[name]
            _note(found, broken, "invariant", found.run_to(state) if broken else ())
            if broken and stop_at_violation:
                return found
        if max_steps is not None and len(found.levels) > max_steps:
            return found
        following: list[State] = []
        for position, state in enumerate(level):
            if progress is not None and position % 256 == 0:
                progress(len(found.levels), len(found.states), len(level) - position + len(following))
            cut_before = sum(found.cuts.values())
            try:
                steps = evaluator.transitions(state)
            except EvaluationError as error:
                found.violation = Violation(None, str(error), (*found.run_to(state), *error.labels))
                return found
            if not steps and sum(found.cuts.values()) == cut_before and found.deadlock is None:
                found.deadlock = found.run_to(state)
            fewest, most = min(fewest, len(steps)), max(most, len(steps))
            for label, after in steps:
                found.generated += 1
                found.taken[label.rule] = found.taken.get(label.rule, 0) + 1
                try:
                    broken = _chosen(evaluator.violated_by_step(state, label, after), only) if check else []
                except EvaluationError as error:
                    found.violation = Violation(None, str(error), (*found.run_to(state), label))
                    return found
                _note(found, broken, "action invariant", (*found.run_to(state), label) if broken else ())
                if broken and stop_at_violation:
                    return found
                if after not in found.states:
                    found.states[after] = (state, label)
                    following.append(after)
            found.expanded += 1
            found.out_degree = OutDegree(fewest, found.generated / found.expanded, most)
        level = following
    found.complete = True
    return found


def _note(found: Explored, broken: list[str], what: str, run: tuple[Label, ...]) -> None:
    """Keeps the first violation of each property."""
    for name in broken:
        violation = found.violations.setdefault(name, Violation(name, f"{what} {name} is violated", run))
        found.violation = violation if found.violation is None else found.violation


def _chosen(broken: list[str], only: str | None) -> list[str]:
    return broken if only is None else [name for name in broken if name == only]
