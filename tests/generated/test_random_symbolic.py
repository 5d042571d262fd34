"""Random specs read by the symbolic engine: what z3 finds of random states is what the evaluator says.

What the engine refuses is counted and printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

import pytest

from checker.symbolic import transition
from checker.symbolic.circuit import Bit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.transition import _StepBuilder
from spec.evaluate import Evaluator
from spec.grains import coarsened
from spec.state import State
from spec.system import ProcessKind, System
from tests.generated.agreement import Disagreement
from tests.generated.conftest import PROPERTY, listed
from tests.generated.specs import random_system, shown
from tests.generated.states import random_states
from tests.generated.symbolic_agreement import compare_properties, compare_steps, compare_transitions

MOST_REFUSED = 0.1


def examined(seeds: Iterable[int], count: int, alone: int) -> Counter[str]:
    """Compares so many states of each seed in one query, and ``alone`` of them one by one, at both grains."""
    found: Counter[str] = Counter()
    for seed in seeds:
        system = random_system(seed)
        states = list(random_states(Evaluator(system), Random(seed), count))
        with shown(seed):
            try:
                found["transitions"] += compare_transitions(system, states)
                found["properties of states"] += compare_properties(system, states)
                found["specs"] += 1
            except NotEncodable as refused:
                found[f"specs refused: {refused}"] += 1
                continue
            _one_by_one(system, states[:alone], "steps", found)
            if system.macros:
                _one_by_one(coarsened(system), states[:alone], "macro steps", found)
    return found


def _one_by_one(system: System, states: list[State], what: str, found: Counter[str]) -> None:
    try:
        for state in states:
            steps = compare_steps(system, state)
            found[f"states with an evaluation that fails, not compared: {what}" if steps is None else what] += (
                steps or 1
            )
    except NotEncodable as refused:
        found[f"{what} refused: {refused}"] += 1


def look_at(found: Counter[str], record_property: Callable[[str, object], None]) -> None:
    record_property(PROPERTY, listed(found))
    refused = sum(count for name, count in found.items() if name.startswith("specs refused"))
    assert refused <= MOST_REFUSED * found["specs"]
    assert min(found["transitions"], found["properties of states"], found["steps"], found["macro steps"]) > 50


def test_z3_finds_the_evaluators_transitions_of_random_specs(record_property: Callable[[str, object], None]) -> None:
    look_at(examined(range(12), 8, 1), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1200, 50))
def test_z3_finds_the_evaluators_transitions_of_many_random_specs(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    look_at(examined(range(first, first + 50), 60, 12), record_property)


# ------------------------------------------------------------------------------------------ faults are seen


def first_disagreement() -> Disagreement:
    for seed in range(20):
        try:
            examined([seed], 8, 2)
        except Disagreement as found:
            return found
    raise AssertionError("the fault was not seen")


def test_process_that_acts_while_it_is_down_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def up(self: _StepBuilder, kind: ProcessKind) -> Bit:
        return self.c.some(self.actor[i] for i in self.members[kind.name])

    monkeypatch.setattr(_StepBuilder, "_up", up)
    assert first_disagreement().back_end == "symbolic"


def test_constraint_that_is_not_heeded_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_StepBuilder, "_constrained", lambda self, after, taken: (taken, transition.FALSE))
    assert first_disagreement().back_end == "symbolic"
