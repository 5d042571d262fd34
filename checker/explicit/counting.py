"""Crash states and interleavings, as language.md ("What is counted") defines them, over compiled transitions.

The transitions are the native engine's; what is counted is put together from them here, and the windows and actors of a
crash state are the evaluator's reading of it. Nothing of this is shared with the symbolic engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from checker.explicit.compile import compiled
from checker.explicit.errors import DoesNotFit
from checker.explicit.layout import Capacity
from checker.explicit.steps import Steps, Words
from checker.explicit.trace import Confirmation
from spec.counting import Classifier, CrashState, Situation
from spec.evaluate import EvaluationError, Evaluator
from spec.state import DurableRecord, Label, State
from spec.system import System

Transition = tuple[Label, State]

Report = Callable[[int], None]
"""Called now and then with the number found so far."""


class Transitions:
    """The transitions of a system's states, each state's computed once."""

    def __init__(self, system: System, capacity: Capacity | None = None) -> None:
        self.system, self.evaluator = system, Evaluator(system)
        self._steps = Steps(compiled(system, capacity))
        self._known: dict[State, tuple[Transition, ...]] = {}
        self._decoded: dict[Words, State] = {}

    @property
    def capacity(self) -> Capacity:
        """The room that states have by now."""
        return self._steps.layout.capacity

    def of(self, state: State) -> tuple[Transition, ...]:
        """The labels that are enabled and not cut, each with its successor. Raises EvaluationError."""
        while state not in self._known:
            try:
                self._known[state] = tuple(self._fired(state))
            except DoesNotFit as full:
                self._steps = Steps(compiled(self.system, self.capacity.grown(full.what)))
                self._decoded.clear()
        return self._known[state]

    def _fired(self, state: State) -> Iterator[Transition]:
        words = self._steps.layout.encode(state)
        fired = self._steps.fire(words)
        if fired.failed is not None:
            failing = self._steps.label(words, fired.failed)
            error = Confirmation(self.evaluator, self._steps).failure(state, failing)
            error.labels = (failing,)
            raise error
        for label, after in fired.steps:
            if after not in self._decoded:
                self._decoded[after] = self._steps.layout.decode(after)
            yield self._steps.label(words, label), self._decoded[after]


@lru_cache(maxsize=1)
def transitions_of(system: System) -> Transitions:
    """Those of a system, compiled once for all that is asked of it. Raises NotEncodable."""
    return Transitions(system)


@dataclass(slots=True)
class Reached:
    """The states reachable from a start in some number of labels, in the order found, each with the step to it."""

    by: dict[State, tuple[State, Label] | None]

    def run_to(self, state: State) -> tuple[Label, ...]:
        """The labels of a shortest run."""
        labels: list[Label] = []
        step = self.by[state]
        while step is not None:
            before, label = step
            labels.append(label)
            step = self.by[before]
        return tuple(reversed(labels))


def reached(transitions: Transitions, start: State, depth: int, report: Report = lambda number: None) -> Reached:
    """The states reachable in at most ``depth`` labels. Raises EvaluationError, with the labels from the start."""
    found = Reached({start: None})
    level = [start]
    for _ in range(depth):
        following: list[State] = []
        for state in level:
            for label, after in _with_run(transitions, found, state):
                if after not in found.by:
                    found.by[after] = (state, label)
                    following.append(after)
            report(0)
        level = following
    return found


def _with_run(transitions: Transitions, found: Reached, state: State) -> tuple[Transition, ...]:
    try:
        return transitions.of(state)
    except EvaluationError as error:
        error.labels = (*found.run_to(state), *error.labels)
        raise


def crash_states(
    transitions: Transitions, start: State, depth: int, report: Report = lambda number: None
) -> dict[CrashState, dict[Situation, tuple[Label, ...]]]:
    """Every crash state whose σ is reachable in at most ``depth`` labels, with each situation that some run gives it
    and a shortest such run, the crash's label last. Raises EvaluationError."""
    classifier = Classifier(transitions.evaluator)
    runs = reached(transitions, start, depth, report)
    found: dict[CrashState, dict[Situation, tuple[Label, ...]]] = {}
    for state in runs.by:
        for crash, label in _crashes(transitions, runs, state).items():
            situation = classifier.situation(state, crash.process)
            situations = found.setdefault(crash, {})
            if situation not in situations:
                situations[situation] = (*runs.run_to(state), label)
        report(len(found))
    return found


def _crashes(transitions: Transitions, runs: Reached, state: State) -> dict[CrashState, Label]:
    """One for each process and surviving disk, by the smallest keep that leaves it."""
    bare = state.without_history()
    least: dict[tuple[str, DurableRecord], Label] = {}
    for label, after in _with_run(transitions, runs, state):
        if label.rule == "crash":
            assert label.process is not None
            disk = after.disk[transitions.evaluator.index[label.process]]
            assert disk is not None
            known = least.setdefault((label.process, disk), label)
            if label.arguments < known.arguments:
                least[label.process, disk] = label
    return {
        CrashState(bare, process, disk, label.arguments[0] if label.arguments else 0): label
        for (process, disk), label in least.items()
    }


@dataclass(frozen=True, slots=True)
class Interleaving:
    """``labels``: 2·window+1 labels from ``start``, a crash in the middle; ``prefix``: those that lead to ``start``."""

    prefix: tuple[Label, ...]
    start: State
    labels: tuple[Label, ...]


def interleavings(
    transitions: Transitions, start: State, depth: int, window: int, report: Report = lambda number: None
) -> Iterator[Interleaving]:
    """Every sequence of 2·window+1 labels with a crash in the middle, from each distinct state reachable in at most
    depth−window labels. Raises EvaluationError."""
    assert 0 <= window <= depth
    runs = reached(transitions, start, depth - window, report)
    for state in runs.by:
        prefix = runs.run_to(state)
        for labels in _sequences(transitions, (), state, window, window):
            yield Interleaving(prefix, state, labels)


def _sequences(
    transitions: Transitions, labels: tuple[Label, ...], state: State, before: int, after: int
) -> Iterator[tuple[Label, ...]]:
    """These labels, and then ``before`` labels, a crash, and ``after`` labels, in all ways. ``before``: -1 after it."""
    if before < 0 and after == 0:
        yield labels
        return
    for label, following in transitions.of(state):
        if before > 0:
            yield from _sequences(transitions, (*labels, label), following, before - 1, after)
        elif before < 0:
            yield from _sequences(transitions, (*labels, label), following, before, after - 1)
        elif label.rule == "crash":
            yield from _sequences(transitions, (*labels, label), following, -1, after)
