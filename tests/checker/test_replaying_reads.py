"""Reads of raft_read.spec on the implementation: no run of the spec diverges, and each wrong rule of reading does."""

from __future__ import annotations

import random

import pytest

from checker.explicit.search import explore
from checker.tracing import Tracer
from refimpl.target import create
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from spec.script import find_scenario, run_scenario, start_state
from spec.state import Label
from traces.raft_reads import READ_TABLE, table_for
from traces.replay import Divergence, Replayed, replay
from traces.trace import Trace

READ = shipped("raft_read")
FAULTS = {  # of the implementation → the mutant of the spec that is the same, and its model near the violation
    "stale-reads": ("local-leader-read", "deposed"),
    "read-before-own-commit": ("read-before-own-commit", "elected"),
    "read-before-apply": ("read-before-apply", "committed"),
}


def random_run(evaluator: Evaluator, seed: int, length: int) -> tuple[Label, ...]:
    """From one of the scenarios at random; a rule, then one of its labels. Losses would leave little to see."""
    chance = random.Random(seed)
    state, labels = run_scenario(evaluator, chance.choice(evaluator.system.scenarios))
    for _ in range(length):
        transitions = evaluator.transitions(state)
        if not transitions:
            break
        rule = chance.choice(sorted({label.rule for label, _ in transitions} - {"drop"}) or ["drop"])
        label, state = chance.choice([pair for pair in transitions if pair[0].rule == rule])
        labels = (*labels, label)
    return labels


@pytest.fixture(scope="module")
def runs() -> list[Trace]:
    evaluator = Evaluator(load_system(READ))
    tracer = Tracer(evaluator)
    return [tracer.trace(random_run(evaluator, seed, 20)) for seed in range(30)]


def replayed(trace: Trace, *faults: str) -> Replayed | Divergence:
    return replay(trace, create(frozenset(faults)), table_for(trace.states[0]))


def test_random_runs_with_reads_do_not_diverge(runs: list[Trace]) -> None:
    rules = [label.rule for trace in runs for label in trace.labels]
    assert min(rules.count(rule) for rule in ("read_request", "crash", "restart")) > 10
    assert rules.count("read_response") > 5
    for trace in runs:
        result = replayed(trace)
        assert isinstance(result, Replayed), result
        assert result.unobserved == {}


@pytest.mark.parametrize(("fault", "path"), [("stale-reads", "s1.round"), ("read-before-own-commit", "s2.reads")])
def test_a_wrong_rule_of_reading_diverges_in_some_run(runs: list[Trace], fault: str, path: str) -> None:
    found = [result for trace in runs if isinstance(result := replayed(trace, fault), Divergence)]
    assert path in {name for result in found for name in (result.path, *result.others)}
    assert {result.label.rule for result in found if result.label} == {"read_request"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stale_read_of_the_spec_is_one_of_the_implementation_with_the_same_fault_only(fault: str) -> None:
    mutant, model = FAULTS[fault]
    system = load_system(READ, model=model, mutant=mutant)
    evaluator = Evaluator(system)
    start, script = start_state(evaluator)
    found = explore(system, start=start).violation
    assert found is not None
    trace = Tracer(evaluator).trace((*script, *found.labels))
    assert isinstance(replayed(trace, fault), Replayed)
    result = replayed(trace)
    assert isinstance(result, Divergence)
    assert result.step >= len(script)


def test_every_field_of_a_reading_leader_is_compared() -> None:
    evaluator = Evaluator(load_system(READ))
    scenario = find_scenario(evaluator, "read_answered")
    assert scenario is not None
    trace = Tracer(evaluator).trace(run_scenario(evaluator, scenario)[1])
    names = {field.name for field in READ_TABLE.fields if field.when(trace.states[-1], "s1")}
    assert names >= {"round", "confirmed", "reads", "next_index", "outbox"}
