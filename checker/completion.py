"""Completions: from a crash to a converged state, by the fair schedules that the spec declares.

For each crash state and *each* outcome the matrix asks whether a completion exists. This first version answers by
running every declared schedule with every combination of its parameters through the evaluator: what it finds is a
witness, what it does not find is "not seen", never "unreachable".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from spec.evaluate import Evaluator
from spec.expressions import Compiled, Frame
from spec.script import label_arguments
from spec.sorts import Value
from spec.state import Label, State
from spec.system import Completion, CompletionStep
from spec.values import Cut, NotEnabled, cached_domain

MAX_LABELS = 120
"""A schedule that has not converged by then is given up; the longest of raft.spec's takes fewer than half."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A converged state and the labels that led to it from the state after the crash."""

    labels: tuple[Label, ...]
    state: State


@dataclass(frozen=True, slots=True)
class _Step:
    rule: str
    arguments: tuple[tuple[str, Compiled], ...]
    when: Compiled | None


class Completer:
    """Runs the schedules of one system."""

    def __init__(self, evaluator: Evaluator) -> None:
        system = evaluator.system
        assert system.converged is not None, "a spec that declares completions declares converged"
        self.evaluator = evaluator
        self.converged = evaluator.compile(system.converged)
        self.handlers = tuple(
            dict.fromkeys(rule.name for rule in system.rules if rule.message is not None)
        )
        self.schedules = tuple(
            (names, values, steps)
            for completion in system.completions
            for names, steps in [(tuple(p.name for p in completion.parameters), self._steps(completion))]
            for values in product(*(cached_domain(p.sort) for p in completion.parameters))
        )
        self.cuts: dict[str, int] = {}  # what a bound kept a schedule from doing, by rule and bound
        self._known: dict[State, tuple[Completed, ...]] = {}
        self._rest: dict[tuple[int, State], Completed | None] = {}

    def completions(self, after_crash: State) -> tuple[Completed, ...]:
        """What each schedule that converges comes to, in the order of the schedules."""
        if after_crash not in self._known:
            self._known[after_crash] = tuple(self._complete(after_crash))
        return self._known[after_crash]

    def _complete(self, state: State) -> Iterator[Completed]:
        for number in range(len(self.schedules)):
            completed = self._drive(state, number)
            if completed is not None:
                yield completed

    def _drive(self, state: State, number: int) -> Completed | None:
        """One schedule, until it converges, repeats itself, or can go no further. Where it meets a state that it has
        gone on from before, the rest is known."""
        names, values, steps = self.schedules[number]
        parameters = dict(zip(names, values, strict=True))
        passed: list[State] = []
        labels: list[Label] = []
        seen: set[State] = set()
        rest: Completed | None = None
        while True:
            if (number, state) in self._rest:
                rest = self._rest[number, state]
                break
            passed.append(state)
            seen.add(state)
            if self.evaluator.holds(self.converged, state):
                rest = Completed((), state)
                break
            following = self._next(state, parameters, steps)
            if following is None or following[1] in seen or len(labels) == MAX_LABELS:
                passed = passed if following is None else []
                break
            labels.append(following[0])
            state = following[1]
        for position, met in enumerate(passed):
            known = None if rest is None else Completed((*labels[position:], *rest.labels), rest.state)
            self._rest[number, met] = known
        return None if rest is None else Completed((*labels, *rest.labels), rest.state)

    def _next(
        self, state: State, parameters: dict[str, Value], steps: tuple[_Step, ...]
    ) -> tuple[Label, State] | None:
        """The first enabled label of the first step that has one."""
        for step in steps:
            for rule in self.handlers if step.rule == "deliver" else (step.rule,):
                for label in self.evaluator.candidates_of(state, rule):
                    if self._allowed(state, label, parameters, step):
                        try:
                            return label, self.evaluator.successor(state, label)
                        except NotEnabled:
                            continue
                        except Cut as cut:
                            key = f"{label.rule}: {cut.bound}"
                            self.cuts[key] = self.cuts.get(key, 0) + 1
        return None

    def _allowed(self, state: State, label: Label, parameters: dict[str, Value], step: _Step) -> bool:
        if step.when is None and not step.arguments:
            return True
        local = dict(parameters)
        named = dict(label_arguments(self.evaluator, label))
        local |= named
        if label.process is not None:
            local["self"] = label.process
        if label.message is not None:
            local["message"] = label.message
        frame = Frame(state, local)
        if any(named.get(name) != value(frame) for name, value in step.arguments):
            return False
        return step.when is None or bool(step.when(frame))

    def _steps(self, completion: Completion) -> tuple[_Step, ...]:
        return tuple(self._step(step) for step in completion.steps)

    def _step(self, step: CompletionStep) -> _Step:
        arguments = tuple((name, self.evaluator.compile(value)) for name, value in step.arguments)
        if step.process is not None:
            arguments = (("self", self.evaluator.compile(step.process)), *arguments)
        return _Step(step.rule, arguments, None if step.when is None else self.evaluator.compile(step.when))
