"""``check --engine explicit``: the same answers as the reference engine, from native code."""

from __future__ import annotations

import pytest

from checker.checking import check
from checker.question import ask
from checker.verdict import Exit, Stop
from spec.load import shipped


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
