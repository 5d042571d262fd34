"""``check --frontier N``: the first steps of a run are listed by their states, and the answer is the same."""

from __future__ import annotations

import pytest

from checker.symbolic.check import Violation, check
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.frontier import check_from_frontier
from checker.symbolic.watch import Deadline, Watch
from checker.verdict import Exit
from spec.evaluate import EvaluationError, Evaluator
from spec.grains import coarsened
from spec.system import Grain, System
from tests.checker.command_line import MODELS, model_check
from tests.checker.symbolic_systems import of_text

TEXT = """
const Node: set symmetric
const top: int

message Token:
    hops: 0..3

network bag

process Node:
    volatile count: 0..top = 0

    action start(peer: Node):
        require count == 0 and peer != self
        count := 1
        send Token(hops=1) to peer

    on Token m as take:
        count := count + m.hops
        if m.hops < 3:
            send Token(hops=m.hops + 1) to m.source
        RULE

macro exchange(from_: Node, to_: Node):
    start(from_, peer=to_)
    take(to_)

macro receive(node: Node):
    take(node)

invariant few: forall n in Node: n.count < 5

model small:
    Node = {n1, n2, n3}
    top = 7
    max_in_flight = 2
    max_copies = 1
"""


def system(grain: Grain, rule: str = "", top: int = 7) -> System:
    text = TEXT.replace("        RULE\n", f"        {rule}\n" if rule else "").replace("top = 7", f"top = {top}")
    found = of_text(text)
    return coarsened(found) if grain is Grain.MACRO else found


def from_frontier(system: System, listed: int, max_steps: int, watch: Watch | None = None) -> object:
    return check_from_frontier(system, listed, max_steps, Evaluator(system).initial_states()[0], watch=watch)


@pytest.mark.parametrize("grain", list(Grain))
def test_a_violation_is_as_short_however_many_steps_are_listed(grain: Grain) -> None:
    tokens = system(grain)
    shortest = check(tokens, 8)
    assert isinstance(shortest, Violation)
    assert len(shortest.labels) >= 3
    for listed in range(1, len(shortest.labels) + 2):
        found = from_frontier(tokens, listed, 8)
        assert isinstance(found, Violation)
        assert (found.property, len(found.labels)) == ("few", len(shortest.labels))
        evaluator = Evaluator(tokens)
        state = evaluator.initial_states()[0]
        for label, after in zip(found.labels, found.states, strict=True):
            state = evaluator.successor(state, label)
            assert state == after
        assert evaluator.violated(state) == ["few"]


@pytest.mark.parametrize("listed", [1, 2, 6])
def test_an_evaluation_error_is_found_while_states_are_listed_and_after(listed: int) -> None:
    tokens = system(Grain.MICRO, "count := count - 4")
    expected = check(tokens, 6)
    found = from_frontier(tokens, listed, 6)
    assert isinstance(expected, Violation)
    assert isinstance(found, Violation)
    assert found.property is expected.property is None
    assert len(found.labels) == len(expected.labels)
    with pytest.raises(EvaluationError):
        Evaluator(tokens).successor(found.states[-1], found.labels[-1])


def test_where_there_is_none_the_bound_is_said_and_that_no_run_is_longer() -> None:
    tokens = system(Grain.MICRO, top=3)
    assert from_frontier(tokens, 2, 3) == NoneWithin(3)
    last = from_frontier(tokens, 20, 30)
    assert isinstance(last, NoneWithin)
    assert last.complete
    assert last.depth < 20


def test_time_that_runs_out_is_no_answer() -> None:
    found = from_frontier(system(Grain.MICRO), 2, 8, Watch(Deadline(1e-9)))
    assert found == Unknown(-1, "timeout")


def test_it_is_for_z3_and_looks_at_all_lengths() -> None:
    told = model_check("check", "--frontier", "2")
    assert told.code == Exit.USAGE
    assert "--frontier needs --engine symbolic" in told.err
    told = model_check("check", "--engine", "symbolic", "--frontier", "2", "--min-steps", "3")
    assert told.code == Exit.USAGE
    assert "leave out --min-steps" in told.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "model", "steps"), [("raft", "without_clients", 8), ("raft_five", "five", 6)], ids=["three", "five"]
)
def test_figure_8_is_found_from_the_initial_state(spec: str, model: str, steps: int) -> None:
    question = [MODELS / f"{spec}.spec", "--mutant", "commit-prior-term-by-counting", "--model", model]
    question += ["--property", "leader_completeness", "--grain", "macro", "--max-steps", steps]
    ran = model_check("check", *question, "--engine", "symbolic", "--frontier", steps - 1)
    assert ran.code == Exit.SAFETY
    labels = len(ran.steps())  # the run of single labels, taken by the evaluator
    assert labels > 30
    assert f"none is shorter at the macro grain: symbolic engine, {steps} macro steps of {labels} labels" in ran.out
