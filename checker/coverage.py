"""The crash-window matrix: rows are windows (when the crash came), columns outcomes (what became of the write).

The unit is a pair of crash state and tracked element. A crash state belongs to every window that some run reaching it
gives it; it has an outcome if some run through it in that window has. A cell that no schedule fills is *not seen*; that
it cannot be filled is said only where a search has ended without a run (see ``gaps``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from checker.completion import Completer
from spec.counting import OTHER, Classifier, CrashState, Situation
from spec.evaluate import Evaluator
from spec.state import Label, State
from spec.system import System

NO_LONGER = sys.maxsize
"""More labels than any run has."""

Unit = tuple[CrashState, int]
"""A crash state and the position of the tracked element."""

Found = tuple[CrashState, Situation, tuple[Label, ...]]
"""What an enumeration yields: a crash state in a situation, and the labels from the initial state, the crash last."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A run from the initial state through the crash to a converged state."""

    labels: tuple[Label, ...]
    crash_at: int


@dataclass(slots=True)
class Cell:
    """The units that have this window, actor, kept-or-not and outcome, each with its shortest witness."""

    units: dict[Unit, Witness] = field(default_factory=dict)

    def add(self, unit: Unit, witness: Witness) -> None:
        known = self.units.get(unit)
        if known is None or len(witness.labels) < len(known.labels):
            self.units[unit] = witness

    @property
    def witness(self) -> Witness:
        """The shortest of all."""
        return min(self.units.values(), key=lambda witness: len(witness.labels))


@dataclass(frozen=True, slots=True)
class Start:
    """How a run came to a state after a crash: its labels, the crash last, who crashed, and what it left."""

    labels: tuple[Label, ...]
    actor: int
    kept: str


CellKey = tuple[int, int, str, int]
"""Window, actor, what the crash left of the pending records ("nothing pending", "none kept", "some kept",
"all kept"), outcome."""


@dataclass(slots=True)
class Matrix:
    """``rows[w]``: the units of window w; ``undecided[w]``: those that no schedule completed. ``starts``: the states
    that the crashes of a window's unit lead to, by the histories that runs may have had; what is to be completed.

    ``bound``: how many labels the search went that was asked of what the schedules left open (None: there was none);
    ``decided[state]``: of how many labels at most it knows all completions (``NO_LONGER``: of any length), and
    ``found`` the pairs of a window's unit and an outcome that it found runs for. ``ruled_out[state]``: elements with
    outcomes that no run leads to, whatever its length."""

    system: System
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    rows: dict[int, set[Unit]] = field(default_factory=dict)
    undecided: dict[int, set[Unit]] = field(default_factory=dict)
    crashed: dict[tuple[int, tuple[int, str]], set[Unit]] = field(default_factory=dict)  # window, (actor, kept)
    violations: dict[str, Witness] = field(default_factory=dict)
    completed: int = 0
    cuts: dict[str, int] = field(default_factory=dict)  # what a bound kept a completion from doing
    starts: dict[tuple[int, Unit], dict[State, Start]] = field(default_factory=dict)
    bound: int | None = None
    decided: dict[State, int] = field(default_factory=dict)
    ruled_out: dict[State, set[tuple[int, int]]] = field(default_factory=dict)
    found: set[tuple[int, Unit, int]] = field(default_factory=set)

    def count(self, window: int, outcome: int) -> int:
        """Units of a window with an outcome, whoever crashed and whatever was kept."""
        return len(self.units(window, outcome))

    def units(self, window: int, outcome: int, kept: str | None = None) -> set[Unit]:
        """``kept``: only these."""
        chosen = ((c, k) for (w, _, k, o), c in self.cells.items() if (w, o) == (window, outcome))
        return {unit for cell, k in chosen if kept in (None, k) for unit in cell.units}

    @property
    def runs(self) -> tuple[tuple[Label, ...], ...]:
        """A run for each unit and outcome: what is replayed."""
        return tuple({w.labels: None for cell in self.cells.values() for w in cell.units.values()})

    def crashed_units(self, window: int, *, actor: int | None = None, kept: str | None = None) -> set[Unit]:
        """The units of a window, of one actor or one kept-or-not only."""
        found: set[Unit] = set()
        for (w, (a, k)), units in self.crashed.items():
            if w == window and actor in (None, a) and kept in (None, k):
                found |= units
        return found

    def undecided_units(self, window: int) -> set[Unit]:
        """The units of a window that no run and no schedule completed."""
        decided = {unit for (w, *_), cell in self.cells.items() if w == window for unit in cell.units}
        return self.undecided.get(window, set()) - decided

    def merge(self, other: Matrix) -> None:
        """Adds what another part of the same enumeration found."""
        for key, cell in other.cells.items():
            for unit, witness in cell.units.items():
                self.cells.setdefault(key, Cell()).add(unit, witness)
        for mine, theirs in ((self.rows, other.rows), (self.undecided, other.undecided)):
            for window, units in theirs.items():
                mine.setdefault(window, set()).update(units)
        for place, starts in other.starts.items():
            self.starts.setdefault(place, {}).update(starts)
        for who, units in other.crashed.items():
            self.crashed.setdefault(who, set()).update(units)
        for name, witness in other.violations.items():
            self.violations.setdefault(name, witness)
        for bound, count in other.cuts.items():
            self.cuts[bound] = self.cuts.get(bound, 0) + count
        self.completed += other.completed

    def witness(self, window: int, outcome: int) -> Witness | None:
        """The shortest run of a cell."""
        found = [c.witness for (w, _, _, o), c in self.cells.items() if (w, o) == (window, outcome)]
        return min(found, key=lambda witness: len(witness.labels), default=None)

    @property
    def windows(self) -> tuple[tuple[int, str], ...]:
        """Every declared window in order, and "other" if anything fell there."""
        named = tuple((i, w.name) for i, w in enumerate(self.system.windows))
        return (*named, (OTHER, "other")) if self.rows.get(OTHER) else named

    @property
    def outcomes(self) -> tuple[tuple[int, str], ...]:
        """Every declared outcome in order, and "other" if anything fell there."""
        named = tuple((i, o.name) for i, o in enumerate(self.system.outcomes))
        return (*named, (OTHER, "other")) if any(o == OTHER for *_, o in self.cells) else named


