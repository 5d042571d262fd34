"""What is counted (language.md): crash states and crash interleavings, by brute force over the evaluator.

The engines count the same sets; these functions are what they are compared with, at bounds small enough for both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spec.evaluate import Evaluator
from spec.explore import Explored, explore
from spec.expressions import Compiled
from spec.sorts import Value
from spec.state import DurableRecord, Label, State
from spec.values import Cut, EvaluationError, NotEnabled, cached_domain, canonical

OTHER = -1
"""The position of "other": no window (or outcome, or actor) matched."""


@dataclass(frozen=True, slots=True)
class CrashState:
    """(σ, crash(process, keep)): ``before`` is σ without ghosts and budgets, ``surviving`` the disk that is left.

    Keeps that leave the same disk are one crash state; ``keep`` is the smallest of them.
    """

    before: State
    process: str
    surviving: DurableRecord
    keep: int


@dataclass(frozen=True, slots=True)
class Situation:
    """How one run reached a crash state: for each tracked element, the window and the actor (positions in the
    system's lists; OTHER where none matches); and its ghosts and budgets, on which outcomes may depend."""

    windows: tuple[int, ...]
    actors: tuple[int, ...]
    ghosts: tuple[Value, ...] = ()
    budgets: tuple[int, ...] = ()


class Classifier:
    """Windows, actors and outcomes of a system's tracked elements, compiled."""

    def __init__(self, evaluator: Evaluator) -> None:
        system = evaluator.system
        self.evaluator = evaluator
        self.tracked: tuple[Value, ...] = cached_domain(system.track.sort) if system.track else ()
        self.name = system.track.name if system.track else ""
        self._windows = tuple(evaluator.compile(w.expr) for w in system.windows)
        self._actors = tuple(evaluator.compile(a.expr) for a in system.actors)
        self._outcomes = tuple(evaluator.compile(o.expr) for o in system.outcomes)

    def situation(self, before: State, process: str) -> Situation:
        return Situation(
            tuple(self._first(self._windows, before, {self.name: w}) for w in self.tracked),
            tuple(self._first(self._actors, before, {self.name: w, "crashed": process}) for w in self.tracked),
            before.ghosts,
            before.budgets,
        )

    def outcomes(self, converged: State) -> tuple[int, ...]:
        """The outcome of each tracked element."""
        return tuple(self._first(self._outcomes, converged, {self.name: w}) for w in self.tracked)

    def _first(self, predicates: tuple[Compiled, ...], state: State, local: dict[str, Value]) -> int:
        for position, predicate in enumerate(predicates):
            if self.evaluator.holds(predicate, state, **local):
                return position
        return OTHER


def crashes_of(evaluator: Evaluator, state: State) -> Iterator[tuple[Label, CrashState]]:
    """The crash states of one state, one label each: the smallest keep that leaves its disk. A cut crash is none."""
    bare = state.without_history()
    seen = set()
    for label in evaluator.candidates(state):
        if label.rule == "crash" and label.process is not None:
            index = evaluator.index[label.process]
            keep = label.arguments[0] if label.arguments else 0
            surviving = state.pending[index][keep - 1] if keep else state.disk[index]
            assert surviving is not None
            if (label.process, surviving) not in seen:
                seen.add((label.process, surviving))
                try:
                    evaluator.successor(state, label)
                except (NotEnabled, Cut):
                    continue
                yield label, CrashState(bare, label.process, surviving, keep)


def crash_states(
    evaluator: Evaluator, start: State, depth: int
) -> dict[CrashState, dict[Situation, tuple[Label, ...]]]:
    """Every crash state reachable in at most ``depth`` labels, with each situation that some run gives it and a
    shortest such run (the crash's label last). Raises EvaluationError."""
    classifier = Classifier(evaluator)
    explored = _reachable(evaluator, start, depth)
    found: dict[CrashState, dict[Situation, tuple[Label, ...]]] = {}
    for state in explored.states:
        for label, crash in crashes_of(evaluator, state):
            assert label.process is not None
            situations = found.setdefault(crash, {})
            situation = classifier.situation(state, label.process)
            if situation not in situations:
                situations[situation] = (*explored.run_to(state), label)
    return found


Interleaving = tuple[State, tuple[Label, ...]]
"""A start state and the 2k+1 labels from it."""


def interleavings(evaluator: Evaluator, start: State, depth: int, window: int) -> Iterator[Interleaving]:
    """Every label sequence of 2·window+1 labels with a crash in the middle, from each distinct state reachable in at
    most depth−window labels. Raises EvaluationError."""
    assert 0 <= window <= depth
    explored = _reachable(evaluator, start, depth - window)
    for state in explored.states:
        for labels in _sequences(evaluator, state, 2 * window + 1, window):
            yield state, labels


def _reachable(evaluator: Evaluator, start: State, max_steps: int) -> Explored:
    """All of it: a search that an error ended would count too little in silence."""
    explored = explore(evaluator, start=start, max_steps=max_steps, check=False)
    if explored.violation is not None:
        error = EvaluationError(explored.violation.message, None)
        error.labels = explored.violation.labels
        raise error
    return explored


def _sequences(evaluator: Evaluator, state: State, length: int, until_crash: int) -> Iterator[tuple[Label, ...]]:
    if length == 0:
        yield ()
        return
    for label, after in evaluator.transitions(state):
        if until_crash != 0 or label.rule == "crash":
            for rest in _sequences(evaluator, after, length - 1, until_crash - 1):
                yield (label, *rest)


def set_hash(items: Iterable[Value]) -> str:
    """SHA-256 of a set's elements, sorted: equal sets have equal hashes on every machine."""
    digest = hashlib.sha256()
    for text in sorted(canonical(item) for item in items):
        digest.update(text.encode())
        digest.update(b"\n")
    return digest.hexdigest()
