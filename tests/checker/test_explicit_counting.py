"""Crash states and interleavings by the explicit engine: the sets, and the numbers, of the evaluator's brute force."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.counting import Transitions, crash_states, interleavings
from checker.explicit.layout import Capacity
from checker.explicit.steps import Fired, Steps
from checker.verdict import Exit
from spec import counting
from spec.evaluate import EvaluationError, Evaluator
from spec.load import load_system
from spec.script import find_scenario, run_scenario
from spec.state import Label, State
from spec.system import System
from tests.checker.command_line import model_check
from tests.checker.symbolic_systems import TOGGLING, kitchen, of_text, shipped_system

pytestmark = pytest.mark.usefixtures("cache_folder")

FALLS = """
const Node: set
process Node:
    durable d: 0..3 = 3
    action down:
        d := d - 1
model m:
    Node = {a}
    storage = buffered
    max_crashes = 1
"""


def ready(system: System) -> tuple[Evaluator, State]:
    evaluator = Evaluator(system)
    scenario = find_scenario(evaluator, system.enumerations[0].scenario)
    assert scenario is not None
    return evaluator, run_scenario(evaluator, scenario)[0]


def assert_counted_alike(
    system: System, start: State, depth: int, window: int, transitions: Transitions | None = None
) -> None:
    evaluator, transitions = Evaluator(system), transitions or Transitions(system)
    crashes, expected = crash_states(transitions, start, depth), counting.crash_states(evaluator, start, depth)
    assert {crash: set(runs) for crash, runs in crashes.items()} == {c: set(runs) for c, runs in expected.items()}
    for crash, runs in crashes.items():
        for situation, labels in runs.items():
            assert len(labels) == len(expected[crash][situation])
    listed = [(i.start, i.labels) for i in interleavings(transitions, start, depth, window)]
    assert len(set(listed)) == len(listed)
    assert set(listed) == set(counting.interleavings(evaluator, start, depth, window))
    assert counting.set_hash(listed) == counting.set_hash(counting.interleavings(evaluator, start, depth, window))


@pytest.mark.parametrize(
    ("model", "depth", "window"), [("tiny", 4, 1), ("tiny", 3, 2), ("tiny", 2, 0), ("tiny", 0, 0), ("three", 2, 1)]
)
def test_raft_is_counted_as_the_definition_says(model: str, depth: int, window: int) -> None:
    system = shipped_system("raft", model)
    assert_counted_alike(system, ready(system)[1], depth, window)


@pytest.mark.parametrize("network", ["bag with loss", "fifo with loss, duplication", "set"])
@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_kitchen_is_counted_as_the_definition_says(network: str, storage: str) -> None:
    system = kitchen(network, storage, "max_in_flight = 2, max_crashes = 1, max_retries = 0")
    assert_counted_alike(system, Evaluator(system).initial_states()[0], 2, 1)


def test_of_keeps_that_leave_the_same_disk_the_smallest_counts() -> None:
    system = of_text(TOGGLING)
    start = Evaluator(system).initial_states()[0]
    assert_counted_alike(system, start, 3, 1)
    assert {crash.keep for crash in crash_states(Transitions(system), start, 3)} == {0, 1}


def test_run_to_a_crash_state_and_to_an_interleaving_is_the_evaluators() -> None:
    system = shipped_system("raft", "tiny")
    evaluator, start = ready(system)
    transitions = Transitions(system)
    for crash, runs in list(crash_states(transitions, start, 4).items())[::7]:
        for labels in runs.values():
            state = start
            for label in labels[:-1]:
                state = evaluator.successor(state, label)
            assert state.without_history() == crash.before
            assert (labels[-1].rule, labels[-1].process) == ("crash", crash.process)
    for found in list(interleavings(transitions, start, 3, 1))[::20]:
        state = start
        for label in found.prefix:
            state = evaluator.successor(state, label)
        assert state == found.start


def test_states_may_outgrow_their_room_in_the_middle() -> None:
    system = kitchen("bag with loss, duplication", "buffered", "max_crashes = 1, max_duplicates = 1")
    tight = Transitions(system, Capacity(slots=1, copies=1, pending=1, sends=1))
    assert_counted_alike(system, Evaluator(system).initial_states()[0], 1, 0, tight)
    assert tight.capacity != Capacity(slots=1, copies=1, pending=1, sends=1)


def test_failed_evaluation_has_its_run(tmp_path: Path) -> None:
    path = tmp_path / "falls.spec"
    path.write_text(FALLS, encoding="utf-8")
    system = load_system(path)
    start = Evaluator(system).initial_states()[0]
    assert crash_states(Transitions(system), start, 2)
    with pytest.raises(EvaluationError, match="d: -1 is outside") as error:
        crash_states(Transitions(system), start, 4)
    assert error.value.labels == (Label("down", "a"),) * 4


def test_transition_that_goes_missing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail: the numbers come from the compiled transitions and from nowhere else."""
    original = Steps.fire

    def lossy(self: Steps, words: tuple[int, ...]) -> Fired:
        fired = original(self, words)
        return replace(fired, steps=fired.steps[:-1] if len(fired.steps) > 3 else fired.steps)

    monkeypatch.setattr(Steps, "fire", lossy)
    system = shipped_system("raft", "tiny")
    with pytest.raises(AssertionError):
        assert_counted_alike(system, ready(system)[1], 2, 1)


# ------------------------------------------------------------------------------------------- command line


def test_both_are_the_symbolic_and_the_explicit_engine() -> None:
    words = ("enumerate", "--model", "tiny", "--depth", "2")
    ran = model_check(*words, "--engine", "both")
    assert ran.code == Exit.HOLDS
    assert "enumerated by the symbolic engine:" in ran.out
    assert re.search(r"explicit engine: .*; the same sets$", ran.out, re.MULTILINE)
    hashes = {model_check(*words, "--engine", one, "--json").json["interleavings"]["sha256"] for one in ENGINES}
    assert len(hashes) == 1


ENGINES = ("explicit", "symbolic", "reference")


def test_both_are_the_symbolic_and_the_reference_engine_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker.job.available", lambda: False)
    ran = model_check("enumerate", "--model", "tiny", "--depth", "1", "--engine", "both")
    assert ran.code == Exit.HOLDS
    assert re.search(r"reference engine: .*; the same sets$", ran.out, re.MULTILINE)


def test_enumeration_needs_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker.explicit_search.available", lambda: False)
    ran = model_check("enumerate", "--model", "tiny", "--engine", "explicit")
    assert ran.code == Exit.USAGE
    assert "raftproof[native]" in ran.err
