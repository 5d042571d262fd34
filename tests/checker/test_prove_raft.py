"""The inductive invariant of raft.spec: that it is one, and that a broken rule breaks it where it should."""

from __future__ import annotations

from functools import cache

import pytest

from checker.symbolic.induction import Obligations
from checker.symbolic.watch import Watch
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from tests.checker.command_line import MODELS, model_check

PROOF = MODELS / "raft_proof.spec"

# Those of raft.spec that do not follow from the conjuncts yet: what clients see.
NOT_PROVED = (
    "answered_write_is_never_lost",
    "answered_write_took_effect",
    "takes_effect_at_most_once",
    "not_answered_without_a_majority",
)


RULES = (
    "timeout", "request_vote", "request_vote_response", "client_request", "replicate", "append_entries",
    "append_entries_response", "apply", "answer_client", "submit", "retry", "client_response",
    "crash", "restart", "drop", "duplicate",
)  # fmt: skip


@cache
def obligations(mutant: str | None = None, model: str = "three") -> Obligations:
    system = load_system(shipped("raft_proof"), model=model, mutant=mutant)
    return Obligations(system, Evaluator(system).initial_states()[0], system.inductive)


def broken_by(rule: str, mutant: str | None = None, model: str = "three") -> list[str | None]:
    of = obligations(mutant, model)
    found = [of.consecution(case, Watch()) for case in of.cases() if case.rule == rule]
    assert found
    assert not any(verdict.unknown or verdict.contradictory for verdict in found)
    return [broken.property for verdict in found for broken in verdict.broken]


def test_a_vote_keeps_every_conjunct() -> None:
    assert broken_by("request_vote") == []


def test_the_safety_of_figure_3_2_follows() -> None:
    assert tuple(broken.property for broken in obligations().implication(Watch()).broken) == NOT_PROVED


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_each_label_keeps_every_conjunct(rule: str) -> None:
    assert broken_by(rule) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "rule", "conjunct"),
    [
        ("vote-ignores-voted-for", "request_vote", "sent_vote_lasts"),
        ("no-up-to-date-check", "request_vote", "later_candidates_have_it"),
        ("up-to-date-by-length-only", "request_vote", "later_candidates_have_it"),
        ("up-to-date-by-term-only", "request_vote", "later_candidates_have_it"),
        ("clear-vote-on-same-term-append", "append_entries", "sent_vote_lasts"),
        ("append-ignores-prev-term", "append_entries", "logs_are_of_leaders"),
        ("append-skips-conflict", "append_entries", "acknowledged_is_on_disk"),
        ("follower-commits-to-own-last", "append_entries", "commit_index_is_chosen"),
        ("accepts-stale-leader", "append_entries", "acknowledged_is_on_disk"),
        ("commit-quorum-floor", "append_entries_response", "commit_index_is_chosen"),
        ("commit-prior-term-by-counting", "append_entries_response", "commit_index_is_chosen"),
        ("new-leader-auto-commits", "request_vote_response", "commit_index_is_chosen"),
        ("restart-forgets-vote", "crash", "sent_vote_lasts"),
        ("term-not-durable", "crash", "sent_vote_lasts"),
    ],
)
def test_a_broken_rule_breaks_a_conjunct_at_its_label(mutant: str, rule: str, conjunct: str) -> None:
    assert conjunct in broken_by(rule, mutant)


@pytest.mark.slow
def test_what_is_proved_and_what_is_not_is_said() -> None:
    ran = model_check("prove", PROOF)
    assert ran.code == 26
    assert f"implication: DOES NOT GIVE {', '.join(NOT_PROVED)}" in ran.out
    assert ran.out.count("BREAKS") == 0
