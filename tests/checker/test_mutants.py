"""``model-check mutants``: known bugs are found, harmless changes are not; what comes out otherwise is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checker import mutants
from checker.checking import Checked
from checker.explicit.search import explore
from checker.mutants import Kind, Outcome, claims, kill, steps_of
from checker.mutants_table import sections
from checker.question import Question
from checker.searching import Search
from checker.verdict import Exit
from spec.load import load_system, mutants_of, shipped
from tests.checker.command_line import ROOT, model_check

RAFT = shipped("raft")

ELECTIONS = {
    "vote-not-durable",
    "term-not-durable",
    "restart-forgets-vote",
    "vote-ignores-voted-for",
    "clear-vote-on-same-term-append",
    "no-up-to-date-check",
    "up-to-date-by-length-only",
    "up-to-date-by-term-only",
}
REPLICATION = {
    "new-leader-auto-commits",
    "commit-prior-term-by-counting",
    "commit-quorum-floor",
    "append-ignores-prev-term",
    "append-truncates-always",
    "append-skips-conflict",
    "follower-commits-to-own-last",
    "accepts-stale-leader",
    "commit-index-goes-back",
    "next-not-above-match",
}
STORAGE = {
    "follower-acks-before-fsync",
    "leader-counts-itself-before-fsync",
    "term-and-vote-two-records",
    "commit-mark-ahead-of-entry",
}
CLIENTS = {"reply-at-append", "no-dedup", "reply-by-index-only"}
HARMLESS = {
    "clear-own-vote-on-yield",
    "commit-at-half-of-even",
    "leader-ignores-own-vote",
    "restart-loses-commit-index",
}

QUICK = (  # two hundredths of a second each, once compiled; the others are for make nightly
    "commit-index-goes-back",
    "commit-quorum-floor",
    "new-leader-auto-commits",
    "vote-ignores-voted-for",
    "vote-not-durable",
)

COUNTER = """
shared count: 0..9 = 0

fun most() -> int: 2

action step:
    at guard:
        require count < most()
    count := count + 1

invariant small: count <= 2
invariant tiny: count <= 8

model m:
"""

FIRST_LABELS = "mutant {name} of counter:\n    {claim}\n    at guard:\n        {guard}\n\n"


def counter(folder: Path, *planted: tuple[str, str, str]) -> Path:
    """A spec that counts to two, with mutants: name, claim, and what stands in the guard's place."""
    texts = [FIRST_LABELS.format(name=name, claim=claim, guard=guard) for name, claim, guard in planted]
    path = folder / "counter.spec"
    path.write_text(COUNTER.replace("model m", "".join(texts) + "model m"), encoding="utf-8")
    return path


def outcomes(path: Path, timeout: float = 30, *engines: str) -> dict[tuple[str, str | None], Outcome]:
    kills = kill(str(path), (), engines or ("explicit",), timeout, 1, lambda tried, number, total: None)
    return {(one.claim.mutant, one.claim.breaks): one.outcome for one in kills.tried}


# ------------------------------------------------------------------------------------------------ raft.spec


def test_every_known_bug_is_planted_and_every_harmless_change_too() -> None:
    found = {kind: {claim.mutant for claim in claims(RAFT) if claim.kind is kind} for kind in Kind}
    assert found[Kind.BUG] == ELECTIONS | REPLICATION | STORAGE | CLIENTS
    assert found[Kind.NEUTRAL] == HARMLESS
    assert found[Kind.REFUTED] == {"refutes-published-leader-completeness"}
    assert found[Kind.UNSHOWN] == set()


def test_every_mutant_says_what_it_breaks_and_in_how_many_labels_and_brings_its_model() -> None:
    for claim in claims(RAFT):
        assert claim.survives or (claim.breaks is not None and claim.length is not None), claim
        assert load_system(RAFT, mutant=claim.mutant).model not in ("three", "two_crashes", "tiny", "five"), claim


