"""The inductive invariant of raft.spec: that it is one, and that a broken rule breaks it where it should."""

from __future__ import annotations

import re
from functools import cache

import pytest

from checker.symbolic.consecution import verdict_of, without
from checker.symbolic.induction import Obligations
from checker.symbolic.watch import Watch
from spec.evaluate import Evaluator
from spec.load import load_system, mutants_of, shipped
from tests.checker.command_line import MODELS, ROOT, model_check

PROOF = MODELS / "raft_proof.spec"

RULES = (
    "timeout", "request_vote", "request_vote_response", "client_request", "replicate", "append_entries",
    "append_entries_response", "apply", "answer_client", "submit", "retry", "client_response",
    "crash", "restart", "drop", "duplicate", "flush",
)  # fmt: skip


FEW = {"max_term": "3", "max_log": "2"}
"""Bounds within which a broken rule breaks a conjunct soon."""

TWO_WRITES = {**FEW, "max_serial": "2"}

ABOUT_THE_UNFLUSHED = {
    "terms_grow_from_record_to_record", "waiting_request_is_of_a_candidate", "waiting_vote_is_given",
    "append_does_not_wait", "acknowledged_in_memory", "waiting_answers_are_true",
}  # fmt: skip
"""Conjuncts that say nothing where storage is atomic."""


@cache
def obligations(mutant: str | None = None, model: str = "three") -> Obligations:
    system = load_system(shipped("raft_proof"), model=model, mutant=mutant, settings=FEW if mutant else {})
    return Obligations(system, Evaluator(system).initial_states()[0], system.inductive)


def broken_by(rule: str, mutant: str | None = None, model: str = "three") -> list[str | None]:
    """Of a mutant, the first conjunct only."""
    of = obligations(mutant, model)
    found = [verdict_of(of, case, Watch(), first=mutant is not None) for case in of.cases() if case.rule == rule]
    assert found or rule == "flush"  # which atomic storage has not
    assert not any(verdict.unknown or verdict.contradictory for verdict in found)
    return [broken.property for verdict in found for broken in verdict.broken]


def test_every_invariant_of_raft_follows() -> None:
    of = obligations()
    assert len(of.invariants) == 9
    assert verdict_of(of, None, Watch()).broken == []
    assert of.initiation() == []


def test_a_vote_whatever_the_logs_say_breaks_the_heart() -> None:
    assert broken_by("request_vote", "no-up-to-date-check") == ["later_candidates_have_it"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["three", "three_buffered"])
@pytest.mark.parametrize("rule", RULES)
def test_each_label_keeps_every_conjunct(rule: str, model: str) -> None:
    assert broken_by(rule, model=model) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "rule", "conjunct"),
    [
        ("vote-ignores-voted-for", "request_vote", "candidate_votes_for_itself"),
        ("restart-forgets-vote", "timeout", "request_is_of_a_lasting_candidate"),
        ("term-not-durable", "timeout", "request_is_of_a_lasting_candidate"),
        ("clear-vote-on-same-term-append", "append_entries", "request_is_of_a_lasting_candidate"),
        ("up-to-date-by-length-only", "request_vote", "later_candidates_have_it"),
        ("up-to-date-by-term-only", "request_vote", "later_candidates_have_it"),
        ("new-leader-auto-commits", "request_vote_response", "commit_index_is_chosen"),
        ("commit-prior-term-by-counting", "append_entries_response", "commit_index_is_chosen"),
        ("commit-quorum-floor", "request_vote_response", "commit_index_is_chosen"),
        ("append-ignores-prev-term", "append_entries", "logs_are_of_leaders"),
        ("append-truncates-always", "append_entries", "leader_has_its_log"),
        ("append-skips-conflict", "append_entries", "acknowledged_is_on_disk"),
        ("follower-commits-to-own-last", "append_entries", "commit_index_is_chosen"),
        ("accepts-stale-leader", "append_entries", "candidate_keeps_its_log"),
        ("commit-index-goes-back", "append_entries", "applied_is_committed"),
        ("reply-at-append", "client_request", "answered_writes_took_effect"),
        ("reply-by-index-only", "answer_client", "answered_writes_took_effect"),
        ("no-dedup", "apply", "stored_once"),
    ],
)
def test_a_broken_rule_breaks_a_conjunct_at_its_label(mutant: str, rule: str, conjunct: str) -> None:
    assert broken_by(rule, mutant) == [conjunct]


@pytest.mark.slow
def test_raft_is_proved_with_atomic_storage() -> None:
    ran = model_check("prove", PROOF)
    assert ran.code == 0
    assert "Proved for runs of any length" in ran.out


@pytest.mark.slow
def test_every_conjunct_is_needed_but_those_about_the_unflushed() -> None:
    few = [word for name, value in TWO_WRITES.items() for word in ("--set", f"{name}={value}")]
    ran = model_check("prove", PROOF, *few, "--necessary", "--json")
    assert ran.code == 0
    redundant = {row["conjunct"] for row in ran.json["left_out_in_turn"] if row["redundant"]}
    assert redundant == ABOUT_THE_UNFLUSHED


@pytest.mark.slow
def test_where_storage_is_buffered_those_are_needed_too() -> None:
    system = load_system(PROOF, model="three_buffered", settings=TWO_WRITES)
    of = Obligations(system, Evaluator(system).initial_states()[0], system.inductive)
    (flush,) = (case for case in of.cases() if case.rule == "flush")
    proved = verdict_of(of, flush, Watch())
    assert not proved.broken
    found = without(of, proved, sorted(ABOUT_THE_UNFLUSHED), Watch())
    assert {one.conjunct for one in found if one.broken} == ABOUT_THE_UNFLUSHED


def test_the_document_lists_each_conjunct_and_each_mutant_that_is_a_bug() -> None:
    text = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `?([\w-]+)`? \|", text, re.MULTILINE)
    bugs = {mutant.name for mutant in mutants_of(MODELS / "raft.spec") if mutant.breaks}
    conjuncts = [p.name for p in load_system(PROOF).inductive]
    assert [name for name in listed if name in conjuncts] == conjuncts
    assert bugs - set(listed) == {"next-not-above-match", "refutes-published-leader-completeness"}, "outside of it"
    assert all(name in text for name in bugs)
