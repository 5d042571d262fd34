"""Do the engines agree? What each of them finds within runs of so many labels, and the smallest difference.

An engine is asked for its sets, not for its counts: sets of one size may differ.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import combinations
from typing import Protocol

from checker.progress import OutOfTime
from checker.question import Question
from checker.verdict import Exit
from spec.counting import CrashState, Situation
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.script import describe
from spec.state import Label, State
from spec.system import Agreement
from spec.values import canonical

Level = dict[State, State | None]
"""The states first reached by one number of labels, each with a state that it was reached from."""

Crashes = dict[tuple[CrashState, Situation], tuple[Label, ...]]
"""Crash states with their situations, and a run to each, the crash's label last."""

Interleavings = dict[tuple[State, tuple[Label, ...]], tuple[Label, ...]]
"""Interleavings by their start and labels, and a run to the start."""

DEFAULT = Agreement(depth=4, window=1)
"""What is compared of a model that does not say."""


class EngineFailed(Exception):
    """The engine contradicts the evaluator, and says so itself: in a state, or by a label from there, if it knows."""

    def __init__(self, message: str, state: State | None = None, label: Label | None = None) -> None:
        super().__init__(message)
        self.state, self.label = state, label


class Engine(Protocol):
    """One engine, asked for all of one question. What runs out of time raises OutOfTime."""

    name: str

    def find_levels(self, depth: int, into: list[Level]) -> None:
        """Raises EvaluationError, EngineFailed; ``into`` has the levels that were known by then."""

    def shortest(self, depth: int) -> int | None:
        """The length of a shortest violation or evaluation error of at most ``depth`` labels."""

    def crashes(self, depth: int) -> Crashes: ...

    def interleavings(self, depth: int, window: int) -> Interleavings: ...

    def transitions(self, state: State) -> Iterable[tuple[Label, State]]: ...


class Part(IntEnum):
    """What is compared, in this order."""

    FAILURE = 0
    STATES = 1
    VERDICT = 2
    CRASHES = 3
    INTERLEAVINGS = 4


@dataclass(slots=True)
class Side:
    """What an engine answered. ``known``: the parts that it came to the end of; ``failing``: those that ended in an
    evaluation error of the spec. ``stopped``: why it did not answer all."""

    engine: Engine
    levels: list[Level] = field(default_factory=list)
    shortest: int | None = None
    crashes: Crashes = field(default_factory=dict)
    interleavings: Interleavings = field(default_factory=dict)
    known: set[Part] = field(default_factory=set)
    failing: set[Part] = field(default_factory=set)
    failure: EngineFailed | None = None
    stopped: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def distinct(self) -> int:
        return sum(map(len, self.levels))

    def run_to(self, state: State) -> tuple[Label | None, ...]:
        """A shortest run to a state that was found; None for a step that the engine has no label for."""
        where = next(i for i, level in enumerate(self.levels) if state in level)
        labels: list[Label | None] = []
        for level in reversed(self.levels[: where + 1]):
            before = level[state]
            if before is None:
                break
            labels.append(next((label for label, after in self.engine.transitions(before) if after == state), None))
            state = before
        return tuple(reversed(labels))


def answer(engine: Engine, bound: Agreement) -> Side:
    """All that an engine says. KeyboardInterrupt, and time running out, leave what was found by then."""
    side = Side(engine)
    started = time.monotonic()
    try:
        with _part(side, Part.STATES):
            engine.find_levels(bound.depth, side.levels)
        with _part(side, Part.VERDICT):
            side.shortest = engine.shortest(bound.depth)
        with _part(side, Part.CRASHES):
            side.crashes = engine.crashes(crash_depth(bound))
        with _part(side, Part.INTERLEAVINGS):
            side.interleavings = engine.interleavings(interleaving_depth(bound), bound.window)
    except EngineFailed as failure:
        side.failure = failure
    except OutOfTime:
        side.stopped = "time is up"
    except KeyboardInterrupt:
        side.stopped = "interrupted"
    side.seconds = time.monotonic() - started
    return side


def crash_depth(bound: Agreement) -> int:
    """The D of crash states whose crash is the last of at most ``bound.depth`` labels."""
    return bound.depth - 1


def interleaving_depth(bound: Agreement) -> int:
    """The D of interleavings that end within ``bound.depth`` labels."""
    return bound.depth - bound.window - 1


@contextmanager
def _part(side: Side, part: Part) -> Iterator[None]:
    try:
        yield
    except EvaluationError:
        side.failing.add(part)
    side.known.add(part)


# ------------------------------------------------------------------------------------------- comparison


@dataclass(frozen=True, slots=True)
class Difference:
    """``only`` has something that ``other`` has not: a state first reached by ``depth`` labels, a crash state, an
    interleaving; or ``message`` says what it is. ``run``: the labels that lead there and through it; None: a step that
    the engine has no label for. ``state``: what ``only`` says is at its end, where that is known."""

    part: Part
    only: str
    other: str
    message: str
    depth: int = 0
    run: tuple[Label | None, ...] = ()
    state: State | None = None


