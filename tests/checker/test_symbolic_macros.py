"""The symbolic engine at the macro grain: its steps are the evaluator's, and what it finds first is as short."""

from __future__ import annotations

import pytest

from checker.symbolic.allsat import solutions
from checker.symbolic.check import Violation, check
from checker.symbolic.decode import labels_of, read_state, state_bits
from checker.symbolic.depths import NoneWithin
from checker.symbolic.macros import schedules_of
from checker.symbolic.state import Shape
from checker.symbolic.unroll import Unrolling
from checker.symbolic.watch import Query, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.explore import explore
from spec.grains import coarsened, micro_labels
from spec.load import load_system, shipped
from spec.state import Label, State
from spec.system import System
from tests.checker.macro_systems import kitchen_at_macro_grain, micro, raft_at_macro_grain
from tests.checker.symbolic_systems import BOUNDS, NETWORKS, STORAGES
from tests.spec.walks import walk


def steps_of(system: System, start: State, length: int = 1) -> dict[tuple[Label, ...], State]:
    """All runs of so many macro steps, by their labels, as z3 finds them."""
    run = Unrolling(system, start)
    run.extend_to(length)
    c = run.circuit
    goal = c.every(s.taken for s in run.steps)
    choices = [bit for s in run.steps for bit in s.bits if bit > 1]
    micro_steps = [single for s in run.steps for single in s.micro]
    roots = [*state_bits(run.states[length]), *choices]
    roots += [b for s in micro_steps for b in (*state_bits(s.before), s.taken, *s.label_is.values())]
    cone = c.cone(roots)
    found = {}
    for values in solutions(c, goal, choices, Watch(), Query("macro", "it can be taken")):
        simulated = c.simulate(cone, dict(zip(choices, map(int, values), strict=True)))

        def bit(which: int, simulated: dict[int, int] = simulated) -> bool:
            return bool(simulated[which])

        labels = labels_of(run.shape, run.steps, bit)
        assert labels not in found, "two assignments of the choices are one sequence of labels"
        found[labels] = read_state(run.shape, run.states[length], bit)
    return found


def compare(system: System, seeds: range, length: int) -> set[str]:
    """Compares the steps from states of random runs of either grain; the macros that were taken."""
    evaluator, seen = Evaluator(system), set()
    for seed in seeds:
        run = walk(micro(system) if seed % 2 else evaluator, seed, length)
        state = run[seed // 2 % len(run)]
        try:
            expected = {(label,): after for label, after in evaluator.transitions(state)}
        except EvaluationError:
            continue
        assert steps_of(system, state) == expected
        seen |= {label.rule for (label,) in expected}
    return seen


@pytest.mark.parametrize("bounds", BOUNDS[:2])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("network", NETWORKS)
def test_macro_steps_are_the_evaluators(network: str, storage: str, bounds: str) -> None:
    assert len(compare(kitchen_at_macro_grain(network, storage, bounds), range(14), 6)) > 4


def test_macro_steps_of_raft_are_the_evaluators() -> None:
    assert len(compare(raft_at_macro_grain("three"), range(10), 12)) > 8


def test_two_macro_steps_in_a_row_are_the_evaluators() -> None:
    system = raft_at_macro_grain("three")
    evaluator = Evaluator(system)
    (start,) = evaluator.initial_states()
    expected = {
        (first, second): last
        for first, state in evaluator.transitions(start)
        for second, last in evaluator.transitions(state)
    }
    assert steps_of(system, start, 2) == expected
    assert len(expected) > 100


def test_macros_share_positions() -> None:
    """An RPC's flush stands where an election's does; six positions are those of the longest macro."""
    placed = {schedule.macro.name: schedule.at for schedule in schedules_of(Shape(raft_at_macro_grain("three")))}
    assert placed["election"] == (0, 1, 2, 3, 4, 5)
    assert placed["rpc"][2] == placed["election"][3]
    assert placed["ask_vote"] == (2, 3, 4)


def test_a_failing_evaluation_inside_a_macro_is_found_by_both() -> None:
    system = kitchen_at_macro_grain("bag with loss, duplication", "atomic", "max_in_flight = 3, max_crashes = 2")
    reference = explore(Evaluator(system), max_steps=3)
    assert reference.violation is not None
    assert reference.violation.property is None
    found = check(system, 3)
    assert isinstance(found, Violation)
    assert found.property is None
    assert len(found.labels) == len(reference.violation.labels)


def test_nothing_is_found_where_the_reference_finds_nothing() -> None:
    assert check(raft_at_macro_grain("three"), 3) == NoneWithin(3)
    assert explore(Evaluator(raft_at_macro_grain("three")), max_steps=3).violation is None


def test_macros_with_a_label_that_the_budgets_do_not_allow_take_no_room() -> None:
    system = raft_at_macro_grain("from_the_start", "commit-prior-term-by-counting")
    assert (system.bounds.crashes, system.bounds.drops) == (0, 0)
    names = {schedule.macro.name for schedule in schedules_of(Shape(system))}
    assert not names & {"fail", "rpc_crashed", "rpc_unanswered", "lose", "answer_lost"}
    assert {"election", "rpc", "apply"} <= names


def test_a_double_vote_is_found_from_the_initial_state_at_both_grains() -> None:
    system = load_system(shipped("raft"), mutant="vote-ignores-voted-for")
    micro_run, macro_run = (check(of, 9, only="election_safety") for of in (system, coarsened(system)))
    assert isinstance(micro_run, Violation)
    assert isinstance(macro_run, Violation)
    assert (len(micro_run.labels), len(macro_run.labels)) == (9, 2)


@pytest.mark.slow
def test_figure_8_is_found_from_the_initial_state_and_replays_label_by_label() -> None:
    """Half a minute of processor time; that fewer than eight steps do not suffice, the explicit engine says."""
    system = raft_at_macro_grain("without_clients", "commit-prior-term-by-counting")
    found = check(system, 8, only="leader_completeness", min_steps=8)
    assert isinstance(found, Violation)
    assert len(found.labels) == 8
    evaluator = micro(system)
    (state,) = evaluator.initial_states()
    before_the_last = len(micro_labels(system, found.labels[:-1]))
    violated_at = []
    for number, label in enumerate(micro_labels(system, found.labels), start=1):
        state = evaluator.successor(state, label)
        if "leader_completeness" in evaluator.violated(state):
            violated_at.append(number)
    assert violated_at  # perhaps before the last label of the last macro
    assert violated_at[0] > before_the_last
