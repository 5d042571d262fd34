"""The search: exact counts, shortest runs, what is cut, what is a deadlock, what an error is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spec.evaluate import Cut, Evaluator, NotEnabled
from spec.explore import explore
from spec.load import load_system, shipped
from spec.state import Label, State
from tests.spec.small import Small, nodes


def reachable(evaluator: Evaluator, first: State, steps: int | None = None) -> tuple[list[int], int, int]:
    """Levels, labels that lead somewhere and labels that are cut, by another way than the search's own."""
    seen, level, levels, generated, cuts = {first}, {first}, [], 0, 0
    while level:
        levels.append(len(level))
        if steps is not None and len(levels) > steps:
            break
        following = set()
        for state in level:
            for label in evaluator.candidates(state):
                try:
                    following.add(evaluator.successor(state, label))
                    generated += 1
                except NotEnabled:
                    pass
                except Cut:
                    cuts += 1
        level = following - seen
        seen |= level
    return levels, generated, cuts


def shipped_system(name: str, model: str) -> Evaluator:
    return Evaluator(load_system(shipped(name), model=model))


# ----------------------------------------------------------------------------------------- exact state counts


def test_die_hard_has_16_states_and_depth_8() -> None:
    found = explore(shipped_system("diehard", "puzzle"))
    assert (found.distinct, found.depth, found.generated) == (16, 8, 96)  # TLC counts the initial state: 97
    assert found.levels == [1, 2, 3, 2, 2, 2, 2, 2]
    assert (found.complete, found.queue, found.violation, found.deadlock, found.cuts) == (True, 0, None, None, {})


def test_die_hard_measures_four_litres_in_six_labels() -> None:
    evaluator = shipped_system("diehard", "puzzle")
    run = explore(evaluator).reached["four_litres"]
    state = evaluator.initial_states()[0]
    for label in run:
        state = evaluator.successor(state, label)
    assert (len(run), state.shared[1]) == (6, 4)


def test_two_phase_commit_with_3_resource_managers_has_288_states_and_depth_11() -> None:
    found = explore(shipped_system("two_phase_commit", "three"))
    assert (found.distinct, found.depth, found.generated) == (288, 11, 1145)  # TLC: 1146 with the initial state
    assert (found.complete, found.violation) == (True, None)
    assert set(found.reached) == {"all_commit", "an_abort_spreads"}


@pytest.mark.slow
def test_two_phase_commit_with_5_resource_managers_has_8832_states_and_depth_17() -> None:
    found = explore(shipped_system("two_phase_commit", "five"))
    assert (found.distinct, found.depth, found.generated) == (8832, 17, 58145)


CRASHY = """
    durable  d: 0..2 = 0
    volatile x: 0..2 = 0
    action write:
        require d < 2
        d := d + 1
        fsync
        send Note(n=d) to b
    on Note m:
        require x < 2
        x := x + 1
"""
CRASHY_MODEL = "max_in_flight = 2\nconstraint low: forall p in Node: p.x < 2\n"


def crashy(top: str = "", model: str = CRASHY_MODEL) -> Small:
    return nodes(CRASHY, top=top, model=model, network="bag with loss")


def test_search_agrees_with_a_naive_one() -> None:
    small = crashy()
    found = explore(small.evaluator)
    levels, generated, cuts = reachable(small.evaluator, small.initial)
    assert (found.levels, found.generated, sum(found.cuts.values())) == (levels, generated, cuts)
    assert found.cuts.keys() == {"write: max_in_flight = 2", "Note: constraint low"}
    assert sum(found.taken.values()) == generated
    assert found.taken.keys() == {"write", "Note", "flush", "crash", "restart", "drop"}


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_search_within_a_number_of_steps_finds_what_that_many_labels_reach(steps: int) -> None:
    small = crashy()
    found = explore(small.evaluator, max_steps=steps)
    levels, generated, _ = reachable(small.evaluator, small.initial, steps)
    assert (found.levels, found.generated) == (levels, generated)
    assert (found.complete, found.queue) == (False, levels[-1])


def test_search_starts_where_it_is_told() -> None:
    small = crashy()
    start = small.run("write a", "flush a")
    found = explore(small.evaluator, start=start, max_steps=2)
    assert found.levels == reachable(small.evaluator, start, 2)[0]
    assert found.run_to(start) == ()


def test_every_run_leads_to_its_state_and_is_shortest() -> None:
    small = crashy()
    found = explore(small.evaluator)
    depths = [depth for depth, count in enumerate(found.levels) for _ in range(count)]
    for state, depth in zip(found.states, depths, strict=True):
        run = found.run_to(state)
        assert len(run) == depth
        reached = small.initial
        for label in run:
            reached = small.evaluator.successor(reached, label)
        assert reached == state


def test_progress_is_reported_with_depth_states_and_queue() -> None:
    calls: list[tuple[int, int, int]] = []
    explore(crashy().evaluator, progress=lambda *call: calls.append(call))
    assert calls[0] == (1, 1, 1)
    assert [depth for depth, _, _ in calls] == sorted(depth for depth, _, _ in calls)


# ------------------------------------------------------------------------------------------------ properties


def test_violated_invariant_ends_the_search_with_a_shortest_run() -> None:
    small = crashy("invariant flushed_low: forall p in Node: disk(p).d < 2\n")
    found = explore(small.evaluator)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == ("flushed_low", 3)
    state = small.initial
    for label in found.violation.labels:
        assert small.violated(state) == []
        state = small.evaluator.successor(state, label)
    assert small.violated(state) == ["flushed_low"]
    assert not found.complete
    assert found.queue > 0