def build_matrix(evaluator: Evaluator, found: Iterable[Found], completer: Completer | None = None) -> Matrix:
    """Completes every crash state found and fills the cells; invariants are checked in every converged state.

    ``completer``: remembers what it drove before; None makes a new one.
    """
    matrix = Matrix(evaluator.system)
    classifier = Classifier(evaluator)
    completer = Completer(evaluator) if completer is None else completer
    completer.cuts = {}
    for crash, situation, labels in found:
        before = _run(evaluator, labels[:-1])
        after = evaluator.successor(before, labels[-1])
        kept = _kept(evaluator, before, crash)
        for element, window in enumerate(situation.windows):
            matrix.rows.setdefault(window, set()).add((crash, element))
            who = (situation.actors[element], kept)
            matrix.crashed.setdefault((window, who), set()).add((crash, element))
            matrix.starts.setdefault((window, (crash, element)), {})[after] = Start(labels, *who)
        completions = completer.completions(after)
        for completed in completions:
            matrix.completed += 1
            witness = Witness(labels + completed.labels, len(labels))
            for name in evaluator.violated(completed.state):
                matrix.violations.setdefault(name, witness)
            outcomes = classifier.outcomes(completed.state)
            for element, (window, actor, outcome) in enumerate(
                zip(situation.windows, situation.actors, outcomes, strict=True)
            ):
                cell = matrix.cells.setdefault((window, actor, kept, outcome), Cell())
                cell.add((crash, element), witness)
        if not completions:
            for element, window in enumerate(situation.windows):
                matrix.undecided.setdefault(window, set()).add((crash, element))
    matrix.cuts = completer.cuts
    return matrix


def _run(evaluator: Evaluator, labels: tuple[Label, ...]) -> State:
    state = evaluator.initial_states()[0]
    for label in labels:
        state = evaluator.successor(state, label)
    return state


def _kept(evaluator: Evaluator, before: State, crash: CrashState) -> str:
    pending = len(before.pending[evaluator.index[crash.process]])
    if pending == 0:
        return "nothing pending"
    return "none kept" if crash.keep == 0 else "all kept" if crash.keep == pending else "some kept"
