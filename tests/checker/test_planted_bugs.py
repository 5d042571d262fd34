"""Bugs that no switch plants: the enumerated interleavings see them, in the implementation and in the spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checker.enumeration import cubes, distinct, enumerate_cube
from checker.question import Question, ask
from checker.replaying import Replays, replay_runs
from checker.tracing import Tracer
from refimpl.interface import Leader
from refimpl.log import Log
from refimpl.raft import Raft
from refimpl.target import create
from spec.load import shipped

OWN_FLUSH = "match_index[self] := len(log)"


def replayed_from(question: Question, scenario: str) -> Replays:
    """All interleavings of the main job from this scenario, replayed."""
    (cube,) = cubes(question, scenario, None, None)
    found = enumerate_cube(question, cube, "reference", lambda what, count: None)
    runs, _ = distinct([found])
    replays = Replays()
    replay_runs(Tracer(question.evaluator), [i.until + i.labels for i in runs], create(), lambda done: None, replays)
    return replays


def longer_log_wins(log: Log, last_index: int, last_term: int) -> bool:
    return last_index >= log.last_index


def own_flush_commits_nothing(raft: Raft) -> None:
    if isinstance(raft.role, Leader):
        matched = {**raft.role.match_index, raft.config.server: raft.log.last_index}
        raft.role = replace(raft.role, match_index=matched)


def match_index_falls(original: Callable[..., None]) -> Callable[..., None]:
    def note(raft: Raft, response: Any) -> None:
        if isinstance(raft.role, Leader) and response.success and response.term == raft.current_term:
            raft.role = replace(raft.role, match_index={**raft.role.match_index, response.source: response.index})
        original(raft, response)

    return note


@pytest.mark.parametrize(
    ("owner", "method", "wrong", "scenario", "field"),
    [
        (Log, "is_up_to_date", longer_log_wins, "older_but_longer", "voted_for"),
        (Raft, "_flushed", own_flush_commits_nothing, "own_flush_decides", "commit_index"),
        (Raft, "_note_progress", match_index_falls(Raft._note_progress), "overtaken_acknowledgement", "match_index"),
    ],
    ids=["longer-log-wins", "own-flush-commits-nothing", "match-index-falls"],
)
def test_a_bug_in_the_implementation_is_seen(
    owner: type, method: str, wrong: Any, scenario: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask(None)
    assert scenario in {cube.scenario for cube in question.system.enumerations}, "the main job replays these"
    assert replayed_from(question, scenario).diverged == 0
    monkeypatch.setattr(owner, method, wrong)
    broken = replayed_from(question, scenario)
    assert broken.diverged > 0
    assert broken.divergence is not None
    divergence = broken.divergence[1]
    assert field in {path.split(".")[-1] for path in (divergence.path, *divergence.others)}


@pytest.mark.parametrize(
    ("right", "wrong", "scenario"),
    [
        (
            "(last_log_term > term_at(log, len(log))\n"
            "     or last_log_term == term_at(log, len(log)) and last_log_index >= len(log))",
            "last_log_index >= len(log)",
            "older_but_longer",
        ),
        (OWN_FLUSH + "\n        advance_commit()", OWN_FLUSH, "own_flush_decides"),
        ("max(match_index[m.source], m.index)", "m.index", "overtaken_acknowledgement"),
    ],
    ids=["longer-log-wins", "own-flush-commits-nothing", "match-index-falls"],
)
def test_the_same_bug_in_the_spec_is_seen(right: str, wrong: str, scenario: str, tmp_path: Path) -> None:
    text = shipped("raft").read_text(encoding="utf-8")
    assert text.count(right) == 1
    path = tmp_path / "raft.spec"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert replayed_from(ask(str(path)), scenario).diverged > 0