def test_the_quick_mutants_are_killed_in_as_many_labels_as_they_say() -> None:
    kills = kill(None, QUICK, ("explicit",), 30, None, lambda tried, number, total: None)
    assert {(one.claim.mutant, one.claim.breaks): one.outcome for one in kills.tried} == {
        (claim.mutant, claim.breaks): Outcome.AS_CLAIMED for claim in claims(RAFT) if claim.mutant in QUICK
    }
    assert kills.code is Exit.HOLDS


def test_the_symbolic_engine_is_asked_where_the_mutant_says_it_last() -> None:
    kills = kill(None, ("commit-quorum-floor",), ("explicit", "symbolic"), 60, 1, lambda tried, number, total: None)
    micro, macro = kills.tried
    assert [answer.engine for answer in micro.answers] == ["explicit"]
    assert [answer.engine for answer in macro.answers] == ["explicit", "symbolic"]
    assert [steps_of(answer) for answer in macro.answers] == [2, 2]
    assert macro.outcome is Outcome.AS_CLAIMED
    assert [row[2:5:2] for row in next(iter(sections(kills))).rows] == [("micro", "10"), ("macro", "2 (11 labels)")]
    assert next(iter(sections(kills))).rows[0][-1] == "below"


@pytest.mark.slow
def test_all_mutants_are_killed_and_the_harmless_ones_are_not() -> None:
    kills = kill(None, (), ("explicit",), 120, None, lambda tried, number, total: None)
    assert {one.claim: one.outcome for one in kills.tried} == dict.fromkeys(claims(RAFT), Outcome.AS_CLAIMED)
    assert all(one.best.complete for one in kills.of(Kind.NEUTRAL))


@pytest.mark.slow
def test_the_bounds_in_which_a_vote_cleared_on_yielding_is_harmless_show_the_bug_beside_it() -> None:
    settings = {"max_in_flight": "2", "max_pending": "1"}
    sibling = load_system(RAFT, mutant="clear-vote-on-same-term-append", settings=settings)
    harmless = load_system(RAFT, mutant="clear-own-vote-on-yield")
    assert (sibling.constants, sibling.bounds) == (harmless.constants, harmless.bounds)
    found = explore(sibling, only="election_safety", symmetry=True)
    assert found.violation is not None
    assert len(found.violation.labels) == 30


@pytest.mark.slow
def test_only_the_no_op_makes_it_harmless_that_a_leader_forgets_its_own_vote(tmp_path: Path) -> None:
    text, no_op = RAFT.read_text(encoding="utf-8"), "log := append(log, Entry(term=current_term, write=none))"
    assert text.count(no_op) == 1
    (tmp_path / "mutants").mkdir()
    (tmp_path / "raft.spec").write_text(text.replace(no_op, "skip"), encoding="utf-8")
    name = "leader-ignores-own-vote"
    beside = (RAFT.parent / "mutants" / f"{name}.spec").read_text(encoding="utf-8")
    (tmp_path / "mutants" / f"{name}.spec").write_text(beside, encoding="utf-8")
    found = explore(load_system(tmp_path / "raft.spec", mutant=name), only="election_safety", symmetry=True)
    assert found.violation is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HARMLESS - {"leader-ignores-own-vote"}))
def test_a_harmless_change_leads_to_other_states(name: str, tmp_path: Path) -> None:
    (tmp_path / "mutants").mkdir()
    (tmp_path / "raft.spec").write_bytes(RAFT.read_bytes())
    beside = (RAFT.parent / "mutants" / f"{name}.spec").read_text(encoding="utf-8")
    head, _, rest = beside.partition("    neutral\n")
    unchanged = head + "    neutral\n\n" + rest[rest.index("model ") :]
    (tmp_path / "mutants" / f"{name}.spec").write_text(unchanged, encoding="utf-8")
    without = explore(load_system(tmp_path / "raft.spec", mutant=name), symmetry=True)
    assert without.complete
    assert without.distinct != explore(load_system(RAFT, mutant=name), symmetry=True).distinct


def test_a_harmless_change_is_a_change() -> None:
    for mutant in mutants_of(RAFT):
        if mutant.name in HARMLESS:
            assert mutant.replacements or mutant.variables, mutant.name


