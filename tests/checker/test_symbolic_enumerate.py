"""Enumerated sets are equal to the evaluator's brute force, and exact counts are the published ones."""

from __future__ import annotations

import pytest

from checker.symbolic.enumerate import crash_states, interleavings, reachable_states
from spec import counting
from spec.evaluate import Evaluator
from spec.explore import explore
from spec.script import find_scenario, run_scenario
from spec.state import State
from spec.system import System
from tests.checker.symbolic_systems import TOGGLING, kitchen, of_text, shipped_system


@pytest.mark.parametrize(
    ("spec", "model", "states", "depth"),
    [
        ("diehard", "puzzle", 16, 8),
        ("two_phase_commit", "three", 288, 11),
        pytest.param("two_phase_commit", "five", 8832, 17, marks=pytest.mark.slow),
    ],
)
def test_the_numbers_of_states_are_tlcs(spec: str, model: str, states: int, depth: int) -> None:
    found = reachable_states(shipped_system(spec, model))
    assert (found.distinct, len(found.levels), found.complete, found.stopped) == (states, depth, True, None)


@pytest.mark.parametrize("network", ["bag with loss", "fifo with loss, duplication", "set"])
@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_levels_are_those_of_breadth_first_search(network: str, storage: str) -> None:
    system = kitchen(network, storage, "max_in_flight = 2, max_crashes = 1, max_retries = 0")
    evaluator = Evaluator(system)
    explored = explore(evaluator, max_steps=2, stop_at_violation=False)
    found = reachable_states(system, None, 2)
    assert set(found.reached_by) == set(explored.states)
    assert [len(level) for level in found.levels] == explored.levels
    assert not found.complete
    for state in found.levels[-1]:
        labels = found.run_to(state)
        assert len(labels) == 2
        last = evaluator.initial_states()[0]
        for label in labels:
            last = evaluator.successor(last, label)
        assert last == state


def _ready(system: System) -> tuple[Evaluator, State]:
    evaluator = Evaluator(system)
    scenario = find_scenario(evaluator, system.enumerations[0].scenario)
    assert scenario is not None
    return evaluator, run_scenario(evaluator, scenario)[0]


@pytest.mark.parametrize(("model", "depth"), [("tiny", 6), ("three", 3)])
def test_crash_states_of_raft_are_those_of_brute_force(model: str, depth: int) -> None:
    system = shipped_system("raft", model)
    evaluator, start = _ready(system)
    expected = counting.crash_states(evaluator, start, depth)
    found = crash_states(system, start, depth)
    assert (found.depth, found.stopped) == (depth, None)
    assert {crash: set(runs) for crash, runs in found.found.items()} == {c: set(runs) for c, runs in expected.items()}
    for crash, runs in list(found.found.items())[::7]:
        for situation, labels in runs.items():
            assert len(labels) == len(expected[crash][situation])
            state = start
            for label in labels[:-1]:
                state = evaluator.successor(state, label)
            assert state.without_history() == crash.before
            assert (labels[-1].rule, labels[-1].process) == ("crash", crash.process)


@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_crash_states_without_windows(storage: str) -> None:
    system = kitchen("bag", storage, "max_in_flight = 2, max_crashes = 1, max_retries = 0")
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0]
    assert set(crash_states(system, start, 2).found) == set(counting.crash_states(evaluator, start, 2))


def test_of_keeps_that_leave_the_same_disk_the_smallest_counts() -> None:
    system = of_text(TOGGLING)
    evaluator = Evaluator(system)
    start = evaluator.initial_states()[0]
    found = crash_states(system, start, 3).found
    assert set(found) == set(counting.crash_states(evaluator, start, 3))
    assert {crash.keep for crash in found} == {0, 1}


@pytest.mark.parametrize(
    ("model", "depth", "window"), [("tiny", 5, 1), ("tiny", 4, 2), ("tiny", 2, 0), ("three", 2, 1)]
)
def test_interleavings_of_raft_are_those_of_brute_force(model: str, depth: int, window: int) -> None:
    system = shipped_system("raft", model)
    evaluator, start = _ready(system)
    found = interleavings(system, start, depth, window)
    listed = list(found)
    assert found.count == len(listed)
    assert found.stopped is None
    sequences = [(i.start, i.labels) for i in listed]
    assert len(set(sequences)) == len(sequences)
    assert set(sequences) == set(counting.interleavings(evaluator, start, depth, window))
    for interleaving in listed[::50]:
        state = start
        for label in interleaving.prefix:
            state = evaluator.successor(state, label)
        assert state == interleaving.start


def test_running_out_of_time_leaves_what_was_found() -> None:
    system = shipped_system("raft", "three")
    _, start = _ready(system)
    found = crash_states(system, start, 30, timeout=2.0)
    assert found.stopped == "timeout"
    assert 0 <= found.depth < 30
    assert found.found
    some = interleavings(system, start, 30, 1, timeout=0.5)
    assert len(list(some)) == some.count
    assert some.stopped == "timeout"
    assert reachable_states(system, start, 30, timeout=0.5).stopped == "timeout"


def test_ctrl_c_leaves_what_was_found() -> None:
    system = shipped_system("raft", "tiny")
    _, start = _ready(system)

    def interrupt(depth: int, count: int) -> None:
        if depth == 2:
            raise KeyboardInterrupt

    found = crash_states(system, start, 6, progress=interrupt)
    assert (found.stopped, found.depth) == ("interrupted", 2)
    assert set(found.found) == set(crash_states(system, start, 2).found)
    some = interleavings(system, start, 4, 1, progress=interrupt)
    assert len(list(some)) == some.count > 0
    assert some.stopped == "interrupted"


def test_two_enumerations_give_the_same_order() -> None:
    system = shipped_system("raft", "tiny")
    _, start = _ready(system)
    first, second = (list(interleavings(system, start, 3, 1)) for _ in range(2))
    assert first == second
