"""What the schedules left open of a matrix: the pairs of a crash state and an outcome that none of them showed.

An engine decides them within a bound, and its answers go back into the matrix. A pair is *seen*, or there is *none* of
so many labels, or none at all, or it is *undecided*; each is counted, and together they are all pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from checker.coverage import NO_LONGER, Cell, Matrix, Unit, Witness
from checker.deciding import Decided, Wanted, goals_of
from spec.counting import Classifier
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.values import Cut, NotEnabled


class Status(Enum):
    """What is known of a pair."""

    SEEN = "seen"
    NONE = "none within the bound"
    NONE_AT_ALL = "none"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Pairs:
    """How many pairs of a window's unit and an outcome there are. ``none`` counts those of ``none_at_all`` too."""

    total: int
    by_schedules: int
    by_search: int
    none: int
    none_at_all: int

    @property
    def undecided(self) -> int:
        return self.total - self.by_schedules - self.by_search - self.none


def open_goals(matrix: Matrix, *, but: Wanted | None = None) -> Wanted:
    """The states after a crash, each with the goals that its window's units still lack. ``but``: without these."""
    seen = _seen(matrix)
    goals = goals_of(matrix.system)
    wanted: Wanted = {}
    for (window, unit), starts in matrix.starts.items():
        lacking = {goal for goal in goals if goal[0] == unit[1] and (window, unit, goal[1]) not in seen}
        for state in starts if lacking else ():
            wanted.setdefault(state, set()).update(lacking)
    if but is None:
        return wanted
    left = {state: goals - but.get(state, set()) for state, goals in wanted.items()}
    return {state: goals for state, goals in left.items() if goals}


class Filling:
    """Puts an engine's answers into a matrix, each run confirmed by the evaluator."""

    def __init__(self, matrix: Matrix, evaluator: Evaluator, bound: int) -> None:
        self.matrix, self.evaluator = matrix, evaluator
        self.classifier = Classifier(evaluator)
        assert matrix.system.converged is not None
        self.converged = evaluator.compile(matrix.system.converged)
        self.seen = _seen(matrix)
        self.places: dict[State, list[tuple[int, Unit]]] = defaultdict(list)
        for place, starts in matrix.starts.items():
            for state in starts:
                self.places[state].append(place)
        matrix.bound = bound

    def add(self, state: State, decided: Decided) -> bool:
        """Whether the evaluator takes the runs as the engine says they are."""
        matrix = self.matrix
        known = NO_LONGER if decided.complete else decided.depth
        matrix.decided[state] = max(known, matrix.decided.get(state, -1))
        for (element, outcome), labels in decided.runs.items():
            last = self._last(state, labels)
            if last is None or self.classifier.outcomes(last)[element] != outcome:
                return False
            if (element, outcome) in matrix.ruled_out.get(state, ()):  # by z3, and yet there it is
                return False
            for window, unit in self.places[state]:
                if unit[1] == element and (window, unit, outcome) not in self.seen:
                    start = matrix.starts[window, unit][state]
                    witness = Witness(start.labels + labels, len(start.labels))
                    cell = matrix.cells.setdefault((window, start.actor, start.kept, outcome), Cell())
                    cell.add(unit, witness)
                    matrix.found.add((window, unit, outcome))
                    for name in self.evaluator.violated(last):
                        matrix.violations.setdefault(name, witness)
        return True

    def _last(self, state: State, labels: tuple[Label, ...]) -> State | None:
        """Where the labels lead, if the evaluator takes them and has converged there."""
        try:
            for label in labels:
                state = self.evaluator.successor(state, label)
        except (NotEnabled, Cut, EvaluationError):
            return None
        return state if self.evaluator.holds(self.converged, state) else None


def pairs_of(matrix: Matrix) -> Pairs:
    """Counts all pairs by what is known of them."""
    by_status: dict[Status, int] = defaultdict(int)
    for _, _, _, status in _statuses(matrix):
        by_status[status] += 1
    at_all, found = by_status[Status.NONE_AT_ALL], len(matrix.found)
    return Pairs(
        sum(by_status.values()), by_status[Status.SEEN] - found, found, by_status[Status.NONE] + at_all, at_all
    )


def never(matrix: Matrix) -> set[tuple[int, int]]:
    """The windows and outcomes of which it is known that no unit has a run, as long as the bound."""
    status: dict[tuple[int, int], bool] = {}
    for window, _, outcome, what in _statuses(matrix):
        none = what in (Status.NONE, Status.NONE_AT_ALL)
        status[window, outcome] = status.get((window, outcome), True) and none
    return {cell for cell, none in status.items() if none}


def without_completion(matrix: Matrix) -> set[tuple[int, Unit]]:
    """The units of windows of which it is known that no run converges, as long as the bound."""
    status: dict[tuple[int, Unit], bool] = {}
    for window, unit, _, what in _statuses(matrix):
        none = what in (Status.NONE, Status.NONE_AT_ALL)
        status[window, unit] = status.get((window, unit), True) and none
    return {place for place, none in status.items() if none}


def _statuses(matrix: Matrix) -> Iterator[tuple[int, Unit, int, Status]]:
    seen = _seen(matrix)
    goals = goals_of(matrix.system)
    for (window, unit), starts in matrix.starts.items():
        known = min(matrix.decided.get(state, -1) for state in starts)
        for element, outcome in goals:
            if element != unit[1]:
                continue
            if (window, unit, outcome) in seen:
                yield window, unit, outcome, Status.SEEN
            elif known == NO_LONGER or all((element, outcome) in matrix.ruled_out.get(s, ()) for s in starts):
                yield window, unit, outcome, Status.NONE_AT_ALL
            elif matrix.bound is not None and known >= matrix.bound:
                yield window, unit, outcome, Status.NONE
            else:
                yield window, unit, outcome, Status.UNDECIDED


def _seen(matrix: Matrix) -> set[tuple[int, Unit, int]]:
    return {(window, unit, outcome) for (window, _, _, outcome), cell in matrix.cells.items() for unit in cell.units}
