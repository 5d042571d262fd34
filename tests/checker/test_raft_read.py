"""raft_read.spec: its scenarios, the bounds within which it holds, and what each rule of reading is for."""

from __future__ import annotations

import pytest

from checker.explicit.search import explore
from checker.mutants import Outcome, claims, kill
from spec.evaluate import Evaluator
from spec.load import load_system, shipped
from spec.script import run_scenario
from tests.checker.command_line import ROOT

READ = shipped("raft_read")
MUTANTS = {
    "local-leader-read",
    "read-before-own-commit",
    "read-before-apply",
    "read-confirmed-by-an-old-answer",
    "round-echoed-across-terms",
}
QUICK = ("local-leader-read", "read-confirmed-by-an-old-answer")


def test_every_scenario_reaches_its_goal() -> None:
    evaluator = Evaluator(load_system(READ))
    names = set()
    for scenario in evaluator.system.scenarios:
        state, _ = run_scenario(evaluator, scenario)
        assert scenario.goal is not None
        assert evaluator.holds(evaluator.compile(scenario.goal), state), scenario.name
        assert evaluator.violated(state) == [], scenario.name
        names.add(scenario.name)
    assert names >= {"read_answered", "deposed_leader_drops_its_read", "read_waits_for_the_no_op"}


def test_a_pair_of_servers_is_searched_to_the_end_without_a_violation() -> None:
    found = explore(load_system(READ, model="pair"), symmetry=True)
    assert (found.complete, found.violation) == (True, None)
    assert (found.generated, found.distinct, found.depth) == (59_287, 17_482, 37)
    assert set(found.reached) == {
        "a_leader_is_elected", "a_write_is_answered", "a_read_is_answered", "a_read_shows_a_write",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "counts"),
    [("two_terms", (24_458_122, 7_627_969, 79)), ("pair_and_a_crash", (10_647_510, 2_732_622, 59))],
)
def test_two_terms_are_searched_to_the_end_without_a_violation(model: str, counts: tuple[int, int, int]) -> None:
    found = explore(load_system(READ, model=model), symmetry=True)
    assert (found.complete, found.violation) == (True, None)
    assert (found.generated, found.distinct, found.depth) == counts


def test_every_rule_of_reading_has_a_mutant_that_says_how_soon_it_breaks() -> None:
    assert {claim.mutant for claim in claims(READ)} == MUTANTS
    assert all(claim.breaks == "read_shows_what_was_answered_before_it" and claim.length for claim in claims(READ))


def test_the_table_in_the_documentation_is_that_of_the_mutants() -> None:
    text = (ROOT / "docs" / "mutants_of_reads.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    written = {(row[0], row[1], int(row[4].split()[0])) for row in rows if row[1].count("_") > 0}
    assert written == {(claim.mutant, claim.breaks, claim.length) for claim in claims(READ)}


def test_without_a_confirmation_of_its_own_a_read_is_stale() -> None:
    kills = kill(str(READ), QUICK, ("explicit",), 60, None, lambda tried, number, total: None)
    assert {one.claim: one.outcome for one in kills.tried} == {
        claim: Outcome.AS_CLAIMED for claim in claims(READ) if claim.mutant in QUICK
    }


@pytest.mark.slow
def test_every_mutant_is_killed_in_as_many_labels_as_it_says() -> None:
    kills = kill(str(READ), (), ("explicit",), 120, None, lambda tried, number, total: None)
    assert {one.claim: one.outcome for one in kills.tried} == dict.fromkeys(claims(READ), Outcome.AS_CLAIMED)
