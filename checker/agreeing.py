"""The engines that must agree, each asked for everything within runs of so many labels; see ``agreement``.

Importing this module imports z3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from checker.agreement import Agreed, Crashes, Engine, EngineFailed, Interleavings, Level, answer
from checker.explicit.back_end import BackEnd
from checker.explicit.counting import crash_states, interleavings, transitions_of
from checker.explicit.errors import ExplicitError
from checker.explicit.search import Stopped, explore
from checker.explicit_search import require_native
from checker.progress import OutOfTime, Progress
from checker.question import Question
from checker.symbolic import enumerate as by_symbolic
from checker.symbolic.check import Violation, check
from checker.symbolic.depths import Unknown
from checker.symbolic.errors import EnginesDisagree, SymbolicError
from checker.symbolic.images import Images
from checker.symbolic.watch import Deadline, Watch
from spec import counting
from spec import explore as reference
from spec.evaluate import EvaluationError
from spec.state import Label, State
from spec.system import Agreement

SMALL = 20_000
"""Of how many states at most the reference engine is asked, too."""

Tick = Callable[[str, int], None]
"""Called with what is being counted and how many there are; raises OutOfTime."""


def compare(question: Question, bound: Agreement, timeout: float | None) -> Agreed:
    """Asks the explicit engine, the symbolic one, and of a small model the reference. Raises Stop without llvmlite."""
    require_native()
    start, prefix = question.start()
    agreed = Agreed(question, bound, start, prefix)
    deadline = Deadline(timeout)
    engines: list[Callable[[Tick], Engine]] = [
        lambda tick: _Explicit(question, start, deadline, tick),
        lambda tick: _Symbolic(question, start, deadline, tick),
        lambda tick: _Reference(question, start, deadline, tick),
    ]
    for make in engines:
        if agreed.stopped or (len(agreed.sides) == 2 and max(side.distinct for side in agreed.sides) > SMALL):
            break
        with Progress(f"agree: {question.path.name}, model {question.system.model}") as progress:
            agreed.sides.append(answer(make(_ticker(progress, deadline)), bound))
    return agreed


def _ticker(progress: Progress, deadline: Deadline) -> Tick:
    def tick(what: str, number: int) -> None:
        progress(number, what)
        left = deadline.left()
        if left is not None and left <= 0:
            raise OutOfTime

    return tick


class _Explicit:
    """Native code: the search's own levels, and what is counted over compiled transitions."""

    name = "explicit"

    def __init__(self, question: Question, start: State, deadline: Deadline, tick: Tick) -> None:
        self.question, self.start, self.deadline, self.tick = question, start, deadline, tick
        self.first: int | None = None

    def find_levels(self, depth: int, into: list[Level]) -> None:
        def watch(states: Iterable[tuple[State, State | None]]) -> None:
            level = dict(states)
            if any(before is None for before in level.values()):
                into.clear()  # the search has begun, maybe again
            into.append(level)

        with self._failures():
            found = explore(
                self.question.system,
                start=self.start,
                max_steps=depth,
                only=self.question.only,
                timeout=self.deadline.left(),
                go_on=True,
                back_end=BackEnd.NATIVE,
                watch=watch,
            )
        if found.stopped is not None:
            raise KeyboardInterrupt if found.stopped is Stopped.INTERRUPTED else OutOfTime
        violations = [*found.violations.values(), *([found.violation] if found.violation is not None else [])]
        self.first = min((len(violation.labels) for violation in violations), default=None)
        if found.violation is not None and found.violation.property is None:
            raise EvaluationError(found.violation.message, None)

    def shortest(self, depth: int) -> int | None:
        return self.first

    def crashes(self, depth: int) -> Crashes:
        with self._failures():
            transitions = transitions_of(self.question.system)
            found = crash_states(transitions, self.start, depth, lambda n: self.tick("explicit: crash states", n))
        return {(crash, situation): run for crash, runs in found.items() for situation, run in runs.items()}

    def interleavings(self, depth: int, window: int) -> Interleavings:
        with self._failures():
            result: Interleavings = {}
            for found in interleavings(transitions_of(self.question.system), self.start, depth, window):
                result[found.start, found.labels] = found.prefix
                self.tick("explicit: interleavings", len(result))
        return result

    def transitions(self, state: State) -> Iterable[tuple[Label, State]]:
        return transitions_of(self.question.system).of(state)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except ExplicitError as error:
            raise EngineFailed(str(error)) from error


