"""``python -m refimpl simulate`` as its users meet it: what it prints, and how it ends."""

from __future__ import annotations

import json
import shlex

import pytest

from refimpl import __main__
from refimpl.exits import Exit
from refimpl.simulation.run import Run
from refimpl.simulation.seen import Seen


def ended(line: str) -> int:
    with pytest.raises(SystemExit) as end:
        __main__.main(shlex.split(line))
    assert isinstance(end.value.code, int)
    return end.value.code


def test_a_run_prints_its_seed_its_counts_zeros_too_its_rate_and_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --seed 5 --steps 500 --round-steps 400") == Exit.DONE
    out, err = capsys.readouterr()
    assert out.startswith("seed 5: ")
    assert all(seen.value in out for seen in Seen)
    assert " 0 " in out
    assert "steps/s of processor time; hash " in out
    assert err == "", "there is no progress into a pipe"


def test_without_a_seed_one_is_drawn_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --steps 50 --json") == Exit.DONE
    seed = json.loads(capsys.readouterr().out)["seed"]
    assert ended("simulate --steps 50 --json") == Exit.DONE
    assert json.loads(capsys.readouterr().out)["seed"] != seed


def test_an_expected_hash_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --seed 5 --steps 200 --json") == Exit.DONE
    found = json.loads(capsys.readouterr().out)["hash"]
    assert ended(f"simulate --seed 5 --steps 200 --expect {found}") == Exit.DONE
    assert ended(f"simulate --seed 6 --steps 200 --expect {found}") == Exit.DISAGREE
    assert f"allowed: {found}, as expected" in capsys.readouterr().err
    assert ended(f"simulate --seed 6 --steps 200 --expect {found} --json") == Exit.DISAGREE
    report = json.loads(capsys.readouterr().out)
    assert (report["exit"], f"allowed: {found}" in report["error"]) == (Exit.DISAGREE, True)


def test_a_fault_that_was_planted_and_not_found_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --seed 5 --steps 50 --break no-dedup") == Exit.SURVIVED
    assert "no-dedup: planted, and not found" in capsys.readouterr().err


def test_a_broken_promise_is_exit_12_with_the_command_that_breaks_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --seed 1 --steps 9000 --break reply-at-append --json") == Exit.SAFETY
    failure = json.loads(capsys.readouterr().out)["failure"]
    assert failure["property"] == "answered writes are not lost"
    assert failure["last"]
    program = "python -m refimpl "
    assert failure["reproduce"].startswith(program)
    assert ended(failure["reproduce"].removeprefix(program)) == Exit.SAFETY
    text = capsys.readouterr().out
    assert failure["found"] in text
    assert failure["reproduce"] in text
    assert failure["last"][-1] in text


def test_ctrl_c_is_exit_130_and_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(run: Run, progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "go", interrupted)
    assert ended("simulate --seed 5 --steps 200") == Exit.INTERRUPTED
    assert "interrupted: seed 5, 0 of 200 steps" in capsys.readouterr().err


def test_a_misspelt_fault_is_a_usage_error_that_names_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("simulate --break no-dudep") == Exit.USAGE
    assert "no-dedup" in capsys.readouterr().err
