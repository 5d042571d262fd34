"""Breadth-first search by emitted Python source: the same counts, verdicts and shortest lengths as native code's.

It is the fallback where llvmlite is missing, and slow; but every state is the evaluator's own, so what goes on in it
can be looked at. A level is finished before its first violation is reported, as by native code.
"""

from __future__ import annotations

import sys
import time
from array import array

from checker.explicit.back_end import BackEnd
from checker.explicit.errors import OrderMatters
from checker.explicit.search import Clock, Explored, Now, OutOfTime, Stopped
from checker.explicit.source import Step
from checker.explicit.source_steps import SourceSteps
from checker.explicit.symmetry import NONE, Symmetry, symmetry_of
from checker.explicit.trace import Confirmation
from checker.explicit.violations import Event, StatePlace, Violations
from spec.evaluate import EvaluationError, Evaluator
from spec.explore import OutDegree
from spec.state import Label, State
from spec.system import System

QUANTUM = 64
"""How many states are expanded before the clock is looked at."""

NONE_YET = -1


def explore_source(
    system: System,
    first: State,
    max_steps: int | None,
    only: str | None,
    clock: Clock,
    *,
    symmetry: bool = False,
    stop_at_deadlock: bool = False,
    go_on: bool = False,
) -> Explored:
    """Searches from a state, at most so many labels deep; the rest as :func:`checker.explicit.search.explore` has it.
    KeyboardInterrupt ends the search with what it has found so far. Raises NotEncodable, Disagreement."""
    alike = symmetry_of(system) if symmetry else NONE
    while True:
        try:
            return _Search(system, first, alike, only, clock, go_on=go_on).run(max_steps, stop_at_deadlock)
        except OrderMatters:
            if not alike:
                raise
            alike = alike.without("an evaluation fails for some orders of its elements only")


