"""Enumeration: reachable states, crash states and crash interleavings, as language.md ("What is counted") defines them.

States are enumerated depth by depth, each depth as the image of the one before (see ``images``); what is counted is put
together from their transitions, so a transition that many interleavings share is found, and confirmed, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from checker.symbolic.errors import GaveUp
from checker.symbolic.images import Images
from checker.symbolic.situations import Situations
from checker.symbolic.watch import Deadline, Watch
from spec.counting import CrashState, Situation
from spec.state import DurableRecord, Label, State
from spec.system import System

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with (depth in labels, number found so far)."""

INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Reachable:
    """``levels[i]``: the distinct states first reached by i labels, in the order found. ``complete``: there are no
    others. ``stopped``: why the search ended early ("timeout", "interrupted"), else None."""

    levels: list[list[State]] = field(default_factory=list)
    reached_by: dict[State, tuple[State, Label] | None] = field(default_factory=dict)
    complete: bool = False
    stopped: str | None = None

    @property
    def distinct(self) -> int:
        return len(self.reached_by)

    def run_to(self, state: State) -> tuple[Label, ...]:
        """The labels of a shortest run to a state that was found."""
        labels: list[Label] = []
        step = self.reached_by[state]
        while step is not None:
            before, label = step
            labels.append(label)
            step = self.reached_by[before]
        return tuple(reversed(labels))


def reachable_states(
    system: System,
    start: State | None = None,
    max_depth: int | None = None,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
    images: Images | None = None,
    into: Reachable | None = None,
) -> Reachable:
    """The states reachable from ``start`` (default: the initial state) in at most ``max_depth`` labels.

    Raises EvaluationError where a transition has no meaning: ``into`` has what was found by then. Time running out and
    Ctrl-C leave it too. ``images``: what is known of the system's transitions already, with the deadline.
    """
    images = Images(system, Watch(Deadline(timeout))) if images is None else images
    found = Reachable() if into is None else into
    try:
        for depth, _ in enumerate(_levels(images, _start(images, start), found)):
            if progress is not None:
                progress(depth, found.distinct)
            if depth == max_depth:
                return found
        found.complete = True
    except (GaveUp, KeyboardInterrupt) as reason:
        found.stopped = _why(reason)
    return found


def _start(images: Images, start: State | None) -> State:
    return images.evaluator.initial_states()[0] if start is None else start


def _why(reason: BaseException) -> str:
    return str(reason) if isinstance(reason, GaveUp) else INTERRUPTED


def _levels(
    images: Images, start: State, found: Reachable, *, while_crashes_are_left: bool = False
) -> Iterator[list[State]]:
    """Fills ``found`` level by level, each when it is asked for. ``while_crashes_are_left``: without the states after
    which no crash can come, because their budget is spent."""

    def wanted(state: State) -> bool:
        return not while_crashes_are_left or _may_crash(images.system, state)

    found.reached_by[start] = None
    level = [start] if wanted(start) else []
    while level:
        found.levels.append(level)
        yield level
        images.compute(level)
        following: list[State] = []
        for state in level:
            for label, after in images.of(state):
                if after not in found.reached_by and wanted(after):
                    found.reached_by[after] = (state, label)
                    following.append(after)
        level = following


def _may_crash(system: System, state: State) -> bool:
    return state.budgets[0] < system.bounds.crashes


@dataclass(slots=True)
class CrashStates:
    """``found``: each crash state with the situations (windows and actors) that some run gives it, and such a run, the
    crash's label last. ``depth``: all those of σ reachable in at most that many labels are there (-1: not even those
    of the start)."""

    found: dict[CrashState, dict[Situation, tuple[Label, ...]]] = field(default_factory=dict)
    depth: int = -1
    stopped: str | None = None


def crash_states(
    system: System,
    start: State | None,
    depth: int,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
    images: Images | None = None,
) -> CrashStates:
    """Every crash state whose σ is reachable from ``start`` in at most ``depth`` labels.

    Time running out and Ctrl-C leave what was found.
    """
    images = Images(system, Watch(Deadline(timeout))) if images is None else images
    result, reached = CrashStates(), Reachable()
    situations = Situations(images)
    try:
        for bound, level in enumerate(_levels(images, _start(images, start), reached, while_crashes_are_left=True)):
            images.compute(level)
            situations.compute(level)
            for state in level:
                _add_crashes(images, situations, reached, state, result)
            result.depth = bound
            if progress is not None:
                progress(bound, len(result.found))
            if bound == depth:
                return result
        result.depth = depth  # no run is longer that could still crash
    except (GaveUp, KeyboardInterrupt) as reason:
        result.stopped = _why(reason)
    return result