def test_the_table_in_the_documentation_is_that_of_the_mutants() -> None:
    text = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    written = {(row[0], row[1], int(row[4].split()[0])) for row in rows if row[1].count("_") > 0}
    assert written == {(c.mutant, c.breaks, c.length) for c in claims(RAFT) if not c.survives}
    assert {row[0] for row in rows if row[3:4] and row[3].startswith("survives")} == HARMLESS


# --------------------------------------------------------------------------------- what else can come out


def test_a_mutant_that_nothing_breaks_has_survived(tmp_path: Path) -> None:
    path = counter(tmp_path, ("tame", "breaks small", "require count < 1"))
    ran = model_check("mutants", path)
    assert ran.code == Exit.MUTANT_SURVIVED
    assert "tame: survived" in ran.out
    assert "a mutant survived (exit 25)" in ran.out


def test_a_harmless_change_that_breaks_something_is_reported_by_name(tmp_path: Path) -> None:
    ran = model_check("mutants", counter(tmp_path, ("wild", "neutral", "skip")))
    assert ran.code == Exit.MUTANT_SURVIVED
    assert "wild: was declared harmless, and something broke" in ran.out
    assert "small broken in 3" in ran.out


def test_each_claim_comes_out_on_its_own(tmp_path: Path) -> None:
    path = counter(
        tmp_path,
        ("exact", "breaks small in 3", "skip"),
        ("silent", "breaks small", "skip"),
        ("both", "breaks small in 3, tiny in 9", "skip"),
        ("wrong", "breaks small in 4, tiny in 9", "skip"),
        ("tame", "neutral", "require count < 1"),
        ("beyond", "survives", "require count < 2"),
    )
    assert outcomes(path) == {
        ("exact", "small"): Outcome.AS_CLAIMED,
        ("silent", "small"): Outcome.AS_CLAIMED,
        ("both", "small"): Outcome.AS_CLAIMED,
        ("both", "tiny"): Outcome.AS_CLAIMED,
        ("wrong", "small"): Outcome.OTHER_LENGTH,
        ("wrong", "tiny"): Outcome.AS_CLAIMED,
        ("tame", None): Outcome.AS_CLAIMED,
        ("beyond", None): Outcome.AS_CLAIMED,
    }
    ran = model_check("mutants", path)
    assert ran.code == Exit.MUTANT_SURVIVED
    assert "3 (another length, claimed: 4)" in ran.out
    assert "bugs that are not killable within these bounds" in ran.out
    assert "wrong: has a shortest run of another length" in ran.out
    assert model_check("mutants", path, "--only", "exact", "--only", "tame").code == Exit.HOLDS


def test_a_mutant_that_changes_nothing_shows_that_the_spec_refutes_its_property(tmp_path: Path) -> None:
    path = counter(tmp_path)
    (tmp_path / "mutants").mkdir()
    text = "mutant refuted of counter:\n    breaks none in 1\n\ninvariant none: count == 0\n\nmodel own:\n"
    (tmp_path / "mutants" / "refuted.spec").write_text(text.replace("none", "nothing"), encoding="utf-8")
    assert [claim.kind for claim in claims(path)] == [Kind.REFUTED]
    ran = model_check("mutants", path)
    assert ran.code == Exit.HOLDS
    assert "properties that the spec itself refutes" in ran.out


def test_an_evaluation_error_is_no_kill(tmp_path: Path) -> None:
    path = counter(tmp_path, ("broken", "breaks small in 3", "count := count - 1"))
    assert outcomes(path) == {("broken", "small"): Outcome.FAILED}
    assert model_check("mutants", path).code == Exit.EVALUATION_ERROR


def test_time_that_runs_out_leaves_a_mutant_undecided() -> None:
    ran = model_check("mutants", "--only", "clear-vote-on-same-term-append", "--timeout", "0.001")
    assert ran.code == Exit.INCONCLUSIVE
    assert "clear-vote-on-same-term-append: was not decided in time" in ran.out


