"""The inductive invariant of raft.spec: that it is one, and that a broken rule breaks it where it should."""

from __future__ import annotations

from functools import cache

import pytest

from checker.symbolic.consecution import verdict_of
from checker.symbolic.induction import Obligations
from checker.symbolic.watch import Watch
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from tests.checker.command_line import MODELS, model_check

PROOF = MODELS / "raft_proof.spec"

RULES = (
    "timeout", "request_vote", "request_vote_response", "client_request", "replicate", "append_entries",
    "append_entries_response", "apply", "answer_client", "submit", "retry", "client_response",
    "crash", "restart", "drop", "duplicate", "flush",
)  # fmt: skip


@cache
def obligations(mutant: str | None = None, model: str = "three") -> Obligations:
    system = load_system(shipped("raft_proof"), model=model, mutant=mutant)
    return Obligations(system, Evaluator(system).initial_states()[0], system.inductive)


def broken_by(rule: str, mutant: str | None = None, model: str = "three") -> list[str | None]:
    of = obligations(mutant, model)
    found = [verdict_of(of, case, Watch()) for case in of.cases() if case.rule == rule]
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
        ("vote-ignores-voted-for", "request_vote", "sent_vote_lasts"),
        ("up-to-date-by-length-only", "request_vote", "later_candidates_have_it"),
        ("up-to-date-by-term-only", "request_vote", "later_candidates_have_it"),
        ("clear-vote-on-same-term-append", "append_entries", "sent_vote_lasts"),
        ("append-ignores-prev-term", "append_entries", "logs_are_of_leaders"),
        ("append-skips-conflict", "append_entries", "acknowledged_is_on_disk"),
        ("follower-commits-to-own-last", "append_entries", "commit_index_is_chosen"),
        ("accepts-stale-leader", "append_entries", "who_had_it_has_it"),
        ("commit-quorum-floor", "append_entries_response", "committed_is_chosen"),
        ("commit-prior-term-by-counting", "append_entries_response", "committed_is_chosen"),
    ],
)
def test_a_broken_rule_breaks_a_conjunct_at_its_label(mutant: str, rule: str, conjunct: str) -> None:
    assert conjunct in broken_by(rule, mutant)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "rule", "conjunct"),
    [
        ("vote-not-durable", "request_vote", "sent_vote_lasts"),
        ("follower-acks-before-fsync", "append_entries", "acknowledged_is_on_disk"),
    ],
)
def test_an_answer_before_its_flush_breaks_a_conjunct(mutant: str, rule: str, conjunct: str) -> None:
    assert conjunct in broken_by(rule, mutant, "three_buffered")


@pytest.mark.slow
def test_raft_is_proved_with_atomic_storage() -> None:
    ran = model_check("prove", PROOF)
    assert ran.code == 0
    assert "Proved for runs of any length" in ran.out