class _Search:
    """The state of one search. ``known`` gives every stored state's number, in the order in which they were found."""

    def __init__(
        self, system: System, first: State, symmetry: Symmetry, only: str | None, clock: Clock, *, go_on: bool
    ) -> None:
        began = time.monotonic()
        self.evaluator, self.first, self.clock = Evaluator(system), first, clock
        self.steps = SourceSteps(system, symmetry)
        self.source, self.canonical = self.steps.source, self.steps.canonical
        self.confirmation = Confirmation(self.evaluator, self.steps)
        self.violations = Violations(system, self.confirmation, self._run_to, only, go_on=go_on)
        self.broken_at: list[StatePlace] = []
        self.broken_from: list[StatePlace] = []
        self.goals = dict(self.source.goals)
        self.states: list[State] = []
        self.known: dict[State, int] = {}
        self.parents = array("q")
        self.start = self.end = 0  # of the level
        self.stuck = NONE_YET
        self.fewest, self.most = sys.maxsize, 0
        self.failures = 0  # states of which a label's evaluation failed: their labels are not known
        self.bytes_before = _peak_bytes()
        self.found = Explored(symmetry=symmetry, back_end=BackEnd.PYTHON)
        self.found.seconds["emit"] = time.monotonic() - began

    def run(self, max_steps: int | None, stop_at_deadlock: bool) -> Explored:
        found = self.found
        began = time.monotonic()
        try:
            self._store(self.canonical(self.first), NONE_YET)
            while len(self.states) > self.start:
                self.end = len(self.states)
                found.levels.append(self.end - self.start)
                if self._check_level() or (max_steps is not None and len(found.levels) > max_steps):
                    break
                if self._expand_level() or (stop_at_deadlock and found.deadlock is not None):
                    break
            else:
                found.complete = True
        except OutOfTime:
            found.stopped = Stopped.TIME
        except KeyboardInterrupt:
            found.stopped = Stopped.INTERRUPTED
        except MemoryError as full:
            found.stopped, found.reason = Stopped.MEMORY, str(full)
        self._sum_up()
        found.seconds["search"] = time.monotonic() - began
        return found

    def _sum_up(self) -> None:
        found = self.found
        found.distinct = len(self.states)
        found.violation, found.violations = self.violations.first, self.violations.by_name
        if counted := found.expanded - self.failures:
            found.out_degree = OutDegree(self.fewest, found.generated / counted, self.most)
        found.bytes_per_state = (_peak_bytes() - self.bytes_before) // max(1, found.distinct)

    def _store(self, state: State, parent: int) -> None:
        if state not in self.known:
            self.known[state] = len(self.states)
            self.parents.append(parent)
            self.states.append(state)

    def now(self, seconds: float) -> Now:
        distinct, found = len(self.states), self.found
        size = _peak_bytes()  # the whole process's: what of it the states take, Python does not tell
        depth, known, expanded = len(found.levels), sum(found.levels), found.expanded
        return Now(depth, distinct, found.generated, distinct - expanded, 0.0, size, seconds, expanded, known)

    # -------------------------------------------------------------------------------------- one level

    def _check_level(self) -> bool:
        """Looks at goals and invariants of the level; whether one is broken, or fails."""
        events: list[Event] = []
        wanted = self.violations.invariants
        for index in range(self.start, self.end):
            if index % QUANTUM == 0:
                self.clock.tick(self)
            state, mask = self.states[index], 0
            try:
                reached = [name for name, holds in self.goals.items() if holds(state)]
                for i, (_, holds) in enumerate(self.source.invariants):
                    mask |= 0 if holds(state) else 1 << i
            except EvaluationError:
                events.append(Event(index, 0, 0, by_label=False, of_step=False))
                break
            for name in reached:
                self._reach(name, index)
            if mask & wanted:
                if not self.violations.go_on:
                    events.append(Event(index, 0, mask & wanted, by_label=False, of_step=False))
                    break
                self.broken_at.append((index, mask & wanted))
                wanted &= ~mask
        self.violations.note([self])
        return self.violations.ended(events)

    def _reach(self, name: str, index: int) -> None:
        labels, state = self._run_to(index)
        self.confirmation.reached(state, name)
        self.found.reached[name] = labels
        del self.goals[name]

    def _expand_level(self) -> bool:
        """Finds the next level; whether an evaluation failed or an action invariant is broken on the way."""
        events: list[Event] = []
        wanted = self.violations.action_invariants
        for index in range(self.start, self.end):
            if index % QUANTUM == 0:
                self.clock.tick(self)
            steps = self._fired(index, events)
            self._take(index, steps)
            if self.source.action_invariants and not events:
                wanted = self._look_at_steps(index, steps, wanted, events)
            self.found.expanded = index + 1
        self.start = self.end
        self._note_deadlock()
        self.violations.note_steps([self])
        return self.violations.ended(events)

    def _fired(self, index: int, events: list[Event]) -> list[Step]:
        """The steps from a state: all, or as in native code none if an evaluation fails."""
        steps: list[Step] = []
        try:
            self.source.successors(self.states[index], steps, self.found.cuts)
        except EvaluationError:
            events.append(Event(index, 0, 0, by_label=True, of_step=False))
            self.failures += 1
            return []
        self.fewest, self.most = min(self.fewest, len(steps)), max(self.most, len(steps))
        if not steps and self.stuck == NONE_YET and not self.steps.fire(self.states[index]).cuts:
            self.stuck = index
        return steps

    def _take(self, index: int, steps: list[Step]) -> None:
        found, known, canonical = self.found, self.known, self.canonical
        found.generated += len(steps)
        for label, after in steps:
            rule = label[0]
            found.taken[rule] = found.taken.get(rule, 0) + 1
            if after not in known:
                self._store(canonical(after), index)

    def _look_at_steps(self, index: int, steps: list[Step], wanted: int, events: list[Event]) -> int:
        """The action invariants that are still to be looked at."""
        for label, after in steps:
            try:
                broken = self.steps.broken_mask(self.states[index], label, after) & wanted
            except EvaluationError:
                events.append(Event(index, 0, 0, by_label=True, of_step=True))
                return wanted
            if broken and not self.violations.go_on:
                events.append(Event(index, 0, broken, by_label=True, of_step=True))
                return wanted
            if broken:
                self.broken_from.append((index, broken))
                wanted &= ~broken
        return wanted

    # ------------------------------------------------------------------------------------- what was found

    def _run_to(self, index: int, worker: int = 0) -> tuple[tuple[Label, ...], State]:
        """The labels of a shortest run, confirmed by the evaluator, and where they lead."""
        chain = []
        while index != NONE_YET:
            chain.append(self.states[index])
            index = self.parents[index]
        return self.confirmation.run(self.first, chain[::-1])

    def _note_deadlock(self) -> None:
        if self.stuck != NONE_YET and self.found.deadlock is None:
            self.found.deadlock, state = self._run_to(self.stuck)
            self.evaluator.tally.cuts = {}
            assert not self.evaluator.transitions(state), "the evaluator finds a label where the search found none"


def _peak_bytes() -> int:
    """The most memory that this process has had; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
