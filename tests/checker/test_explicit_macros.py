"""The explicit engine at the macro grain: its successors are the evaluator's, what it finds replays in micro labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import BackEnd
from checker.explicit.compile import Compiled, compiled
from checker.explicit.layout import Capacity
from checker.explicit.search import explore
from checker.explicit.steps import Steps
from spec.evaluate import EvaluationError, Evaluator
from spec.explore import explore as explore_by_reference
from spec.grains import coarsened, micro_labels
from spec.load import load_system, shipped
from spec.state import State
from tests.checker.macro_systems import kitchen_at_macro_grain, micro, raft_at_macro_grain
from tests.checker.symbolic_systems import BOUNDS, NETWORKS, STORAGES
from tests.spec.walks import walk

pytestmark = pytest.mark.usefixtures("cache_folder")

ROOMY = Capacity(slots=12, copies=64, pending=16, sends=32)


@cache
def code(system_of: object, *arguments: str) -> Compiled:
    return compiled(system_of(*arguments), ROOMY)  # type: ignore[operator]


def compare(compiled_code: Compiled, seeds: range, length: int) -> Counter[str]:
    """Compares the successors of the states of random runs, of either grain: micro runs come to states in which a macro
    finds messages and records that no macro leaves. Returns how often which macro was taken, and ``error``."""
    system = compiled_code.layout.system
    evaluator, steps = Evaluator(system), Steps(compiled_code)
    seen: Counter[str] = Counter()
    for seed in seeds:
        for state in walk(micro(system) if seed % 2 else evaluator, seed, length):
            seen += _compare_state(evaluator, steps, state)
    return seen


def _compare_state(evaluator: Evaluator, steps: Steps, state: State) -> Counter[str]:
    words = steps.layout.encode(state)
    evaluator.tally.cuts = {}
    fired = steps.fire(words)
    try:
        transitions = evaluator.transitions(state)
    except EvaluationError as error:
        assert fired.failed is not None
        (label,) = error.labels
        assert steps.rule(fired.failed) == label.rule
        return Counter({"error": 1})
    assert fired.failed is None
    found = Counter((steps.rule(label), steps.layout.decode(after)) for label, after in fired.steps)
    assert found == Counter((label.rule, after) for label, after in transitions)
    assert fired.cuts == evaluator.tally.cuts
    broken = Counter(
        (steps.rule(label), after, tuple(steps.broken_by_step(words, label, after) or ()))
        for label, after in fired.steps
    )
    assert broken == Counter(
        (label.rule, steps.layout.encode(after), tuple(evaluator.violated_by_step(state, label, after)))
        for label, after in transitions
    )
    return Counter(label.rule for label, _ in transitions)


@pytest.mark.parametrize("bounds", BOUNDS[:3])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("network", NETWORKS)
def test_macro_transitions_are_the_evaluators(network: str, storage: str, bounds: str) -> None:
    seen = compare(code(kitchen_at_macro_grain, network, storage, bounds), range(6), 15)
    assert len(seen) >= 5, "the walks come to several macros"


def test_every_macro_of_the_test_system_is_taken_somewhere() -> None:
    seen: Counter[str] = Counter()
    for storage in STORAGES:
        seen += compare(code(kitchen_at_macro_grain, NETWORKS[0], storage, BOUNDS[0]), range(30), 25)
    assert not {macro.name for macro in kitchen_at_macro_grain().macros} - seen.keys()


def test_macro_transitions_of_raft() -> None:
    seen = compare(code(raft_at_macro_grain, "three"), range(6), 25)
    assert {"election", "rpc", "rpc_crashed", "ask_vote", "write"} <= seen.keys()


@pytest.mark.parametrize("way", [{"workers": 1}, {"workers": 2}, {"back_end": BackEnd.PYTHON}])
def test_a_search_counts_what_the_reference_counts(way: dict[str, Any]) -> None:
    system = raft_at_macro_grain("three")
    found = explore(system, max_steps=3, **way)
    expected = explore_by_reference(Evaluator(system), max_steps=3)
    assert (found.levels, found.generated, found.taken, found.cuts) == (
        expected.levels,
        expected.generated,
        expected.taken,
        expected.cuts,
    )
    assert found.levels[-1] > 1000


def test_macros_respect_symmetry() -> None:
    """One state of each class of the states that the reference finds."""
    system = raft_at_macro_grain("three")
    found = explore(system, max_steps=3, symmetry=True)
    assert str(found.symmetry)
    python = explore(system, max_steps=3, symmetry=True, back_end=BackEnd.PYTHON)
    assert (python.levels, python.generated) == (found.levels, found.generated)
    expected = explore_by_reference(Evaluator(system), max_steps=3)
    steps = Steps(compiled(system, found.capacity, symmetry=found.symmetry))
    classes = {steps.canonical(steps.layout.encode(state)) for state in expected.states}
    assert found.distinct == len(classes)


def test_figure_8_is_found_from_the_initial_state_and_replays_label_by_label() -> None:
    """§5.4.2 of the Raft paper: eight RPC-sized steps."""
    system = raft_at_macro_grain("from_the_start", "commit-prior-term-by-counting")
    found = explore(system, max_steps=8, symmetry=True, workers=2)
    assert found.violation is not None
    assert found.violation.property == "leader_completeness"
    assert len(found.violation.labels) == 8
    evaluator = micro(system)
    (state,) = evaluator.initial_states()
    run = micro_labels(system, found.violation.labels)
    broken = []
    for label in run:
        state = evaluator.successor(state, label)
        broken.append("leader_completeness" in evaluator.violated(state))
    assert broken[-1]
    assert not any(broken[:30]), "it comes with the last macro"
    assert len(run) > 30


def test_with_the_rule_as_it_should_be_nothing_is_found_as_deep() -> None:
    wanted = raft_at_macro_grain("from_the_start", "commit-prior-term-by-counting")
    settings = {"max_term": "4", "max_crashes": "0", "max_drops": "0", "max_retries": "0"}
    system = coarsened(load_system(shipped("raft"), model="two_crashes", settings=settings))
    assert (system.constants, replace(system.bounds, steps=None)) == (wanted.constants, wanted.bounds)
    found = explore(system, max_steps=8, symmetry=True, workers=2)
    assert (found.violation, found.stopped) == (None, None)
    assert found.distinct == 324_786


def test_the_seeds_literal_rule_is_found_from_the_initial_state() -> None:
    """Elected, crashed, elected again: five macro steps, as few as a model without no-ops needs."""
    found = explore(raft_at_macro_grain("from_the_start", "new-leader-auto-commits"), symmetry=True)
    assert found.violation is not None
    assert found.violation.property == "leader_completeness"
    assert [label.rule for label in found.violation.labels].count("election") == 3
    assert len(found.violation.labels) == 5


def test_the_checked_build_finds_nothing_wrong_with_macros() -> None:
    """Every address, shift and bit field of the emitted macros, on the states of random runs."""
    system = kitchen_at_macro_grain(NETWORKS[0], STORAGES[0], BOUNDS[0])
    assert compare(compiled(system, ROOMY, checked=True), range(6), 15)