def test_an_engine_whose_time_went_to_one_property_is_not_asked_about_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = counter(tmp_path, ("both", "breaks small in 3, tiny in 9", "skip"))
    real = mutants.check

    def slow(question: Question, engine: str, search: Search) -> Checked:
        checked = real(question, engine, search)
        checked.seconds = 31
        return checked

    monkeypatch.setattr(mutants, "check", slow)
    assert list(outcomes(path).values()) == [Outcome.AS_CLAIMED, Outcome.UNDECIDED]
    assert "no time left" in model_check("mutants", path).out


def test_both_engines_have_a_column_and_must_find_the_same_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = counter(tmp_path, ("exact", "breaks small in 3", "skip"))
    assert outcomes(path, 30, "explicit", "symbolic") == {("exact", "small"): Outcome.AS_CLAIMED}
    real = mutants.check

    def longer(question: Question, engine: str, search: Search) -> Checked:
        checked = real(question, engine, search)
        if engine == "symbolic":
            assert checked.labels is not None
            checked.labels += checked.labels[-1:]
        return checked

    monkeypatch.setattr(mutants, "check", longer)
    assert outcomes(path, 30, "explicit", "symbolic") == {("exact", "small"): Outcome.DISAGREED}
    assert model_check("mutants", path, "--engine", "both").code == Exit.ENGINES_DISAGREE


def test_one_engine_that_runs_out_of_time_beside_one_that_kills_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = counter(tmp_path, ("exact", "breaks small in 3", "skip"))
    real = mutants.check

    def slow(question: Question, engine: str, search: Search) -> Checked:
        if engine == "symbolic":
            return Checked("symbolic", Exit.INCONCLUSIVE, 2, reason="time is up")
        return real(question, engine, search)

    monkeypatch.setattr(mutants, "check", slow)
    ran = model_check("mutants", path, "--engine", "both")
    assert ran.code == Exit.HOLDS
    assert "(2 labels)" in ran.out


@pytest.mark.parametrize("where", ["search", "elsewhere"])
def test_an_interruption_leaves_what_was_tried(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = counter(tmp_path, ("first", "breaks small in 3", "skip"), ("second", "breaks small in 3", "skip"))
    real = mutants.check

    def interrupted(question: Question, engine: str, search: Search) -> Checked:
        if question.system.mutant == "second" and where == "search":
            return Checked("explicit", Exit.INTERRUPTED, 0, reason="interrupted")
        if question.system.mutant == "second":
            raise KeyboardInterrupt
        return real(question, engine, search)

    monkeypatch.setattr(mutants, "check", interrupted)
    whole = tmp_path / "whole.md"
    whole.write_text("all of it")
    ran = model_check("mutants", path, "--out", whole)
    assert ran.code == Exit.INTERRUPTED
    assert whole.read_text() == "all of it"
    assert re.search(r"first +small", ran.out)
    assert "interrupted at second, 2 of 2" in ran.out


def test_the_table_as_markdown_and_as_json(tmp_path: Path) -> None:
    path = counter(tmp_path, ("exact", "breaks small in 3", "skip"), ("tame", "neutral", "require count < 1"))
    out = tmp_path / "new" / "table.md"
    ran = model_check("mutants", path, "--json", "--out", out)
    assert ran.code == Exit.HOLDS
    exact, tame = ran.json["claims"]
    assert (exact["mutant"], exact["property"], exact["kind"], exact["outcome"]) == (
        "exact", "small", "bug", "as_claimed",
    )  # fmt: skip
    assert exact["labels"] == ["step()"] * 3
    assert (tame["kind"], tame["labels"], tame["answers"][0]["complete"]) == ("neutral", [], True)
    text = out.read_text(encoding="utf-8")
    assert "| exact | small | micro | m | 3 | 4 | " in text
    assert "| tame | micro | m | survives: search complete | 2 | 1 | " in text


def test_an_unknown_mutant_and_a_spec_without_any_are_usage_errors(tmp_path: Path) -> None:
    ran = model_check("mutants", "--only", "vote-not-durabel")
    assert (ran.code, "did you mean vote-not-durable?" in ran.err) == (Exit.USAGE, True)
    ran = model_check("mutants", counter(tmp_path))
    assert (ran.code, "there are no mutants of this spec" in ran.err) == (Exit.USAGE, True)
