"""raft.spec itself: its models, its scenarios, and that each property of the seed can fail."""

from __future__ import annotations

import pytest

from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_system, shipped
from spec.script import find_scenario, run_scenario, start_state

RAFT = shipped("raft")


@pytest.mark.parametrize("model", ["three", "two_crashes", "tiny", "five"])
def test_every_scenario_of_a_model_reaches_its_goal(model: str) -> None:
    evaluator = Evaluator(load_system(RAFT, model=model))
    for scenario in evaluator.system.scenarios:
        state, _ = run_scenario(evaluator, scenario)
        assert scenario.goal is not None
        assert evaluator.holds(evaluator.compile(scenario.goal), state), scenario.name
        assert evaluator.violated(state) == [], scenario.name


def test_tiny_is_exhausted_without_a_violation() -> None:
    found = explore(Evaluator(load_system(RAFT, model="tiny")))
    assert (found.complete, found.violation, found.distinct, found.depth) == (True, None, 8960, 32)
    assert set(found.reached) == {"a_leader_is_elected", "a_write_is_answered"}


def test_five_servers_hold_their_invariants_for_a_few_steps() -> None:
    found = explore(Evaluator(load_system(RAFT, model="five")), max_steps=3)
    assert found.violation is None
    assert found.levels[0] == 1
    assert len(found.levels) == 4


def test_a_write_submitted_while_a_majority_is_down_is_answered_after_one_has_come_back() -> None:
    evaluator = Evaluator(load_system(RAFT, model="two_crashes"))
    scenario = find_scenario(evaluator, "answered_after_a_majority_was_down")
    assert scenario is not None
    state, labels = run_scenario(evaluator, scenario)
    assert [label.rule for label in labels].count("crash") == 2
    assert evaluator.violated(state) == []


@pytest.mark.parametrize("broken", ["not_answered_without_a_majority", "answered_write_is_never_lost"])
def test_success_before_commit_breaks_what_the_seed_promises(broken: str) -> None:
    evaluator = Evaluator(load_system(RAFT, mutant="reply-at-append"))
    assert broken in evaluator.system.expects
    start, _ = start_state(evaluator)
    steps = 1 if broken == "not_answered_without_a_majority" else 7
    found = explore(evaluator, start=start, only=broken, max_steps=steps)
    if broken == "not_answered_without_a_majority":
        assert found.violation is not None
        assert found.violation.property == broken
        assert len(found.violation.labels) == 1
    else:  # no other leader within seven labels of two crashes: the bound is honest about it
        assert found.violation is None
        assert not found.complete


def test_the_log_is_large_enough_for_recovery() -> None:
    constants = dict(load_system(RAFT, model="three").constants)
    bounds = load_system(RAFT, model="three").bounds
    assert constants["max_log"] >= constants["max_term"] + constants["max_serial"] + (bounds.retries or 0)
