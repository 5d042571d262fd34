"""Enumerating crash states and interleavings: the unit of work, a plain function of (question, cube) → result.

A cube is one scripted prefix with its depth and window. Cubes are independent of each other, so they can be spread over
processes, and later over machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from checker.coverage import Found
from checker.progress import OutOfTime
from checker.question import Question, reported_errors
from checker.symbolic.watch import Deadline, Watch
from checker.verdict import Exit, Stop
from spec.counting import CrashState, crash_states, interleavings, set_hash
from spec.explore import explore
from spec.state import Label, State
from spec.system import Enumeration

Report = Callable[[str, int], None]
"""Called with what is being counted and how many there are so far."""


@dataclass(frozen=True, slots=True)
class Interleaving:
    """``until``: the labels from the initial state to ``start``; ``labels``: the 2k+1 from there, a crash in the
    middle. Two are the same iff ``start`` and ``labels`` are."""

    until: tuple[Label, ...]
    start: State
    labels: tuple[Label, ...]

    @property
    def key(self) -> tuple[State, tuple[Label, ...]]:
        return self.start, self.labels


@dataclass(slots=True)
class Enumerated:
    """What was found of one cube. ``complete``: everything within the bound was; otherwise ``reason`` says why not.
    ``processor_seconds``: of this process, which works on nothing else meanwhile; other load does not lengthen them."""

    cube: Enumeration
    crashes: list[Found] = field(default_factory=list)
    interleavings: list[Interleaving] = field(default_factory=list)
    complete: bool = False
    reason: str = ""
    seconds: float = 0.0
    processor_seconds: float = 0.0

    @property
    def crash_keys(self) -> set[CrashState]:
        return {crash for crash, _, _ in self.crashes}

    @property
    def crash_states(self) -> int:
        return len(self.crash_keys)

    def same_as(self, other: Enumerated) -> bool:
        """Whether the sets are equal: crash states with their situations, and interleavings."""
        mine, others = ({found[:2] for found in part.crashes} for part in (self, other))
        return mine == others and {i.key for i in self.interleavings} == {i.key for i in other.interleavings}


def cubes(question: Question, scenario: str | None, depth: int | None, window: int | None) -> tuple[Enumeration, ...]:
    """What to enumerate: what the command line names, else what the model declares. Raises Stop."""
    declared = question.system.enumerations
    if scenario is not None:
        declared = tuple(e for e in declared if e.scenario == scenario) or (Enumeration(scenario, 3, 1),)
    if not declared:
        raise Stop(
            Exit.USAGE,
            f"model {question.system.model} declares nothing to enumerate; add a line `enumerate SCENARIO depth 3 "
            "window 1` to it, or name one with --scenario",
        )
    chosen = tuple(
        Enumeration(e.scenario, e.depth if depth is None else depth, e.window if window is None else window)
        for e in declared
    )
    for cube in chosen:
        if cube.window > cube.depth:
            raise Stop(Exit.USAGE, f"window {cube.window} is larger than depth {cube.depth}: allowed is 0..depth")
    return chosen


def enumerate_reference(question: Question, cube: Enumeration, report: Report, into: Enumerated) -> None:
    """By brute force over the evaluator."""
    evaluator = question.evaluator
    start, prefix = question.start(cube.scenario)
    for crash, situations in crash_states(evaluator, start, cube.depth).items():
        for situation, labels in situations.items():
            into.crashes.append((crash, situation, prefix + labels))
            report("crash states", len(into.crashes))
    runs = explore(evaluator, start=start, max_steps=cube.depth - cube.window, check=False)
    for state, labels in interleavings(evaluator, start, cube.depth, cube.window):
        into.interleavings.append(Interleaving(prefix + runs.run_to(state), state, labels))
        report("interleavings", len(into.interleavings))
    into.complete = True


def enumerate_cube(
    question: Question,
    cube: Enumeration,
    engine: str,
    report: Report,
    timeout: float | None = None,
    watch: Watch | None = None,
) -> Enumerated:
    """Everything of one cube by one engine. Ctrl-C propagates as :class:`Partial`, with what was found. ``watch``: of
    the questions to z3."""
    found = Enumerated(cube)
    started, busy = time.monotonic(), time.process_time()

    def report_in_time(what: str, number: int) -> None:
        report(what, number)
        if timeout is not None and time.monotonic() - started > timeout:
            raise OutOfTime

    try:
        with reported_errors():
            if engine == "reference":
                enumerate_reference(question, cube, report_in_time, found)
            elif engine == "explicit":
                from checker.explicit_search import enumerate_explicit

                enumerate_explicit(question, cube, report_in_time, found)
            else:
                from checker.symbolic_search import enumerate_symbolic

                enumerate_symbolic(question, cube, report, found, watch or Watch(Deadline(timeout)))
    except OutOfTime:
        found.reason = "timeout"
    except KeyboardInterrupt:
        found.reason = "interrupted"
        raise Partial(found) from None
    finally:
        found.seconds, found.processor_seconds = time.monotonic() - started, time.process_time() - busy
    return found


class Partial(Exception):
    """An enumeration that Ctrl-C ended; ``found`` is what there was."""

    def __init__(self, found: Enumerated) -> None:
        super().__init__("interrupted")
        self.found = found


def distinct(parts: Iterable[Enumerated], *, hashed: bool = True) -> tuple[list[Interleaving], str]:
    """The distinct interleavings of several cubes, and the hash of the sorted set, if it is asked for."""
    unique = {interleaving.key: interleaving for part in parts for interleaving in part.interleavings}
    return list(unique.values()), set_hash(unique) if hashed else ""
