"""``check`` with a memory budget, fingerprints and checkpoints, as a user meets them."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from tests.checker.command_line import MODELS, model_check

ONGARO = (MODELS / "ongaro.spec", "--no-symmetry", "--set", "max_active=2")


def test_budget_is_kept_by_going_to_disk() -> None:
    whole = model_check("check", *ONGARO, "--json").json["answers"][0]
    ran = model_check("check", *ONGARO, "--memory", "5M", "--json")
    assert ran.code == 0
    answer = ran.json["answers"][0]
    assert (whole["on_disk"], answer["on_disk"]) == (False, True)
    assert (answer["distinct"], answer["generated"]) == (whole["distinct"], whole["generated"]) == (859750, 4809237)


def test_memory_that_runs_out_is_inconclusive_and_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker.explicit.levels.spare", lambda: 20 << 20)
    ran = model_check("check", *ONGARO)
    assert ran.code == 22
    assert "Inconclusive: out of memory: the states need more memory than this machine can spare (20 MiB)" in ran.out
    assert "with --memory SIZE a search goes on on disk" in ran.out
    assert "with --checkpoint DIR it can be taken up again" in ran.out
    assert "states by depth: 1, 3, " in ran.out


def test_fingerprints_come_with_their_chance_to_be_wrong() -> None:
    ran = model_check("check", MODELS / "two_phase_commit.spec", "--fingerprints", "--no-symmetry")
    assert ran.code == 0
    assert "288 distinct states" in ran.out
    assert "calculated (optimistic)" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--memory", "lots"), "no amount of memory"),
        (("--memory", "0"), "no amount of memory"),
        (("--memory", "1K"), "needs at least"),
        (("--recover", "nowhere"), "no such folder"),
        (("--recover", "a", "--checkpoint", "b"), "leave out --checkpoint"),
        (("--recover", "a", "--workers", "1"), "leave out --workers"),
        (("--fingerprints", "--checkpoint", "a"), "keeps no states"),
        (("--memory", "1G", "--engine", "symbolic"), "needs --engine explicit"),
        (("--fingerprints", "--engine", "reference"), "needs --engine explicit"),
    ],
)
def test_what_cannot_be_is_a_usage_error(options: tuple[str, ...], said: str) -> None:
    ran = model_check("check", MODELS / "two_phase_commit.spec", *options)
    assert ran.code == 2
    assert said in ran.err


def test_recovery_command_is_printed_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import checker.explicit_search as search

    monkeypatch.setattr(search, "INTERVAL", 0.0)
    ran = model_check("check", "--model", "three", "--timeout", "10", "--checkpoint", tmp_path / "left")
    assert ran.code == 22
    words = shlex.split(ran.out.split("go on with: ")[1].split("; searched")[0])[1:]
    again = model_check(*words, "--max-steps", "9", "--json")
    assert again.code == 0
    answer = again.json["answers"][0]
    assert answer["levels"][:4] == [1, 3, 12, 28]
    assert answer["distinct"] > 1000


def test_recovery_from_what_is_not_there_is_not_offered(tmp_path: Path) -> None:
    """No half minute has passed, so no checkpoint was left."""
    ran = model_check("check", "--model", "three", "--timeout", "1", "--checkpoint", tmp_path / "left")
    assert ran.code == 22
    assert "no checkpoint was left" in ran.out
    assert "--recover" not in ran.out


@pytest.mark.parametrize("interval", [0.0, 60.0])
def test_full_disk_is_an_input_output_error_with_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: float
) -> None:
    def full(*_: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "left" / "states.1"))

    monkeypatch.setattr("checker.explicit_search.INTERVAL", interval)
    monkeypatch.setattr("checker.explicit.store.Worker.go_to_disk", full)
    ran = model_check("check", *ONGARO, "--memory", "5M", "--checkpoint", tmp_path / "left")
    assert ran.code == 153
    assert "Inconclusive: the disk is full or fails: while states went to disk: " in ran.out
    assert f"{tmp_path}/left/states.1: No space left on device; " in ran.out
    assert "states by depth: 1, 3, " in ran.out
    assert ("go on with: model-check check" in ran.out) == (interval == 0)
    assert ("no checkpoint was left" in ran.out) == (interval > 0)
