"""What a macro does: its steps one after the other, each a transition of the evaluator.

A macro label is ``Label(macro's name, None, (the labels of its steps …))``: all choice is in it. A parameter gets its
value from the first step that names it, and every later one must agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spec.labels import arguments_of
from spec.sorts import Value
from spec.state import Label, State
from spec.statements import Event
from spec.system import Literal, Local, Macro, MacroStep, System
from spec.values import Cut, EvaluationError, NotEnabled, contains

if TYPE_CHECKING:
    from spec.evaluate import Evaluator

Bindings = dict[str, Value]


class Macros:
    """The macro transitions of one system."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.system = evaluator, evaluator.system
        self.named = {macro.name: macro for macro in self.system.macros}

    def transitions(self, state: State) -> Iterator[tuple[Label, State]]:
        """Every macro label that is enabled and not cut; cuts are counted under the rule of the label that was cut. An
        evaluation error carries the macro label up to the step that failed."""
        for macro in self.system.macros:
            yield from self.transitions_of(macro, state)

    def transitions_of(self, macro: Macro, state: State) -> Iterator[tuple[Label, State]]:
        yield from self._follow(macro, 0, state, (), {})

    def _follow(
        self, macro: Macro, position: int, state: State, taken: tuple[Label, ...], bindings: Bindings
    ) -> Iterator[tuple[Label, State]]:
        if position == len(macro.steps):
            yield Label(macro.name, None, taken), state
            return
        step = macro.steps[position]
        if step.optional and self._is_left_out(state, step, bindings):
            yield from self._follow(macro, position + 1, state, taken, bindings)
            return
        for label in self.evaluator.candidates_of(state, step.rule):
            extended = matched(self.system, step, label, bindings)
            if extended is None:
                continue
            try:
                after = self.evaluator.successor(state, label)
            except NotEnabled:
                continue
            except Cut as cut:
                self.evaluator.tally.count(label.rule, cut.bound)
                continue
            except EvaluationError as error:
                error.labels = (Label(macro.name, None, (*taken, label)),)
                raise
            yield from self._follow(macro, position + 1, after, (*taken, label), extended)

    def _is_left_out(self, state: State, step: MacroStep, bindings: Bindings) -> bool:
        """An optional flush of a process that is down or has nothing pending."""
        assert step.process is not None
        process = step.process.value if isinstance(step.process, Literal) else bindings[step.process.name]
        index = self.evaluator.index[process]
        return not (state.up[index] and state.pending[index])

    def step(self, state: State, label: Label) -> tuple[State, tuple[Event, ...]]:
        """The state after all steps of a macro label. Raises NotEnabled also if it is not the macro's."""
        rest, known = list(label.arguments), dict[str, Value]()
        announced: tuple[Event, ...] = ()
        for step in self.named[label.rule].steps:
            if step.optional and self._is_left_out(state, step, known):
                continue
            extended = matched(self.system, step, rest[0], known) if rest else None
            if extended is None:
                raise NotEnabled
            known = extended
            state, more = self.evaluator.step(state, rest.pop(0))
            announced += more
        if rest:
            raise NotEnabled
        return state, announced

    def violated_by_step(self, before: State, label: Label) -> list[str]:
        """The action invariants that a label of the macro label makes false."""
        broken: list[str] = []
        for single in label.arguments:
            after = self.evaluator.successor(before, single)
            broken += self.evaluator.violated_by_step(before, single, after)
            before = after
        return [p.name for p in self.system.action_invariants if p.name in broken]


def matched(system: System, step: MacroStep, label: Label, bindings: Bindings) -> Bindings | None:
    """The values of the parameters if the label is the step's; ``None`` if it is not."""
    if label.rule != step.rule:
        return None
    named = dict(arguments_of(system, label))
    given = list(step.arguments)
    if step.process is not None:
        given.append(("self", step.process))
        named["self"] = label.process
    known = dict(bindings)
    for name, wanted in given:
        if name not in named:
            return None
        value = named[name]
        match wanted:
            case Literal():
                if wanted.value != value:
                    return None
            case Local():
                if known.setdefault(wanted.name, value) != value or not contains(wanted.sort, value):
                    return None
    return known


__all__ = ["Macros", "matched"]
