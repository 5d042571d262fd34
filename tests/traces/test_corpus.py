"""The named traces: what they are runs of, what they end in, and how implementations take them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from checker.question import ask
from checker.tracing import Tracer
from refimpl.target import create
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from spec.script import find_scenario, run_scenario
from traces.itf import format_trace, read_trace
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay
from traces.trace import Trace, TraceState
from traces.values import Map

TRACES = Path(__file__).resolve().parent.parent.parent / "traces"
CORPUS = sorted((TRACES / "corpus").glob("*.itf.json"))
COUNTEREXAMPLES = sorted((TRACES / "counterexamples").glob("*.itf.json"))
NAMED = {
    "seed_case_1",
    "seed_case_2_majority",
    "seed_case_2_one_follower_saved",
    "seed_case_2_one_follower_discarded",
    "seed_case_3",
    "catch_up_of_two",
    "follower_crash_between_write_and_flush",
}


def name_of(path: Path) -> str:
    return path.name.removesuffix(".itf.json")


def test_every_case_of_the_seed_has_its_trace() -> None:
    assert {name_of(path) for path in CORPUS} == NAMED
    assert len(COUNTEREXAMPLES) == 3


@pytest.mark.parametrize("path", CORPUS, ids=name_of)
def test_a_named_trace_is_the_run_of_its_scenario(path: Path) -> None:
    evaluator = Evaluator(load_system(shipped("raft"), model="three"))
    scenario = find_scenario(evaluator, name_of(path))
    assert scenario is not None
    assert scenario.goal is not None
    state, labels = run_scenario(evaluator, scenario)
    assert evaluator.holds(evaluator.compile(scenario.goal), state)
    written = format_trace(Tracer(evaluator).trace(labels, {"scenario": scenario.name}))
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_bytes(written)
    assert path.read_bytes() == written


@pytest.mark.parametrize("path", CORPUS, ids=name_of)
def test_the_implementation_follows_a_named_trace(path: Path) -> None:
    result = replay(read_trace(path), create(), TABLE)
    assert isinstance(result, Replayed), result
    assert not result.unobserved


@pytest.mark.parametrize("path", COUNTEREXAMPLES, ids=name_of)
def test_a_counterexample_violates_its_property_in_the_mutated_spec_and_nowhere_before_its_end(path: Path) -> None:
    trace = read_trace(path)
    assert trace.mutant is not None
    question = ask(None, mutant=trace.mutant, model=trace.model)
    tracer, evaluator = Tracer(question.evaluator), question.evaluator
    state = evaluator.initial_states()[0]
    violated = str(trace.meta["property"])
    for following in trace.states[1:]:
        assert violated not in evaluator.violated(state)
        (state,) = (s for label, s in evaluator.transitions(state) if tracer.label(label) == following.label)
        assert tracer.variables(state) == following.variables
    assert violated in evaluator.violated(state)


@pytest.mark.parametrize("path", COUNTEREXAMPLES, ids=name_of)
def test_the_broken_implementation_follows_a_counterexample_and_the_correct_one_refuses(path: Path) -> None:
    trace = read_trace(path)
    assert trace.mutant is not None
    assert isinstance(replay(trace, create(frozenset({trace.mutant})), TABLE), Replayed)
    refused = replay(trace, create(), TABLE)
    assert isinstance(refused, Divergence)
    assert refused.path == "s1.commit_index"


def test_the_literal_rule_loses_an_answered_write_on_the_broken_implementation() -> None:
    trace = read_trace(TRACES / "counterexamples" / "new-leader-auto-commits-answered_write_is_never_lost.itf.json")
    assert trace.mutant is not None
    target = create(frozenset({trace.mutant}))
    assert isinstance(replay(trace, target, TABLE), Replayed)
    ghosts = trace.states[-1].variables["ghosts"]
    assert isinstance(ghosts, Map)
    assert ghosts["answered"], "the client was told success"
    newest = max((target.observe(server) for server in ("s1", "s2", "s3")), key=lambda seen: int(seen["current_term"]))
    leaders = [s for s in (target.observe(server) for server in ("s1", "s2", "s3")) if s["role"] == "Leader"]
    leader = max(leaders, key=lambda seen: int(seen["current_term"]))
    assert leader["current_term"] == newest["current_term"]
    assert all(entry["client"] is None for entry in leader["log"]), "and the newest leader has no trace of it"


@pytest.mark.parametrize("variable", ["disk", "pending", "network", "outbox", "log", "ghosts"])
def test_a_variable_that_a_trace_lacks_is_counted_and_not_passed_in_silence(variable: str) -> None:
    trace = read_trace(TRACES / "corpus" / "seed_case_1.itf.json")
    states = tuple(TraceState(s.label, s.variables.without(variable), s.meta) for s in trace.states)
    result = replay(Trace(trace.spec, trace.model, trace.mutant, states), create(), TABLE)
    assert isinstance(result, Replayed)
    name = "answered" if variable == "ghosts" else variable
    assert result.unobserved == {f"{name} (not in the trace)": len(states)}
