"""Scripts: a scenario's patterns, each of which must match exactly one enabled label, run through the evaluator."""

from __future__ import annotations

from collections.abc import Iterator

from spec.evaluate import Evaluator
from spec.labels import arguments_of
from spec.sorts import Value
from spec.state import Label, State
from spec.system import LabelPattern, Scenario
from spec.values import Cut, EvaluationError, NotEnabled


class ScriptError(Exception):
    """A step of a scenario that no enabled label, or more than one, matches. ``step``: 1-based."""

    def __init__(self, scenario: str, step: int, message: str) -> None:
        super().__init__(f"scenario {scenario}, step {step}: {message}")
        self.scenario = scenario
        self.step = step


def run_scenario(evaluator: Evaluator, scenario: Scenario) -> tuple[State, tuple[Label, ...]]:
    """The state after the scenario's script from the initial state, and its labels. Raises ScriptError."""
    state = evaluator.initial_states()[0]
    labels: list[Label] = []
    for number, pattern in enumerate(scenario.script, 1):
        try:
            matching = list(_matching(evaluator, state, pattern))
        except EvaluationError as error:
            error.labels = (*labels, *error.labels)
            raise
        if len(matching) != 1:
            wanted = _show(pattern)
            shown = [label for label, _ in matching] or evaluator.enabled(state)
            found = "matches more than one enabled label" if matching else "matches no enabled label; enabled are"
            names = ", ".join(describe(label) for label in shown)
            raise ScriptError(scenario.name, number, f"{wanted} {found}: {names}")
        label, state = matching[0]
        labels.append(label)
    return state, tuple(labels)


def find_scenario(evaluator: Evaluator, name: str) -> Scenario | None:
    return next((s for s in evaluator.system.scenarios if s.name == name), None)


def start_state(evaluator: Evaluator) -> tuple[State, tuple[Label, ...]]:
    """Where the model starts: the initial state, or the end of the script that its ``start`` names."""
    name = evaluator.system.start
    if name is None:
        return evaluator.initial_states()[0], ()
    scenario = find_scenario(evaluator, name)
    assert scenario is not None, name
    return run_scenario(evaluator, scenario)


def _matching(evaluator: Evaluator, state: State, pattern: LabelPattern) -> Iterator[tuple[Label, State]]:
    for label in evaluator.candidates(state):
        if matches(evaluator, pattern, label):
            try:
                yield label, evaluator.successor(state, label)
            except (NotEnabled, Cut):
                continue
            except EvaluationError as error:
                error.labels = (label,)
                raise


def matches(evaluator: Evaluator, pattern: LabelPattern, label: Label) -> bool:
    """Whether a label is what a pattern asks for."""
    if label.rule != pattern.rule or (pattern.process is not None and label.process != pattern.process):
        return False
    named = dict(label_arguments(evaluator, label))
    return all(name in named and named[name] == value for name, value in pattern.arguments)


def label_arguments(evaluator: Evaluator, label: Label) -> Iterator[tuple[str, Value]]:
    """A label's arguments by name, see :func:`spec.labels.arguments_of`."""
    return arguments_of(evaluator.system, label)


def describe(label: Label) -> str:
    """A label in one line, without field names."""
    parts = [] if label.process is None else [label.process]
    parts += [str(argument) for argument in label.arguments]
    if label.message is not None:
        parts.append(f"{label.message[0]} {label.message[1]} → {label.message[2]}")
    return f"{label.rule}({', '.join(parts)})"


def _show(pattern: LabelPattern) -> str:
    parts = [] if pattern.process is None else [pattern.process]
    parts += [f"{name}={value}" for name, value in pattern.arguments]
    return f"{pattern.rule}({', '.join(parts)})"
