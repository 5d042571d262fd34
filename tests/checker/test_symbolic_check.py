"""Bounded search finds shortest runs, says "none" only when there is none, and believes nothing unconfirmed."""

from __future__ import annotations

import random

import pytest

from checker.symbolic.check import Violation, check
from checker.symbolic.decode import confirm
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.errors import EnginesDisagree
from checker.symbolic.watch import Deadline, Watch
from spec.evaluate import Evaluator
from spec.explore import explore
from spec.load import load_system, shipped
from spec.script import start_state
from spec.state import Label
from tests.checker.symbolic_systems import kitchen, of_text, shipped_system

COUNTER = """
shared n: 0..{high} = 0
action up:
    n := n + 1
action skip_two:
    require n mod 2 == 1
    n := n + 3
invariant small: n < 6
action invariant steps: n <= old(n) + 2 or label == up
model m:
    storage = atomic
"""


def test_an_invariant_and_an_action_invariant_are_violated_as_early_as_can_be() -> None:
    system = of_text(COUNTER.format(high=9))
    found = check(system, 9)
    assert isinstance(found, Violation)
    assert (found.property, found.labels) == ("steps", (Label("up"), Label("skip_two")))
    only = check(system, 9, only="small")
    assert isinstance(only, Violation)
    assert (only.property, len(only.labels)) == ("small", 4)  # 1, 4, 5, 8
    assert check(system, 3, only="small") == NoneWithin(3)


def test_an_evaluation_error_is_found() -> None:
    system = of_text(COUNTER.format(high=3))
    found = check(system, 9, only="small")
    assert isinstance(found, Violation)
    assert found.property is None
    assert found.labels == (Label("up"), Label("skip_two"))
    assert "outside 0..3" in found.message


def test_a_search_that_no_run_goes_beyond_is_complete() -> None:
    text = "shared n: 0..3 = 0\naction up:\n    require n < 3\n    n := n + 1\nmodel m:\n    storage = atomic\n"
    assert check(of_text(text), 9) == NoneWithin(4, complete=True)
    assert check(of_text(text.replace("n + 1", "n")), 9) == NoneWithin(9)


def test_a_run_that_is_not_asked_for_to_be_shortest_ends_where_it_first_violates() -> None:
    """Of fewer than six labels nothing is asked; the run of six that is found has a violation before its end."""
    system = of_text(COUNTER.format(high=9))
    found = check(system, 6, only="small", min_steps=6)
    assert isinstance(found, Violation)
    assert found.property == "small"
    ends = [state.shared[0] for state in found.states]
    assert all(n < 6 for n in ends[:-1])
    assert ends[-1] >= 6
    assert check(system, 3, only="small", min_steps=2) == NoneWithin(3)
    assert isinstance(check(system, 3), Violation)
    assert check(system, 3, min_steps=3) == NoneWithin(3), "the violation of two labels is not asked for"


def test_what_was_not_asked_does_not_count_as_searched() -> None:
    found = check(shipped_system("raft", "three"), 40, watch=Watch(Deadline(2.0)), min_steps=12)
    assert isinstance(found, Unknown)
    assert found.depth == -1


def test_running_out_of_time_is_unknown_and_never_none() -> None:
    found = check(shipped_system("raft", "three"), 40, watch=Watch(Deadline(1.0)))
    assert isinstance(found, Unknown)
    assert found.reason == "timeout"
    assert found.depth < 40


@pytest.mark.parametrize("network", ["bag with loss", "fifo", "set"])
def test_violations_are_as_short_as_breadth_first_search_finds_them(network: str) -> None:
    system = kitchen(network, "buffered", "max_in_flight = 2, max_crashes = 1")
    evaluator = Evaluator(system)
    chance, state = random.Random(3), evaluator.initial_states()[0]
    for _ in range(6):
        explored = explore(evaluator, start=state, max_steps=3)
        found = check(system, 3, start=state)
        if explored.violation is None:
            assert found == NoneWithin(3)
        else:
            assert isinstance(found, Violation)
            assert len(found.labels) == len(explored.violation.labels)
        state = chance.choice(evaluator.transitions(state))[1]


def test_the_seeds_mutant_loses_a_committed_entry() -> None:
    system = load_system(shipped("raft"), mutant="new-leader-auto-commits")
    start, _ = start_state(Evaluator(system))
    found = check(system, 8, start=start)
    assert isinstance(found, Violation)
    assert found.property in system.expects
    assert len(found.labels) == 5


def test_a_run_that_the_evaluator_does_not_take_is_refused() -> None:
    system = shipped_system("diehard", "puzzle")
    start = Evaluator(system).initial_states()[0]
    (filled,) = confirm(system, start, (Label("fill_big"),))
    assert filled.shared == (0, 5)
    with pytest.raises(EnginesDisagree, match="step 1"):
        confirm(system, start, (Label("fill_big"), Label("fill_big")), (filled, start))
    two = shipped_system("two_phase_commit", "three")
    with pytest.raises(EnginesDisagree, match="does not take it"):
        confirm(two, Evaluator(two).initial_states()[0], (Label("commit", "tm"),))
