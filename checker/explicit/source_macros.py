"""The macro grain over emitted Python source: the steps of a macro, one after the other, each fired by its rule's own.

As in spec.macros, which says what they mean: every label of a step that agrees with what is bound so far is followed to
the end before the next one, and what fails is told with the macro's label up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import eq
from typing import TypeAlias

from spec.evaluate import EvaluationError
from spec.macros import Bindings, matched
from spec.state import Label, State
from spec.system import Literal, Macro, MacroStep, System

Found: TypeAlias = list[tuple[Label, State]]
Cuts: TypeAlias = dict[str, int]
Fire: TypeAlias = Callable[[State, Found, Cuts, Callable[[Label], bool]], None]
"""Fires the labels of one rule or system action that a predicate allows."""


class SourceMacros:
    """The macro transitions of one system. ``fire``: of every rule and system action that is a step."""

    def __init__(self, system: System, fire: Mapping[str, Fire]) -> None:
        self.system, self.fire = system, fire
        self.named = {macro.name: macro for macro in system.macros}
        self.index = {process: i for i, process in enumerate(system.processes)}

    def successors(self, state: State, found: Found, cuts: Cuts) -> None:
        for macro in self.system.macros:
            self._follow(macro, 0, state, (), {}, found, cuts)

    def _follow(
        self,
        macro: Macro,
        position: int,
        state: State,
        taken: tuple[Label, ...],
        bindings: Bindings,
        found: Found,
        cuts: Cuts,
    ) -> None:
        if position == len(macro.steps):
            found.append((Label(macro.name, None, taken), state))
            return
        step = macro.steps[position]
        if step.optional and self._is_left_out(state, step, bindings):
            self._follow(macro, position + 1, state, taken, bindings, found, cuts)
            return
        steps: Found = []
        failure: EvaluationError | None = None
        try:
            self.fire[step.rule](
                state, steps, cuts, lambda label: matched(self.system, step, label, bindings) is not None
            )
        except EvaluationError as error:
            failure = error
        for label, after in steps:  # those before the one that failed come first, and may fail further on
            extended = matched(self.system, step, label, bindings)
            assert extended is not None
            self._follow(macro, position + 1, after, (*taken, label), extended, found, cuts)
        if failure is not None:
            failure.labels = (Label(macro.name, None, (*taken, *failure.labels)),)
            raise failure

    def _is_left_out(self, state: State, step: MacroStep, bindings: Bindings) -> bool:
        """An optional flush of a process that is down or has nothing pending."""
        assert step.process is not None
        process = step.process.value if isinstance(step.process, Literal) else bindings[step.process.name]
        index = self.index[process]
        return not (state.up[index] and state.pending[index])

    def path(self, before: State, label: Label) -> Iterator[tuple[State, Label, State]]:
        """The steps that a macro's label is made of."""
        for single in label.arguments:
            steps: Found = []
            self.fire[single.rule](before, steps, {}, partial(eq, single))
            ((_, after),) = steps
            yield before, single, after
            before = after
