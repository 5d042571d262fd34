"""Random runs: from one state, label after label, each chosen at random among those that are enabled and not cut.

A sample and not a search: it goes deep where a search cannot, and that it finds nothing proves nothing. Run ``r`` of a
seed depends on the seed and ``r`` only, so that it can be had again. What is found is confirmed by the evaluator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from checker.explicit.back_end import BackEnd
from checker.explicit.errors import Disagreement, DoesNotFit
from checker.explicit.layout import Capacity
from checker.explicit.search import OutOfTime, Stopped
from checker.explicit.stepping import Fired, Mark, Stepping, Stored
from checker.explicit.trace import Confirmation
from spec.evaluate import Evaluator
from spec.explore import Violation
from spec.state import Label, State
from spec.system import System

Report = Callable[[int, int], None]
"""Called after each run with the number of runs and of labels so far."""


@dataclass(slots=True)
class Simulated:
    """``runs`` that came to their end, of at most ``length`` labels: ``stuck`` where no label was enabled, ``cut``
    where a bound cut all. ``deadlock``: the violation is that a run was stuck. ``reached``: the `sometimes` that were
    true."""

    seed: int
    wanted: int
    length: int
    runs: int = 0
    labels: int = 0
    stuck: int = 0
    cut: int = 0
    violation: Violation | None = None
    deadlock: bool = False
    reached: set[str] = field(default_factory=set)
    taken: dict[str, int] = field(default_factory=dict)
    stopped: Stopped | None = None
    seconds: float = 0.0


def simulate(
    system: System,
    start: State,
    *,
    runs: int,
    length: int,
    seed: int,
    only: str | None = None,
    deadlock: bool = False,
    timeout: float | None = None,
    back_end: BackEnd = BackEnd.NATIVE,
    report: Report = lambda runs, labels: None,
) -> Simulated:
    """Takes that many runs, or until one shows a violation. ``deadlock``: a run that is stuck is one. KeyboardInterrupt
    and time running out end it with what there is. Raises NotEncodable, Disagreement."""
    sample = _Sample(system, start, Simulated(seed, runs, length), only, deadlock, timeout, back_end)
    found = sample.found
    try:
        while found.runs < runs and found.violation is None:
            sample.run(Random(f"{seed}:{found.runs}"))
            found.runs += 1
            report(found.runs, found.labels)
    except OutOfTime:
        found.stopped = Stopped.TIME
    except KeyboardInterrupt:
        found.stopped = Stopped.INTERRUPTED
    found.seconds = time.monotonic() - sample.began
    return found


class _Sample:
    """What the runs of one simulation share."""

    def __init__(
        self,
        system: System,
        start: State,
        found: Simulated,
        only: str | None,
        deadlock: bool,
        timeout: float | None,
        back_end: BackEnd,
    ) -> None:
        self.system, self.start, self.found = system, start, found
        self.only, self.deadlock, self.timeout, self.back_end = only, deadlock, timeout, back_end
        self.began = time.monotonic()
        self.evaluator = Evaluator(system)
        self.steps = self._stepping(None)

    def _stepping(self, capacity: Capacity | None) -> Stepping:
        if self.back_end is BackEnd.PYTHON:
            from checker.explicit.source_steps import SourceSteps

            return SourceSteps(self.system)
        from checker.explicit.compile import compiled
        from checker.explicit.steps import Steps

        code = compiled(self.system, capacity)
        self.capacity = code.layout.capacity
        return Steps(code)

    def run(self, random: Random) -> None:
        """One run. Raises OutOfTime."""
        found = self.found
        choices: list[int] = []
        state = self._encoded(self.start)
        if self._wrong_at(state, ()):
            return
        for _ in range(found.length):
            if self.timeout is not None and time.monotonic() - self.began > self.timeout:
                raise OutOfTime
            state, fired = self._fired(state)
            if fired.failed is not None:
                labels = self._labels(choices)
                last = self.steps.label(state, fired.failed)
                error = self._confirmation.failure(self._replayed(labels), last)
                found.violation = Violation(None, str(error), (*labels, last))
                return
            if not fired.steps:
                self._ended_early(fired, choices)
                return
            choice = int(random.random() * len(fired.steps))
            mark, after = fired.steps[choice]
            rule = self.steps.rule(mark)
            found.taken[rule] = found.taken.get(rule, 0) + 1
            found.labels += 1
            choices.append(choice)
            if self._wrong_by(state, mark, after, choices) or self._wrong_at(after, choices):
                return
            state = after

    def _encoded(self, state: State) -> Stored:
        while True:
            try:
                return self.steps.layout.encode(state)
            except DoesNotFit as full:
                self.steps = self._stepping(self.capacity.grown(full.what))

    def _fired(self, state: Stored) -> tuple[Stored, Fired]:
        """The labels of a state, and that state: it is another one where it had to be given more room."""
        while True:
            try:
                return state, self.steps.fire(state)
            except DoesNotFit as full:
                decoded = self.steps.layout.decode(state)
                self.steps = self._stepping(self.capacity.grown(full.what))
                state = self._encoded(decoded)

    def _ended_early(self, fired: Fired, choices: Sequence[int]) -> None:
        if fired.cuts:
            self.found.cut += 1
            return
        self.found.stuck += 1
        if self.deadlock:
            labels = self._labels(choices)
            if self.evaluator.transitions(self._replayed(labels)):
                raise Disagreement("the evaluator finds a label where the simulation found none")
            self.found.deadlock = True
            self.found.violation = Violation(None, "deadlock: nothing is enabled", labels)

    # ------------------------------------------------------------------------------------- properties

    def _wrong_at(self, state: Stored, choices: Sequence[int]) -> bool:
        """Whether a goal or an invariant fails, or an invariant is broken."""
        reached, broken = self.steps.reached(state), self.steps.broken(state)
        self.found.reached.update(reached or ())
        chosen = self._chosen(broken or ())
        if reached is not None and broken is not None and not chosen:
            return False
        labels = self._labels(choices)
        at = self._replayed(labels)
        if chosen:
            name = self._confirmation.broken(at, chosen)
            self.found.violation = Violation(name, f"invariant {name} is violated", labels)
        else:
            self.found.violation = Violation(None, str(self._confirmation.property_failure(at)), labels)
        return True

    def _wrong_by(self, before: Stored, mark: Mark, after: Stored, choices: Sequence[int]) -> bool:
        """Whether an action invariant fails over a step, or is broken by it."""
        broken = self.steps.broken_by_step(before, mark, after)
        chosen = self._chosen(broken or ())
        if broken is not None and not chosen:
            return False
        labels = self._labels(choices)
        earlier, later = self._replayed(labels[:-1]), self._replayed(labels)
        if chosen:
            name = self._confirmation.broken_by_step(earlier, labels[-1], later, chosen)
            self.found.violation = Violation(name, f"action invariant {name} is violated", labels)
        else:
            error = self._confirmation.step_failure(earlier, labels[-1], later)
            self.found.violation = Violation(None, str(error), labels)
        return True

    def _chosen(self, broken: Iterable[str]) -> list[str]:
        return [name for name in broken if self.only in (None, name)]

    # ---------------------------------------------------------------------------------------- the run

    @property
    def _confirmation(self) -> Confirmation:
        return Confirmation(self.evaluator, self.steps)

    def _labels(self, choices: Sequence[int]) -> tuple[Label, ...]:
        """The labels of a run, from what was chosen in each of its states."""
        labels: list[Label] = []
        state = self._encoded(self.start)
        for choice in choices:
            mark, after = self.steps.fire(state).steps[choice]
            labels.append(self.steps.label(state, mark))
            state = after
        return tuple(labels)

    def _replayed(self, labels: Iterable[Label]) -> State:
        state = self.start
        for label in labels:
            state = self._confirmation.step(state, label)
        return state