class _Symbolic:
    """z3: All-SAT over one step from sets of states for the sets, a search over unrolled steps for the verdict."""

    name = "symbolic"

    def __init__(self, question: Question, start: State, deadline: Deadline, tick: Tick) -> None:
        self.question, self.start, self.deadline, self.tick = question, start, deadline, tick
        self.images = Images(question.system, Watch(deadline))

    def find_levels(self, depth: int, into: list[Level]) -> None:
        known = by_symbolic.Reachable()
        try:
            with self._failures():
                found = by_symbolic.reachable_states(
                    self.question.system,
                    self.start,
                    depth,
                    progress=lambda depth, count: self.tick(f"symbolic: depth {depth}", count),
                    images=self.images,
                    into=known,
                )
        finally:
            for level in known.levels:
                steps = ((state, known.reached_by[state]) for state in level)
                into.append({state: None if step is None else step[0] for state, step in steps})
        self._stopped(found.stopped)

    def shortest(self, depth: int) -> int | None:
        system, only = self.question.system, self.question.only
        with self._failures():
            found = check(system, depth, start=self.start, only=only, watch=Watch(self.deadline))
        if isinstance(found, Unknown):
            raise OutOfTime
        return len(found.labels) if isinstance(found, Violation) else None

    def crashes(self, depth: int) -> Crashes:
        with self._failures():
            found = by_symbolic.crash_states(
                self.question.system,
                self.start,
                depth,
                progress=lambda depth, count: self.tick("symbolic: crash states", count),
                images=self.images,
            )
        self._stopped(found.stopped)
        return {(crash, situation): run for crash, runs in found.found.items() for situation, run in runs.items()}

    def interleavings(self, depth: int, window: int) -> Interleavings:
        with self._failures():
            search = by_symbolic.interleavings(self.question.system, self.start, depth, window, images=self.images)
            result: Interleavings = {}
            for found in search:
                result[found.start, found.labels] = found.prefix
                self.tick("symbolic: interleavings", len(result))
        self._stopped(search.stopped)
        return result

    def transitions(self, state: State) -> Iterable[tuple[Label, State]]:
        return self.images.of(state)

    def _stopped(self, why: str | None) -> None:
        if why is not None:
            raise KeyboardInterrupt if why == by_symbolic.INTERRUPTED else OutOfTime

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except EnginesDisagree as error:
            raise EngineFailed(str(error), error.state, error.label if error.state is not None else None) from error
        except SymbolicError as error:
            raise EngineFailed(str(error)) from error


class _Reference:
    """The evaluator: breadth-first, and what is counted by the letter of the definition."""

    name = "reference"

    def __init__(self, question: Question, start: State, deadline: Deadline, tick: Tick) -> None:
        self.question, self.start, self.deadline, self.tick = question, start, deadline, tick
        self.evaluator = question.evaluator

    def find_levels(self, depth: int, into: list[Level]) -> None:
        found = reference.explore(
            self.evaluator,
            start=self.start,
            max_steps=depth,
            check=False,
            progress=lambda depth, distinct, queue: self.tick(f"reference: depth {depth}", distinct),
        )
        states = iter(found.states.items())
        for count in found.levels:
            into.append({state: before for state, (before, _) in (next(states) for _ in range(count))})
        if found.violation is not None:
            raise EvaluationError(found.violation.message, None)

    def shortest(self, depth: int) -> int | None:
        found = reference.explore(
            self.evaluator,
            start=self.start,
            max_steps=depth,
            only=self.question.only,
            progress=lambda depth, distinct, queue: self.tick(f"reference: properties, depth {depth}", distinct),
        )
        return None if found.violation is None else len(found.violation.labels)

    def crashes(self, depth: int) -> Crashes:
        found = counting.crash_states(self.evaluator, self.start, depth)
        return {(crash, situation): run for crash, runs in found.items() for situation, run in runs.items()}

    def interleavings(self, depth: int, window: int) -> Interleavings:
        runs = reference.explore(self.evaluator, start=self.start, max_steps=depth - window, check=False)
        result: Interleavings = {}
        for state, labels in counting.interleavings(self.evaluator, self.start, depth, window):
            result[state, labels] = runs.run_to(state)
            self.tick("reference: interleavings", len(result))
        return result

    def transitions(self, state: State) -> Iterable[tuple[Label, State]]:
        return self.evaluator.transitions(state)