def _add_crashes(images: Images, situations: Situations, reached: Reachable, state: State, result: CrashStates) -> None:
    """Adds a state's crash states: one for each process and surviving disk, with the smallest keep that leaves it."""
    bare, processes = state.without_history(), images.system.processes
    kept: dict[tuple[str, DurableRecord], Label] = {}
    for label, after in images.of(state):
        if label.rule == "crash":
            assert label.process is not None
            disk = after.disk[processes.index(label.process)]
            assert disk is not None
            known = kept.setdefault((label.process, disk), label)
            if label.arguments < known.arguments:
                kept[label.process, disk] = label
    for (process, disk), label in kept.items():
        found = result.found.setdefault(CrashState(bare, process, disk, *(label.arguments or (0,))), {})
        situation = situations.of(state, process)
        if situation not in found:
            found[situation] = (*reached.run_to(state), label)


@dataclass(frozen=True, slots=True)
class Interleaving:
    """``labels``: 2·window+1 labels from ``start``, a crash in the middle; ``prefix``: those that lead to ``start``."""

    prefix: tuple[Label, ...]
    start: State
    labels: tuple[Label, ...]


class Interleavings:
    """Iterates over every crash interleaving, as it is found. Afterwards ``count`` says how many there were, and
    ``stopped`` why the search ended early (None: it did not)."""

    def __init__(
        self,
        system: System,
        start: State | None,
        depth: int,
        window: int,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        images: Images | None = None,
    ) -> None:
        assert 0 <= window <= depth
        self.images = Images(system, Watch(Deadline(timeout))) if images is None else images
        self.start = _start(self.images, start)
        self.depth, self.window = depth, window
        self.progress = progress
        self.count = 0
        self.stopped: str | None = None

    def __iter__(self) -> Iterator[Interleaving]:
        reached = Reachable()
        try:
            levels = _levels(self.images, self.start, reached, while_crashes_are_left=True)
            for depth, level in enumerate(islice(levels, self.depth - self.window + 1)):
                for at in range(0, len(level), 64):
                    chunk = level[at : at + 64]
                    self._prepare(chunk)
                    for state in chunk:
                        prefix = reached.run_to(state)
                        for labels in self._from(state, 0):
                            self.count += 1
                            yield Interleaving(prefix, state, labels)
                    if self.progress is not None:
                        self.progress(depth, self.count)
        except (GaveUp, KeyboardInterrupt) as reason:
            self.stopped = _why(reason)

    def _prepare(self, states: list[State]) -> None:
        """Computes the transitions of all that the interleavings from these states pass through, depth by depth."""
        for position in range(2 * self.window + 1):
            self.images.compute(states)
            successors = (after for state in states for label, after in self._steps(state, position))
            states = list(dict.fromkeys(successors))

    def _steps(self, state: State, position: int) -> Iterator[tuple[Label, State]]:
        """The labels that an interleaving may have at this position: before the middle, a crash must be left."""
        for label, after in self.images.of(state):
            if position == self.window:
                if label.rule == "crash":
                    yield label, after
            elif position > self.window or _may_crash(self.images.system, after):
                yield label, after

    def _from(self, state: State, position: int) -> Iterator[tuple[Label, ...]]:
        if position == 2 * self.window + 1:
            yield ()
            return
        for label, after in self._steps(state, position):
            for rest in self._from(after, position + 1):
                yield (label, *rest)


def interleavings(
    system: System,
    start: State | None,
    depth: int,
    window: int,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
    images: Images | None = None,
) -> Interleavings:
    """Every sequence of 2·window+1 labels with a crash in the middle, from each distinct state reachable from
    ``start`` in at most depth−window labels."""
    return Interleavings(system, start, depth, window, timeout=timeout, progress=progress, images=images)


__all__ = ["CrashStates", "Interleaving", "Reachable", "crash_states", "interleavings", "reachable_states"]
