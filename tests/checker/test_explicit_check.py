"""``check --engine explicit``: the same answers as the reference engine, from native code."""

from __future__ import annotations

from pathlib import Path

import pytest

from checker.checking import check
from checker.question import ask
from checker.verdict import Exit, Stop
from spec.load import shipped
from tests.checker.command_line import MODELS, model_check


@pytest.mark.parametrize("name", ["diehard", "two_phase_commit"])
def test_both_engines_that_exhaust_say_the_same(name: str) -> None:
    question = ask(str(shipped(name)))
    explicit, reference = (check(question, engine, None, None) for engine in ("explicit", "reference"))
    assert (explicit.code, explicit.distinct, explicit.levels) == (reference.code, reference.distinct, reference.levels)
    assert (explicit.generated, explicit.complete) == (reference.generated, True)


def test_a_violation_is_as_short_as_the_symbolic_engines() -> None:
    question = ask(None, mutant="commit-prior-term-by-counting")
    answer = check(question, "explicit", None, None)
    assert answer.code is Exit.SAFETY
    assert answer.violated == "leader_completeness"
    assert answer.labels is not None
    assert len(answer.labels) - answer.prefix == 6


def test_time_that_runs_out_is_inconclusive() -> None:
    answer = check(ask(None), "explicit", None, 1.5)
    assert answer.code is Exit.INCONCLUSIVE
    assert not answer.complete


def test_without_llvmlite_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker.explicit_search.available", lambda: False)
    with pytest.raises(Stop, match="raftproof\\[native\\]") as stopped:
        check(ask(None), "explicit", None, None)
    assert stopped.value.code is Exit.USAGE


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
    named = text + "    constraint first: r1.vote != Aborted or r2.vote != Committed\n"
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
