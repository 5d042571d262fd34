"""The system as Python source says what the evaluator says, word for word, and can be read."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from checker.explicit.errors import NotEncodable
from checker.explicit.source import source_of
from checker.explicit.source_steps import SourceSteps
from spec.evaluate import EvaluationError, Evaluator
from spec.state import State
from spec.system import Grain
from tests.checker.macro_systems import kitchen_at_macro_grain
from tests.checker.symbolic_systems import of_text
from tests.generated.specs import random_spec
from tests.generated.states import random_states
from tests.spec.small import nodes
from tests.spec.walks import walk


def said(compute: Callable[[State], Any], state: State) -> Any:
    """The steps in their order, or the text, place and label of the error."""
    try:
        return compute(state)
    except EvaluationError as error:
        return str(error), error.place, error.labels


@pytest.mark.parametrize("seed", range(100, 112))
def test_steps_and_errors_are_the_evaluators_in_its_order_and_words(seed: int) -> None:
    system = of_text(random_spec(seed))
    evaluator, steps = Evaluator(system), SourceSteps(system)
    states = list(random_states(evaluator, Random(seed), 40))
    answers = [said(evaluator.transitions, state) for state in states]
    assert [said(steps.transitions, state) for state in states] == answers
    assert any(answers)


@pytest.mark.parametrize("storage", ["buffered", "atomic"])
@pytest.mark.parametrize("network", ["bag with loss, duplication", "fifo with loss, duplication", "set"])
def test_macros_are_the_evaluators_in_its_order_and_words(network: str, storage: str) -> None:
    system = kitchen_at_macro_grain(network, storage, "max_in_flight = 3, max_crashes = 2")
    evaluator, steps = Evaluator(system), SourceSteps(system)
    micro = Evaluator(replace(system, grain=Grain.MICRO))
    taken = set()
    for seed in range(8):
        for state in walk(micro if seed % 2 else evaluator, seed, 15):
            evaluator.tally.cuts = {}
            expected = said(evaluator.transitions, state)
            assert said(steps.transitions, state) == expected
            if isinstance(expected, list):
                assert steps.fire(state).cuts == evaluator.tally.cuts
                for label, after in expected[::3]:
                    broken = evaluator.violated_by_step(state, label, after)
                    assert steps.broken_by_step(state, label, after) == broken
                    taken.add(label.rule)
    assert len(taken & {macro.name for macro in system.macros}) >= 3


DIVIDES = """
    volatile x: 0..2 = 0
    action go:
        x := 2 div x
"""


def test_traceback_shows_the_emitted_line() -> None:
    system = nodes(DIVIDES, elements="a").system
    (state,) = Evaluator(system).initial_states()
    with pytest.raises(EvaluationError, match="division by zero") as failed:
        SourceSteps(system).transitions(state)
    shown = "".join(traceback.format_exception(failed.value))
    assert "<small, model m, as Python source>" in shown
    assert "raise EvaluationError('division by zero', P_" in shown


def test_the_source_is_at_hand() -> None:
    assert "m_x = " in source_of(nodes(DIVIDES, elements="a").system).text


def deep(depth: int) -> str:
    quantified = "".join(f"forall n{i} in Node: " for i in range(depth))
    return f"invariant deep: {quantified}n0 == n0\n"


def test_source_nested_beyond_what_python_compiles_is_refused() -> None:
    source_of(nodes(DIVIDES, top=deep(15), elements="a").system)
    with pytest.raises(NotEncodable, match="too many statically nested blocks"):
        source_of(nodes(DIVIDES, top=deep(25), elements="a").system)


def test_the_most_deeply_nested_expressions_that_the_parser_takes_are_compiled() -> None:
    sums = f"invariant sums: forall n in Node: {'(1 + ' * 80}n.x{')' * 80} > 0\n"
    implications = f"invariant implications: forall n in Node: {'(' * 40}n.x > 1{' => n.x > 0)' * 40}\n"
    system = nodes(DIVIDES, top=sums + implications).system
    (state,) = Evaluator(system).initial_states()
    assert SourceSteps(system).broken(state) == Evaluator(system).violated(state)