@dataclass(slots=True)
class Agreed:
    """One model, asked of several engines. ``prefix``: the labels of the model's start."""

    question: Question
    bound: Agreement
    start: State
    prefix: tuple[Label, ...]
    sides: list[Side] = field(default_factory=list)

    @property
    def difference(self) -> Difference | None:
        """The smallest: by part, and by depth. Of two engines that both came to the end of a part."""
        found = [d for a, b in combinations(self.sides, 2) for d in _differences(a, b, self.start)]
        return min(found, key=lambda d: (d.part, d.depth), default=None)

    @property
    def stopped(self) -> str:
        return next((side.stopped for side in self.sides if side.stopped), "")

    @property
    def code(self) -> Exit:
        if self.difference is not None:
            return Exit.ENGINES_DISAGREE
        if self.stopped:
            return Exit.INTERRUPTED if self.stopped == "interrupted" else Exit.INCONCLUSIVE
        return Exit.HOLDS

    def opinion(self, difference: Difference) -> str:
        """Whom the reference evaluator agrees with."""
        return _opinion(self.question.evaluator, self.start, difference)


def _differences(a: Side, b: Side, start: State) -> Iterator[Difference]:
    for one, other in ((a, b), (b, a)):
        if one.failure is not None:
            yield _failure(one, other.name)
    if a.failure or b.failure:
        yield from _of_levels(a, b, min(len(a.levels), len(b.levels)))
        return
    ended = Part.STATES in a.known & b.known and not (a.failing | b.failing)
    count = max(len(a.levels), len(b.levels)) if ended else min(len(a.levels), len(b.levels))
    yield from _of_levels(a, b, count)
    for part in sorted((a.known & b.known) - {Part.STATES}):
        if (part in a.failing) != (part in b.failing):
            only, other = (a, b) if part in a.failing else (b, a)
            yield Difference(part, only.name, other.name, "an evaluation error of the spec")
        elif part not in a.failing:
            yield from _of_part(part, a, b, start)


def _failure(side: Side, other: str) -> Difference:
    failure = side.failure
    assert failure is not None
    run = side.run_to(failure.state) if failure.state is not None else ()
    run += (failure.label,) if failure.label is not None else ()
    return Difference(Part.FAILURE, side.name, other, str(failure), len(run), run)


def _of_levels(a: Side, b: Side, count: int) -> Iterator[Difference]:
    for depth in range(count):
        mine, theirs = (side.levels[depth] if depth < len(side.levels) else {} for side in (a, b))
        for one, other, missing in ((a, b, mine.keys() - theirs.keys()), (b, a, theirs.keys() - mine.keys())):
            if missing:
                state = min(missing, key=canonical)
                message = f"{len(missing):,} states first reached by {depth} labels"
                yield Difference(Part.STATES, one.name, other.name, message, depth, one.run_to(state), state)
        if mine.keys() != theirs.keys():
            return


def _of_part(part: Part, a: Side, b: Side, start: State) -> Iterator[Difference]:
    if part is Part.VERDICT:
        if a.shortest != b.shortest:
            only, other = (a, b) if b.shortest is None or (a.shortest or b.shortest + 1) < b.shortest else (b, a)
            message = f"a violation of {only.shortest} labels (a shortest one: {other.shortest or 'none'})"
            yield Difference(part, only.name, other.name, message)
        return
    for one, other in ((a, b), (b, a)):
        if part is Part.CRASHES:
            lost = [run for crash, run in one.crashes.items() if crash not in other.crashes]
            what = "crash states (or windows of them)"
        else:
            keys = one.interleavings.keys() - other.interleavings.keys()
            lost = [one.interleavings[key] + key[1] for key in keys]
            what = "interleavings"
        if lost:
            run = min(lost, key=lambda labels: (len(labels), canonical(labels)))
            yield Difference(part, one.name, other.name, f"{len(lost):,} {what}", len(run), run)


def _opinion(evaluator: Evaluator, start: State, difference: Difference) -> str:
    state = start
    for number, label in enumerate(difference.run, 1):
        if label is None:
            return f"no label of {difference.only} leads to it in step {number}"
        try:
            state = evaluator.successor(state, label)
        except (NotEnabled, Cut, EvaluationError) as refusal:
            what = f"step {number}, {describe(label)} ({type(refusal).__name__} {refusal})".replace(" )", ")")
            return f"the evaluator sides with {difference.other}: it refuses {what}"
    if not difference.run and difference.part is not Part.STATES:
        return ""
    if difference.state is not None and difference.state != state:
        return f"the evaluator sides with {difference.other}: the run leads it to another state"
    return f"the evaluator sides with {difference.only}: it takes this run"
