"""The explicit engine's search: breadth-first, level after level, exact, on one or more threads.

A level is expanded in rounds: every worker expands its own states until it is done or an outbox is full, then all
absorb what was sent to them. What a worker does depends only on its own states, so counts are the same on every run;
they do not depend on the number of workers either, because a level is finished before its first violation is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from checker.explicit.available import MemoryWatch
from checker.explicit.back_end import INSTALL, BackEnd, choose
from checker.explicit.cache import remember_capacity
from checker.explicit.errors import (
    Disagreement,
    DoesNotFit,
    ExplicitError,
    NeedsNative,
    NotEncodable,
    NotPermutable,
    OrderMatters,
)
from checker.explicit.layout import Capacity
from checker.explicit.symmetry import NONE, Symmetry, symmetry_of
from spec.evaluate import Evaluator
from spec.explore import OutDegree, Violation
from spec.state import Label, State
from spec.system import System

if TYPE_CHECKING:
    from checker.explicit.checkpoint import Saved
    from checker.explicit.compile import Compiled
    from checker.explicit.levels import Levels


@dataclass(frozen=True, slots=True)
class Room:
    """``memory``: bytes that the search may take before it goes on on disk; ``None``: it does not, and takes what the
    machine can spare. ``checkpoint``: the folder to leave checkpoints in;
    ``recover``: one to go on from. ``interval``: about how many seconds from one checkpoint to the next."""

    memory: int | None = None
    checkpoint: Path | None = None
    recover: Path | None = None
    interval: float = 30.0


UNLIMITED = Room()


class Stopped(Enum):
    """Why a search ended before its queue was empty, or its depth or a violation was reached."""

    TIME = "time is up"
    INTERRUPTED = "interrupted"
    MEMORY = "out of memory"
    NUMBERS = "too many states"
    DISK = "the disk is full or fails"


@dataclass(frozen=True, slots=True)
class Now:
    """How far a search is. ``rate``: states generated a second, since the last report. ``expanded``, of the ``known``
    states of this depth and those before; ``expanded_rate`` of them a second."""

    depth: int
    distinct: int
    generated: int
    queue: int
    rate: float
    bytes: int
    seconds: float
    expanded: int = 0
    known: int = 0
    expanded_rate: float = 0.0

    @property
    def level_seconds_left(self) -> float | None:
        """How long the level will take, at the rate since the last report."""
        return (self.known - self.expanded) / self.expanded_rate if self.expanded_rate > 0 else None


Progress = Callable[[Now], None]

Watch = Callable[[Iterable[tuple[State, State | None]]], None]
"""Called with the states of each level when all of it is known, each with the state that it was found from."""

Builds = dict[tuple[Capacity | None, Symmetry], "Compiled"]
"""The code of one system, by the room that states have and what they are stored up to."""


@dataclass(slots=True)
class Explored:
    """What a search found, in the words of :class:`spec.explore.Explored`; the states themselves are gone.

    ``levels[i]``: distinct states first reached by i labels. ``seconds``: by phase (emit, build, load, search).
    ``capacity``: the room that states were given at last; what did not fit made the search begin again. ``symmetry``:
    what the counts are up to.
    """

    levels: list[int] = field(default_factory=list)
    generated: int = 0
    expanded: int = 0
    distinct: int = 0
    complete: bool = False
    violation: Violation | None = None
    violations: dict[str, Violation] = field(default_factory=dict)
    out_degree: OutDegree | None = None
    deadlock: tuple[Label, ...] | None = None
    cuts: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    reached: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    stopped: Stopped | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    cached: bool = False
    workers: int = 1
    bytes_per_state: int = 0
    budget: int | None = None  # bytes of memory that it may take
    capacity: Capacity = field(default_factory=Capacity)
    symmetry: Symmetry = NONE
    on_disk: bool = False
    reason: str = ""  # why it was stopped, if that takes more words
    fingerprints: bool = False
    back_end: BackEnd = BackEnd.NATIVE

    @property
    def collision_probability(self) -> float | None:
        """As TLC calculates it, optimistically: that two states had one fingerprint and the second went unseen."""
        return self.distinct * max(0, self.generated - self.distinct) / 2.0**64 if self.fingerprints else None

    @property
    def queue(self) -> int:
        """States found and not expanded."""
        return self.distinct - self.expanded

    @property
    def depth(self) -> int:
        """Levels, the initial one counted as 1 (as TLC counts)."""
        return len(self.levels)


def explore(
    system: System,
    *,
    start: State | None = None,
    max_steps: int | None = None,
    only: str | None = None,
    timeout: float | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    capacity: Capacity | None = None,
    cache: Path | None = None,
    room: Room = UNLIMITED,
    fingerprints: bool = False,
    symmetry: bool = False,
    stop_at_deadlock: bool = False,
    go_on: bool = False,
    back_end: BackEnd | None = None,
    watch: Watch | None = None,
    builds: Builds | None = None,
) -> Explored:
    """Searches from ``start`` (default: the initial state), at most ``max_steps`` labels deep, for at most ``timeout``
    seconds. ``only``: heed this one property. ``progress`` is called once a second. ``room``: how much memory there is,
    and where the search leaves checkpoints. ``fingerprints``: states are told apart by their hashes. ``symmetry``: of
    states that are alike but for a permutation of symmetric sets only one is stored, so far as the system allows it.
    ``go_on``: a violation does not end the search; the first of each property is kept. ``watch`` sees the states, of a
    search that has to begin again from the first level on again. ``builds``: what was compiled for searches of the same
    system before. ``back_end``: by default the one that the environment
    asks for, or the faster one that there is.

    KeyboardInterrupt ends the search with what it has found so far. Raises NotEncodable for a spec that this engine
    cannot compile, Disagreement if the evaluator does not confirm what was found, TooLittleMemory, CheckpointError,
    NeedsNative for what Python source cannot do, OSError."""
    if (back_end or choose().back_end) is BackEnd.PYTHON:
        from checker.explicit.source_search import explore_source

        if room != UNLIMITED or fingerprints or watch is not None:
            raise NeedsNative(f"a memory budget, checkpoints, fingerprints and a watch need native code: {INSTALL}")
        first = Evaluator(system).initial_states()[0] if start is None else start
        return explore_source(
            system,
            first,
            max_steps,
            only,
            Clock(timeout, progress),
            symmetry=symmetry,
            stop_at_deadlock=stop_at_deadlock,
            go_on=go_on,
        )
    from checker.explicit.checkpoint import taken

    with taken(room.checkpoint, room.recover) as saved:
        return _explore_natively(
            system,
            start,
            max_steps,
            only,
            Clock(timeout, progress),
            room,
            saved,
            workers=workers,
            capacity=capacity,
            cache=cache,
            fingerprints=fingerprints,
            symmetry=symmetry,
            stop_at_deadlock=stop_at_deadlock,
            go_on=go_on,
            watch=watch,
            builds={} if builds is None else builds,
        )


def _explore_natively(
    system: System,
    start: State | None,
    max_steps: int | None,
    only: str | None,
    clock: Clock,
    room: Room,
    saved: Saved | None,
    *,
    workers: int,
    capacity: Capacity | None,
    cache: Path | None,
    fingerprints: bool,
    symmetry: bool,
    stop_at_deadlock: bool,
    go_on: bool,
    watch: Watch | None,
    builds: Builds,
) -> Explored:
    """``saved``: where to go on from."""
    from checker.explicit.compile import compiled
    from checker.explicit.levels import Levels

    assert workers >= 1
    evaluator = Evaluator(system)
    first = evaluator.initial_states()[0] if start is None else start
    if saved is not None:
        capacity, workers = saved.capacity, len(saved.workers)
    states = capacity
    asked: Path | None = None  # where to remember how much room was needed
    seconds: dict[str, float] = {}
    alike = symmetry_of(system) if symmetry else NONE
    while True:
        try:
            if (code := builds.get((states, alike))) is None:
                code = builds[states, alike] = compiled(system, states, cache, alike, fingerprints=fingerprints)
                builds[code.layout.capacity, alike] = code
            asked = code.capacity_path if states is None else asked
            states = code.layout.capacity
            if saved is not None and alike and saved.key != code.key:  # it may have been given up before
                alike = alike.without("the checkpoint is not of a search up to its symmetry")
                continue
            seconds = {phase: seconds.get(phase, 0) + more for phase, more in code.seconds.items()}
            with ExitStack() as memory:
                levels = Levels(code, evaluator, workers, memory, clock, only, first, room, go_on=go_on)
                try:
                    found = _searched(levels, max_steps, saved, stop_at_deadlock, watch)
                finally:
                    levels.rest()
        except OrderMatters:
            if not alike:
                raise
            alike, saved = alike.without("an evaluation fails for some orders of its elements only"), None
            continue
        except NotPermutable as reason:
            alike = alike.without(str(reason))
            continue
        except DoesNotFit as full:
            assert states is not None
            states, saved = states.grown(full.what), None  # what was saved has too little room
            continue
        found.seconds = {**seconds, **found.seconds}
        if asked is not None and states != Capacity():
            remember_capacity(asked, states)
        found.capacity, found.cached, found.symmetry = states, code.cached, alike
        found.fingerprints = fingerprints
        return found


def _searched(
    levels: Levels, max_steps: int | None, saved: Saved | None, stop_at_deadlock: bool, watch: Watch | None
) -> Explored:
    from checker.explicit.visited import TooManyStates

    began = time.monotonic()
    found = levels.found
    try:
        if saved is None:
            levels.begin()
        else:
            levels.disk.take_up(saved)
        while levels.current:
            if stop_at_deadlock and found.deadlock is not None:  # known from the checkpoint
                break
            found.levels.append(levels.current)
            if watch is not None:
                watch(levels.states())
            if levels.check():
                break
            if max_steps is not None and len(found.levels) > max_steps:
                break
            if levels.expand() or (stop_at_deadlock and found.deadlock is not None):
                break
            levels.disk.leave_checkpoint()
        else:
            found.complete = True
    except OutOfTime:
        found.stopped = Stopped.TIME
    except KeyboardInterrupt:
        found.stopped = Stopped.INTERRUPTED
    except MemoryError as full:
        found.stopped, found.reason = Stopped.MEMORY, str(full)
    except TooManyStates as full:
        found.stopped, found.reason = Stopped.NUMBERS, str(full)
    except OSError as error:
        found.stopped, found.reason = Stopped.DISK, levels.disk.failed(error)
    levels.sum_up()
    found.seconds["search"] = levels.disk.seconds + time.monotonic() - began
    return found


class OutOfTime(Exception):
    """The time that the search was given has passed."""


class Search(Protocol):
    """What can tell how far it is."""

    def now(self, seconds: float) -> Now: ...


class Clock:
    """Ends the search when its time is up or the machine's memory is, and reports progress once a second."""

    def __init__(self, timeout: float | None, progress: Progress | None) -> None:
        self.began = self.reported = time.monotonic()
        self.timeout, self.progress, self.generated, self.expanded = timeout, progress, 0, 0
        self.memory = MemoryWatch()

    def tick(self, levels: Search) -> None:
        """Raises OutOfTime, MemoryError."""
        self.memory.look()
        now = time.monotonic()
        if self.timeout is not None and now - self.began > self.timeout:
            raise OutOfTime
        if self.progress is not None and now - self.reported >= 1:
            report, passed = levels.now(now - self.began), now - self.reported
            rates = (report.generated - self.generated) / passed, (report.expanded - self.expanded) / passed
            self.reported, self.generated, self.expanded = now, report.generated, report.expanded
            self.progress(replace(report, rate=rates[0], expanded_rate=rates[1]))


__all__ = [
    "Builds",
    "Capacity",
    "Disagreement",
    "ExplicitError",
    "Explored",
    "NeedsNative",
    "NotEncodable",
    "Now",
    "Progress",
    "Room",
    "Stopped",
    "explore",
]
