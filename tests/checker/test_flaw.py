"""The seed's flaw and its relative: found by the symbolic engine, lost on the broken target, refused by the correct."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from checker.checking import Checked, check
from checker.flaw import MUTANT, PROPERTY, Flaw, show_flaw
from checker.implementation import Implementation
from checker.question import ask
from checker.report import print_flaw
from checker.verdict import Exit
from refimpl.target import RefimplTarget, create
from spec.evaluate import Evaluator
from spec.script import find_scenario, run_scenario
from spec.system import LabelPattern
from tests.checker.command_line import model_check
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay
from traces.trace import Trace
from traces.values import Map, Value

COUNTING = "commit-prior-term-by-counting"


FOUND = (  # what the search finds after the script of the mutant's model
    LabelPattern("apply", "s1", ()),
    LabelPattern("apply", "s1", ()),
    LabelPattern("timeout", "s3", ()),
    LabelPattern("flush", "s3", ()),
    LabelPattern("request_vote", "s2", (("source", "s3"),)),
    LabelPattern("retry", "c1", (("server", "s1"),)),
    LabelPattern("flush", "s2", ()),
    LabelPattern("client_request", "s1", ()),  # answered: it has taken effect on s1
    LabelPattern("request_vote_response", "s3", (("source", "s2"),)),  # s3 leads, without it
)


@pytest.fixture(scope="module")
def known() -> Checked:
    """The answer of the search, without its half minute."""
    evaluator = ask(None, mutant=MUTANT, only=PROPERTY).evaluator
    script = find_scenario(evaluator, evaluator.system.start or "")
    assert script is not None
    _, labels = run_scenario(evaluator, replace(script, script=script.script + FOUND))
    message = f"invariant {PROPERTY} is violated"
    return Checked("symbolic", Exit.SAFETY, 9, len(script.script), labels, violated=PROPERTY, message=message)


@pytest.fixture
def flaw(known: Checked, monkeypatch: pytest.MonkeyPatch) -> Flaw:
    """What the main job shows; targets can be asked for more."""
    monkeypatch.setattr("checker.flaw.check", lambda *_: known)
    return show_flaw(Implementation(), None, None)


def trace_of(flaw: Flaw) -> Trace:
    assert flaw.trace is not None
    return flaw.trace


def text(flaw: Flaw) -> str:
    said = io.StringIO()
    print_flaw(Console(width=200, markup=False, file=said), flaw)
    return said.getvalue()


def test_the_literal_rule_breaks_leader_completeness_after_five_labels() -> None:
    ran = model_check("check", "--mutant", MUTANT)
    assert ran.code == Exit.SAFETY
    assert "invariant leader_completeness is violated" in ran.out
    assert "5 labels after the script of 15" in ran.out
    assert len(ran.steps()) == 20
    assert ran.reproduce == ["check", "--mutant", MUTANT]


def test_counting_an_entry_of_an_earlier_term_breaks_leader_completeness_after_six_labels() -> None:
    question = ask(None, mutant=COUNTING)
    checked = check(question, "symbolic")
    assert checked.code is Exit.SAFETY
    assert checked.violated == "leader_completeness"
    assert checked.labels is not None
    assert len(checked.labels) - checked.prefix == 6
    assert broken_properties(question.evaluator, checked) == ["leader_completeness"]


def broken_properties(evaluator: Evaluator, checked: Checked) -> list[str]:
    """What the evaluator finds violated in the last state, and in no earlier one."""
    assert checked.labels is not None
    state = evaluator.initial_states()[0]
    for label in checked.labels:
        assert evaluator.violated(state) == []
        state = evaluator.successor(state, label)
    return evaluator.violated(state)


def test_an_answered_write_is_lost_nine_labels_after_the_script(known: Checked) -> None:
    flaw = show_flaw(Implementation(), None, None)
    checked = flaw.checked
    assert checked.code is Exit.SAFETY
    assert checked.violated == PROPERTY == "answered_write_is_never_lost"
    assert checked.labels is not None
    assert len(checked.labels) - checked.prefix == 9
    question = ask(None, mutant=MUTANT, only=PROPERTY)
    for answer in (checked, known):
        assert PROPERTY in broken_properties_at_the_end(question.evaluator, answer)
    assert flaw.command == f"model-check check --engine symbolic --mutant {MUTANT} --property {PROPERTY}"
    assert isinstance(flaw.on_broken, Replayed)
    assert flaw.refused
    assert flaw.code is Exit.HOLDS


def broken_properties_at_the_end(evaluator: Evaluator, checked: Checked) -> list[str]:
    """Other properties may be violated earlier: only one was asked for."""
    assert checked.labels is not None
    state = evaluator.initial_states()[0]
    for label in checked.labels:
        assert PROPERTY not in evaluator.violated(state)
        state = evaluator.successor(state, label)
    return evaluator.violated(state)


def test_the_target_with_the_same_rule_loses_the_answered_write_too(flaw: Flaw) -> None:
    trace = trace_of(flaw)
    assert isinstance(flaw.on_broken, Replayed)
    assert flaw.on_broken.steps == len(trace.labels) == 24
    assert flaw.on_broken.unobserved == {}
    last = trace.states[-1].variables
    (write,) = fields(last["ghosts"], "answered")  # the client was told "success"
    leader = newest_leader(last)
    entries = fields(last["log"], leader)
    assert write not in [fields(entry, "write") for entry in entries]
    # and the implementation says so itself, label by label
    target = create(frozenset({MUTANT}))
    follow(target, trace)
    seen = target.observe(leader)
    assert seen["role"] == "Leader"
    assert [entry["client"] for entry in seen["log"]] == [None] * len(entries)


def fields(value: Value, name: str) -> Value:
    assert isinstance(value, Map)
    return value[name]


def newest_leader(variables: Map) -> str:
    roles, terms = variables["role"], variables["current_term"]
    assert isinstance(roles, Map)
    assert isinstance(terms, Map)
    return max((str(server) for server in roles if roles[server] == "Leader"), key=lambda server: terms[server])


def follow(target: RefimplTarget, trace: Trace) -> None:
    assert isinstance(replay(trace, target, TABLE), Replayed)


def test_the_correct_target_refuses_at_the_election(flaw: Flaw) -> None:
    trace = trace_of(flaw)
    divergence = flaw.on_correct
    assert isinstance(divergence, Divergence)
    assert divergence.step == flaw.checked.prefix  # the script ends with it
    assert divergence.label is not None
    assert divergence.label.rule == "request_vote_response"
    assert divergence.path.endswith(".commit_index")
    assert divergence.expected == 2  # the mutant's leader has just committed what it found
    assert divergence.observed in (0, 1)
    winner = divergence.label.process
    assert winner is not None
    before, after = (trace.states[divergence.step + i].variables for i in (-1, 0))
    assert (fields(before["role"], winner), fields(after["role"], winner)) == ("Candidate", "Leader")
    assert flaw.code is Exit.HOLDS


def test_the_report_tells_the_whole_story(flaw: Flaw) -> None:
    said = text(flaw)
    assert "invariant answered_write_is_never_lost is violated" in said
    assert "on the target with the same rule broken: it does the same: the write is lost" in said
    assert "on the correct target: it refuses at step" in said
    assert f"the whole of it: model-check check --engine symbolic --mutant {MUTANT} --property {PROPERTY}" in said
    assert " 24  " in said


@pytest.mark.usefixtures("flaw")
def test_a_target_that_cannot_be_broken_is_only_asked_to_refuse() -> None:
    found = show_flaw(Implementation(f"{__name__}:unbreakable"), None, None)
    assert isinstance(found.on_broken, str)
    assert "has no switch for this fault" in found.on_broken
    assert found.code is Exit.HOLDS
    assert "has no switch for this fault" in text(found)


@pytest.mark.usefixtures("flaw")
def test_a_target_that_follows_the_literal_rule_diverges_from_the_spec() -> None:
    found = show_flaw(Implementation(f"{__name__}:literal"), None, None)
    assert isinstance(found.on_correct, Replayed)
    assert found.code is Exit.DIVERGES
    assert "the correct target does NOT refuse" in text(found)


@pytest.mark.usefixtures("flaw")
def test_a_target_that_diverges_somewhere_else_has_not_refused() -> None:
    found = show_flaw(Implementation(f"{__name__}:forgetful"), None, None)
    assert isinstance(found.on_correct, Divergence)
    assert found.on_correct.path == "s1.pending"
    assert isinstance(found.on_broken, Replayed)
    assert found.code is Exit.DIVERGES
    assert "it refuses at" not in text(found)


def unbreakable() -> RefimplTarget:
    return create()


def forgetful(broken: frozenset[str] = frozenset()) -> RefimplTarget:
    """Sound where the literal rule is asked for, and broken in another place where it is not."""
    return create(broken or frozenset({"vote-not-durable"}))


def literal(broken: frozenset[str] = frozenset()) -> RefimplTarget:
    return create(broken | {MUTANT})


@pytest.mark.parametrize("mutant", [MUTANT, COUNTING])
def test_a_mutant_that_a_search_was_too_short_for_is_not_reported_as_found(mutant: str) -> None:
    ran = model_check("check", "--mutant", mutant, "--max-steps", "3")
    assert ran.code == Exit.HOLDS
    assert "No counterexample to any invariant" in ran.out
    assert "3 labels after the script of" in ran.out
    assert "longer runs were not searched" in ran.out
    assert "violated" not in ran.out
    assert "reproduce" not in ran.out


def test_a_flaw_that_was_not_found_is_a_mutant_that_survived() -> None:
    found = show_flaw(Implementation(), None, 2)
    assert found.trace is None
    assert (found.on_correct, found.on_broken) == (None, None)
    assert found.code is Exit.MUTANT_SURVIVED
    assert "NOT FOUND" in text(found)


def test_a_flaw_that_was_not_found_in_time_is_inconclusive() -> None:
    found = show_flaw(Implementation(), 0.05, None)
    assert found.trace is None
    assert found.code is Exit.INCONCLUSIVE
    assert "NOT FOUND: timeout" in text(found)
