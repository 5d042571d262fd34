"""The symbolic engine's transitions are the evaluator's: for every kind of network and storage, and errors too."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.symbolic.allsat import solutions
from checker.symbolic.decode import labels_of, read_state, state_bits
from checker.symbolic.images import Images
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import StorageMode
from tests.checker.symbolic_systems import (
    BOUNDS,
    NETWORKS,
    STORAGES,
    TWO_STORES,
    kitchen,
    of_text,
    overtaking,
    shipped_system,
)


def _walk(evaluator: Evaluator, seed: int, length: int) -> tuple[list[State], State | None]:
    """The states of a random run, and the state whose transitions fail, if it came to one."""
    chance = random.Random(seed)
    states: list[State] = []
    state = evaluator.initial_states()[0]
    for _ in range(length):
        try:
            transitions = evaluator.transitions(state)
        except EvaluationError:
            return states, state
        states.append(state)
        if not transitions:
            break
        state = chance.choice(transitions)[1]
    return states, None


@settings(max_examples=40)
@given(st.sampled_from(NETWORKS), st.sampled_from(STORAGES), st.sampled_from(BOUNDS), st.integers(0, 10**6))
def test_transitions_are_the_evaluators(network: str, storage: str, bounds: str, seed: int) -> None:
    system = kitchen(network, storage, bounds)
    evaluator, images = Evaluator(system), Images(system, Watch())
    states, failing = _walk(evaluator, seed, 25)
    images.compute(states)
    for state in states:
        assert dict(images.of(state)) == dict(evaluator.transitions(state))
        assert len(images.of(state)) == len(evaluator.transitions(state))
    if failing is not None:
        with pytest.raises(EvaluationError):
            images.compute([failing])


def test_records_and_flushes_of_two_kinds_of_process_are_kept_apart() -> None:
    """In one query of states whose pending records are of different kinds."""
    system = of_text(TWO_STORES)
    evaluator, images = Evaluator(system), Images(system, Watch())
    states = [state for seed in range(6) for state in _walk(evaluator, seed, 12)[0]]
    assert any(state.pending[0] and not state.pending[2] for state in states)
    assert any(state.pending[2] and not state.pending[0] for state in states)
    images.compute(states)
    for state in states:
        assert dict(images.of(state)) == dict(evaluator.transitions(state))


LONGER_SLICE = """
const Node: set
process Node:
    volatile log: seq[0..1, 3] = [0]
    action copy:
        log := log[1..2] + [1]
model m:
    Node = {a}
"""


def test_slice_that_is_surely_too_long_is_an_error_and_no_fault_of_the_engine() -> None:
    system = of_text(LONGER_SLICE)
    with pytest.raises(EvaluationError):
        Images(system, Watch()).compute(Evaluator(system).initial_states())


@pytest.mark.parametrize("model", ["tiny", "three"])
@pytest.mark.parametrize("seed", range(4))
def test_transitions_of_raft_are_the_evaluators(model: str, seed: int) -> None:
    system = shipped_system("raft", model)
    evaluator, images = Evaluator(system), Images(system, Watch())
    states, _ = _walk(evaluator, seed, 40)
    images.compute(states)
    for state in states:
        assert dict(images.of(state)) == dict(evaluator.transitions(state))
        assert len(images.of(state)) == len(evaluator.transitions(state))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("storage", STORAGES)
def test_unrolled_runs_are_the_evaluators(network: str, storage: str) -> None:
    """Three symbolic steps at once: messages and records made by one step are found again by the next."""
    bounds = "max_in_flight = 3, max_crashes = 1, max_retries = 0"
    system = kitchen(network, storage, bounds)
    evaluator = Evaluator(system)
    _compare_runs(evaluator, _busy_state(evaluator), 3)


@pytest.mark.parametrize("network", ["bag", "fifo", "fifo with duplication", "set"])
def test_unrolled_runs_keep_the_order_of_channels(network: str) -> None:
    evaluator = Evaluator(overtaking(network))
    _compare_runs(evaluator, evaluator.initial_states()[0], 5)


def _compare_runs(evaluator: Evaluator, start: State, length: int) -> None:
    """Every run of so many labels from ``start``: the symbolic engine's, unrolled, are the evaluator's."""
    run = Unrolling(evaluator.system, start)
    run.extend_to(length)
    c = run.circuit
    goal = c.every(s.taken for s in run.steps)
    choices = [bit for s in run.steps for bit in s.choices.bits]
    found = {}
    roots = [*state_bits(run.states[length]), *choices]
    for step in run.steps:
        roots += state_bits(step.before)
    cone = c.cone(roots)
    for values in solutions(c, goal, choices, Watch(), Query("step", "it can be taken")):
        simulated = c.simulate(cone, dict(zip(choices, map(int, values), strict=True)))

        def bit(which: int, simulated: dict[int, int] = simulated) -> bool:
            return bool(simulated[which])

        labels = labels_of(run.shape, run.steps, bit)
        assert labels not in found, "two assignments of the choices are one sequence of labels"
        found[labels] = read_state(run.shape, run.states[length], bit)
    assert found == dict(_sequences(evaluator, start, length))


def _busy_state(evaluator: Evaluator) -> State:
    """A state with a message waiting and one on its way, where the evaluation of nothing near it fails."""
    buffered = evaluator.system.storage is StorageMode.BUFFERED
    for seed in range(300):
        for state in _walk(evaluator, seed, 12)[0]:
            if state.network and any(state.outbox) == buffered and state.budgets[0] == 0:
                try:
                    sequences = _sequences(evaluator, state, 3)
                except EvaluationError:
                    continue
                if 20 < len(sequences) < 1500:
                    return state
    raise AssertionError("no such state")


def _sequences(evaluator: Evaluator, state: State, length: int) -> list[tuple[tuple[Label, ...], State]]:
    if length == 0:
        return [((), state)]
    return [
        ((label, *rest), last)
        for label, after in evaluator.transitions(state)
        for rest, last in _sequences(evaluator, after, length - 1)
    ]
