"""A sequence of goals along a run: states and labels that come one after the other, and how far a run has come.

A *state goal* is met where its condition is true, a *label goal* by a label that its pattern fits, whose condition
(``when``) is true in the state before it. A goal counts only once those before it are met: a state goal in the state
where the last of them was, or later; a label goal by a later label. ``some``: names that the whole sequence shares; one
value of each must do for all of its goals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from spec.evaluate import Evaluator
from spec.expressions import Compiled, Frame
from spec.script import label_arguments
from spec.sorts import BOOL, SetSort, Sort, Value
from spec.state import Label, State
from spec.system import CompletionStep, Expr, Literal, Parameter, Quantified, Quantifier
from spec.values import cached_domain


@dataclass(frozen=True, slots=True)
class StateGoal:
    text: str
    condition: Expr


@dataclass(frozen=True, slots=True)
class LabelGoal:
    """``pattern.when`` and the pattern's values are evaluated in the state before the label, with its parts bound."""

    text: str
    pattern: CompletionStep


Goal: TypeAlias = StateGoal | LabelGoal


@dataclass(frozen=True, slots=True)
class GoalSequence:
    some: tuple[Parameter, ...]
    goals: tuple[Goal, ...]

    @property
    def condition(self) -> Expr | None:
        """The sequence as one condition of a state, where it is one."""
        match self.goals:
            case (StateGoal(_, condition),):
                for parameter in reversed(self.some):
                    condition = some(parameter.name, parameter.sort, condition)
                return condition
        return None

    @property
    def choices(self) -> tuple[dict[str, Value], ...]:
        """Every combination of values of ``some``."""
        names = [parameter.name for parameter in self.some]
        return tuple(
            dict(zip(names, values, strict=True)) for values in product(*(cached_domain(p.sort) for p in self.some))
        )


def some(name: str, sort: Sort, condition: Expr) -> Expr:
    """``exists name in sort: condition``."""
    every = Literal(frozenset(cached_domain(sort)), SetSort(sort))
    return Quantified(Quantifier.EXISTS, name, every, condition, BOOL)


Progress: TypeAlias = tuple[int, ...]
"""For each combination of ``GoalSequence.choices``, how many goals are met."""


class Monitor:
    """Follows runs of one system. Raises EvaluationError where a goal that is awaited has no meaning."""

    def __init__(self, evaluator: Evaluator, sequence: GoalSequence) -> None:
        self.evaluator = evaluator
        self.sequence = sequence
        self.choices = sequence.choices
        self._handlers = frozenset(rule.name for rule in evaluator.system.rules if rule.message is not None)
        self._goals = tuple(self._compiled(goal) for goal in sequence.goals)

    def start(self, state: State) -> Progress:
        return self._at(state, (0,) * len(self.choices))

    def after(self, progress: Progress, before: State, label: Label, after: State) -> Progress:
        """The progress once the label has been taken."""
        met = []
        for count, choice in zip(progress, self.choices, strict=True):
            goal = self._goals[count] if count < len(self._goals) else None
            met.append(count + (isinstance(goal, _Pattern) and self._fits(goal, choice, before, label)))
        return self._at(after, tuple(met))

    def _at(self, state: State, progress: Progress) -> Progress:
        met = []
        for count, choice in zip(progress, self.choices, strict=True):
            while count < len(self._goals):
                goal = self._goals[count]
                if isinstance(goal, _Pattern) or not goal(Frame(state, dict(choice))):
                    break
                count += 1
            met.append(count)
        return tuple(met)

    def is_done(self, progress: Progress) -> bool:
        return len(self._goals) in progress

    def choice(self, progress: Progress) -> dict[str, Value]:
        """The first combination of values for which all goals are met."""
        return self.choices[progress.index(len(self._goals))]

    def met_at(self, start: State, labels: tuple[Label, ...]) -> Iterator[Progress]:
        """The progress at the start of a run, and after each label."""
        progress, state = self.start(start), start
        yield progress
        for label in labels:
            after = self.evaluator.successor(state, label)
            progress, state = self.after(progress, state, label, after), after
            yield progress

    # -------------------------------------------------------------------------------------------- patterns

    def _compiled(self, goal: Goal) -> Compiled | _Pattern:
        match goal:
            case StateGoal(_, condition):
                return self.evaluator.compile(condition)
            case LabelGoal(_, pattern):
                values = [] if pattern.process is None else [("self", pattern.process)]
                compiled = tuple((name, self.evaluator.compile(value)) for name, value in (*values, *pattern.arguments))
                when = None if pattern.when is None else self.evaluator.compile(pattern.when)
                rules = self._handlers if pattern.rule == "deliver" else frozenset((pattern.rule,))
                return _Pattern(rules, compiled, when)

    def _fits(self, pattern: _Pattern, choice: dict[str, Value], before: State, label: Label) -> bool:
        if label.rule not in pattern.rules:
            return False
        parts = dict(label_arguments(self.evaluator, label))
        local = {**choice, **{name: value for name, value in parts.items() if name != "message"}}
        if label.process is not None:
            parts["self"] = local["self"] = label.process
        if label.message is not None:
            local["message"] = label.message
        frame = Frame(before, local)
        if any(name not in parts or parts[name] != value(frame) for name, value in pattern.values):
            return False
        return pattern.when is None or bool(pattern.when(frame))


@dataclass(frozen=True, slots=True)
class _Pattern:
    rules: frozenset[str]
    values: tuple[tuple[str, Compiled], ...]
    when: Compiled | None
