"""``check --engine explicit``: the same answers as the reference engine, from native code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checker.checking import check
from checker.explicit.search import NotEncodable, Now
from checker.explicit_search import line
from checker.question import ask
from checker.searching import Search
from checker.verdict import Exit
from spec.load import shipped
from tests.checker.command_line import MODELS, model_check

ALL = Search(symmetry=False)


@pytest.mark.parametrize("name", ["diehard", "two_phase_commit"])
def test_both_engines_that_exhaust_say_the_same(name: str) -> None:
    question = ask(str(shipped(name)))
    explicit, reference = (check(question, engine, ALL) for engine in ("explicit", "reference"))
    assert (explicit.code, explicit.distinct, explicit.levels) == (reference.code, reference.distinct, reference.levels)
    assert (explicit.generated, explicit.complete) == (reference.generated, True)


def test_a_violation_is_as_short_as_the_symbolic_engines() -> None:
    question = ask(None, mutant="commit-prior-term-by-counting")
    answer = check(question, "explicit")
    assert answer.code is Exit.SAFETY
    assert answer.violated == "leader_completeness"
    assert answer.labels is not None
    assert len(answer.labels) - answer.prefix == 6


def test_time_that_runs_out_is_inconclusive() -> None:
    answer = check(ask(None), "explicit", Search(timeout=1.5))
    assert answer.code is Exit.INCONCLUSIVE
    assert not answer.complete


@pytest.mark.parametrize(("options", "distinct", "permutations"), [((), 4484, 2), (("--no-symmetry",), 8960, 1)])
def test_report_says_what_states_are_counted_up_to(options: tuple[str, ...], distinct: int, permutations: int) -> None:
    command = ("check", "--model", "tiny", "--engine", "explicit", *options)
    ran = model_check(*command)
    assert f", {distinct:,} distinct states found, 0 states left on queue." in ran.out
    assert ("up to symmetry of Server: 2 permutations" in ran.out) == (permutations == 2)
    (answer,) = model_check(*command, "--json").json["answers"]
    assert answer["distinct"] == distinct
    assert answer["symmetry"]["permutations"] == permutations


def test_report_says_why_a_set_is_not_permuted(tmp_path: Path) -> None:
    path = tmp_path / "two_phase_commit.spec"
    text = (MODELS / "two_phase_commit.spec").read_text(encoding="utf-8")
    constraint = "constraint first: r1.vote != Aborted or r2.vote != Committed"
    named = text.replace("model five:\n", f"model five:\n    {constraint}\n")
    path.write_text(named, encoding="utf-8")
    ran = model_check("check", path, "--model", "five", "--engine", "explicit")
    assert "ResourceManager is not permuted: constraint first names r1" in ran.out
    assert ran.code == Exit.HOLDS


def test_engines_that_must_agree_count_all_states() -> None:
    ran = model_check("check", MODELS / "two_phase_commit.spec", "--engine", "both", "--max-steps", 3, "--json")
    assert all(answer["symmetry"]["permutations"] == 1 for answer in ran.json["answers"])


def test_command_that_reproduces_keeps_no_symmetry() -> None:
    command = ("check", "--mutant", "new-leader-auto-commits", "--engine", "explicit")
    assert "--no-symmetry" not in model_check(*command).reproduce
    ran = model_check(*command, "--no-symmetry")
    assert ran.code == Exit.SAFETY
    assert "--no-symmetry" in ran.reproduce


def test_counts_do_not_depend_on_the_number_of_workers() -> None:
    words = ("check", "--model", "tiny", "--json")
    (one,) = model_check(*words, "--workers", 1).json["answers"]
    (three,) = model_check(*words, "--workers", 3).json["answers"]
    assert (one["workers"], three["workers"]) == (1, 3)
    for what in ("generated", "distinct", "queue", "levels", "actions", "cuts", "exit"):
        assert one[what] == three[what], what


def test_report_counts_states_by_depth_and_by_action() -> None:
    ran = model_check("check", MODELS / "two_phase_commit.spec", "--no-symmetry")
    assert " states generated, 288 distinct states found, 0 states left on queue. Depth 11." in ran.out
    assert "states by depth: 1, 7, 21, " in ran.out
    (answer,) = model_check("check", MODELS / "two_phase_commit.spec", "--no-symmetry", "--json").json["answers"]
    assert sum(answer["levels"]) == answer["distinct"] == 288
    assert sum(answer["actions"].values()) == answer["generated"]
    for rule, count in answer["actions"].items():
        assert f"{rule} {count:,}" in ran.out


def test_spec_that_cannot_be_compiled_names_the_engines_that_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotEncodable("an unbounded number")

    monkeypatch.setattr("checker.explicit_search.explore", refuse)
    ran = model_check("check")
    assert ran.code == Exit.USAGE
    assert "cannot compile this spec: an unbounded number; take --engine symbolic or --engine reference" in ran.err


def test_progress_line_says_how_long_the_last_level_takes_and_nothing_of_others() -> None:
    now = Now(
        depth=4,
        distinct=9000,
        generated=30_000,
        queue=5000,
        rate=12_345.6,
        bytes=3 << 20,
        seconds=2.0,
        expanded=4000,
        known=6000,
        expanded_rate=500.0,
    )
    shown = "check: depth 4, 12,346 states generated/s, 9,000 distinct states, 5,000 on the queue, 3 MiB, 2 s so far"
    assert line(now, None) == line(now, 5) == shown
    assert line(now, 4) == f"{shown}, last level, 4 s left"
    assert line(replace(now, expanded_rate=0.0), 4) == shown


def test_deadlock_ends_the_search_at_its_depth(tmp_path: Path) -> None:
    path = tmp_path / "stuck.spec"
    path.write_text(
        "shared n: 0..9 = 0\nshared m: 0..9 = 0\naction stop:\n    require m == 0 and n == 0\n    n := 9\n"
        "action go:\n    require n < 9 and m < 9\n    m := m + 1\nmodel m:\n    storage = atomic\n",
        encoding="utf-8",
    )
    ran = model_check("check", path, "--deadlock")
    assert ran.code == Exit.DEADLOCK
    assert ran.steps() == ["stop()"]
    assert ", 1 states left on queue. Depth 2." in ran.out  # what is deeper was not searched
    assert model_check("check", path).code == Exit.HOLDS


@pytest.mark.slow
def test_raft_of_two_terms_with_a_crash_is_searched_to_the_end() -> None:
    (answer,) = model_check("check", "--model", "two_terms", "--json").json["answers"]
    assert (answer["distinct"], answer["depth"], answer["queue"], answer["complete"]) == (61_397_240, 98, 0, True)