def test_violated_initial_state_is_a_run_of_no_label() -> None:
    found = explore(crashy("invariant no: forall p in Node: not up(p)\n").evaluator)
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels, found.queue) == ("no", (), 1)


def test_violated_action_invariant_ends_in_the_step() -> None:
    found = explore(crashy("action invariant never_down: forall p in Node: old(up(p)) => up(p)\n").evaluator)
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels) == ("never_down", (Label("crash", "a", (0,)),))


BOTH = """
invariant stays_up: forall p in Node: up(p)
invariant low: forall p in Node: p.d < 2
action invariant never_down: forall p in Node: old(up(p)) => up(p)
sometimes written: exists p in Node: p.d == 1
sometimes never: exists p in Node: p.d == 1 and p.d == 2
"""


@pytest.mark.parametrize(("only", "length"), [("stays_up", 1), ("low", 2), ("never_down", 1), ("written", None)])
def test_only_checks_one_property(only: str, length: int | None) -> None:
    found = explore(crashy(BOTH).evaluator, only=only)
    assert (found.violation and found.violation.property) == (None if length is None else only)
    assert len(found.violation.labels if found.violation else ()) == (length or 0)


def test_without_checking_the_search_goes_through_violations() -> None:
    found = explore(crashy(BOTH).evaluator, check=False)
    assert (found.violation, found.complete, found.reached) == (None, True, {})
    assert found.levels == explore(crashy().evaluator).levels


def test_search_that_does_not_stop_keeps_the_first_violation_and_counts_everything() -> None:
    found = explore(crashy(BOTH).evaluator, stop_at_violation=False)
    assert found.violation is not None
    assert len(found.violation.labels) == 1
    assert (found.complete, found.levels) == (True, explore(crashy().evaluator).levels)


def test_search_that_does_not_stop_at_a_violated_invariant_keeps_the_first() -> None:
    top = "invariant stays_up: forall p in Node: up(p)\ninvariant low: forall p in Node: p.d < 2\n"
    found = explore(crashy(top).evaluator, stop_at_violation=False)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.labels)) == ("stays_up", 1)
    assert (found.complete, found.levels) == (True, explore(crashy().evaluator).levels)


def test_sometimes_is_reached_by_a_shortest_run_or_not_at_all() -> None:
    found = explore(crashy(BOTH).evaluator, only="none of them")
    assert found.reached == {"written": (Label("write", "a"),)}


def test_what_is_cut_is_not_checked() -> None:
    top = "invariant low: forall p in Node: p.d < 2\n"
    assert explore(crashy(top, "constraint low_too: forall p in Node: p.d < 2\n").evaluator).violation is None


# ---------------------------------------------------------------------------------------------------- errors

ERROR = """
    volatile x: 0..9 = 2
    action down:
        x := x - 1
"""


def test_error_in_a_rule_is_a_violation_of_no_property_with_its_run() -> None:
    found = explore(nodes(ERROR, elements="a").evaluator)
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels) == (None, (Label("down", "a"),) * 3)
    assert "small.spec:" in found.violation.message
    assert "x: -1 is outside 0..9" in found.violation.message


@pytest.mark.parametrize(
    ("top", "labels"),
    [
        ("invariant bad: forall p in Node: 1 div p.x >= 0\n", 2),
        ("action invariant bad: forall p in Node: 1 div p.x >= 0\n", 2),
        ("sometimes bad: exists p in Node: 1 div p.x > 9\n", 2),
    ],
)
def test_error_in_a_property_is_reported_with_its_run(top: str, labels: int) -> None:
    found = explore(nodes(ERROR, top=top, elements="a").evaluator)
    assert found.violation is not None
    assert (found.violation.property, found.violation.labels) == (None, (Label("down", "a"),) * labels)
    assert "division by zero" in found.violation.message


def test_error_in_a_constraint_is_reported_with_its_run() -> None:
    model = "constraint bad: forall p in Node: 1 div p.x >= 0\n"
    found = explore(nodes(ERROR, model=model, elements="a").evaluator)
    assert found.violation is not None
    assert found.violation.labels == (Label("down", "a"),) * 2


# -------------------------------------------------------------------------------------------------- deadlock

STOPS = """
    volatile x: 0..9 = 0
    action go:
        require x < 2
        x := x + 1
"""


def test_deadlock_is_where_nothing_is_enabled() -> None:
    found = explore(nodes(STOPS, elements="a").evaluator)
    assert found.deadlock == (Label("go", "a"),) * 2


def test_state_whose_every_transition_is_cut_is_no_deadlock() -> None:
    found = explore(nodes(STOPS, elements="a", model="constraint low: forall p in Node: p.x < 1\n").evaluator)
    assert (found.distinct, found.deadlock, found.cuts) == (1, None, {"go: constraint low": 1})


def test_used_up_budget_can_leave_a_deadlock() -> None:
    members = "volatile x: 0..9 = 0\naction retry:\n    x := x + 1\n"
    found = explore(nodes(members, elements="a", model="max_retries = 1\n").evaluator)
    assert found.deadlock == (Label("retry", "a"),)


# ----------------------------------------------------------------------------------------------- determinism

SCRIPT = """
from spec.explore import explore
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from spec.values import canonical
evaluator = Evaluator(load_system(shipped("raft"), model="three"))
found = explore(evaluator, max_steps=3, check=False)
for state in found.states:
    print(canonical(state), canonical(found.run_to(state)))
"""


def test_search_is_the_same_whatever_pythons_hash_seed() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0].count("\n") > 10
    assert outputs[0] == outputs[1]
