"""The pytest plugin, run as its users run it: in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import traces
from tests.traces.recorder import crashed, elected
from traces.itf import write_trace
from traces.target import Target

ROOT = Path(traces.__file__).parent.parent
CORRECT = "--target=refimpl.target:create"
BROKEN = "--target=tests.traces.test_pytest_plugin:broken"


def broken() -> Target:
    from refimpl.target import create

    return create(frozenset({"new-leader-auto-commits"}))


def silent() -> Target:
    """Does everything right and does not report its commit index."""
    from refimpl.target import RefimplTarget

    class Silent(RefimplTarget):
        def observe(self, server: str) -> dict[str, Any]:
            return {name: value for name, value in super().observe(server).items() if name != "commit_index"}

    return Silent(frozenset())


def holding() -> Target:
    """Holds a file that has to be closed, and counts what it is asked for."""
    from refimpl.target import RefimplTarget

    class Holding(RefimplTarget):
        campaigns = 0

        def campaign(self, server: str) -> list[dict[str, Any]]:
            self.campaigns += 1
            return super().campaign(server)

        def tally(self) -> dict[str, int]:
            return {"campaigns": self.campaigns}

        def close(self) -> None:
            Path("closed").touch()

    return Holding(frozenset())


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "traces.pytest_plugin", "-p", "no:cacheprovider", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A directory with two good traces and, beside it, one that is not under it."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_trace(elected().trace(), folder / "elected.itf.json")
    write_trace(crashed().trace(), folder / "crashed.itf.json")
    (tmp_path / "elsewhere.itf.json").write_text("not a trace")
    return tmp_path


def test_every_trace_under_the_directory_is_a_test(corpus: Path) -> None:
    done = run(corpus, "--replay-traces", "corpus", CORRECT, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "corpus/elected.itf.json::replay PASSED" in done.stdout
    assert "corpus/crashed.itf.json::replay PASSED" in done.stdout
    assert "2 passed" in done.stdout


def test_a_named_file_is_a_test_and_others_are_not(corpus: Path) -> None:
    done = run(corpus, "corpus/elected.itf.json", CORRECT)
    assert "1 passed" in done.stdout
    assert "no tests ran" in run(corpus, CORRECT).stdout


def test_a_divergence_fails_with_its_report(corpus: Path) -> None:
    done = run(corpus, "--replay-traces", "corpus", BROKEN)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "replay of corpus/crashed.itf.json" in done.stdout
    assert "divergence after step 27 of 28: s2.commit_index" in done.stdout
    assert "→ 27  request_vote_response(s3 → s2, term=2, vote_granted=true)" in done.stdout
    assert "expected (the trace):  1\n" in done.stdout
    assert "observed (the target): 2\n" in done.stdout
    reproduce = "model-check replay corpus/crashed.itf.json --target tests.traces.test_pytest_plugin:broken"
    assert reproduce in done.stdout
    assert "def runtest" not in done.stdout, "the report, not the plugin's source"


def test_what_is_no_trace_fails_with_what_is_wrong(corpus: Path) -> None:
    done = run(corpus, "elsewhere.itf.json", CORRECT)
    assert done.returncode == 1
    assert "elsewhere.itf.json: found text that is not JSON, at line 1, column 1" in done.stdout
    assert "def runtest" not in done.stdout, "the report, not the plugin's source"


def test_unobserved_fields_are_printed_even_if_all_passed(corpus: Path) -> None:
    done = run(corpus, "corpus/elected.itf.json", "--target=tests.traces.test_pytest_plugin:silent")
    assert "1 passed" in done.stdout
    assert f"unobserved:            commit_index × {3 * 7}" in done.stdout  # 3 servers in 7 states


def test_what_the_target_holds_is_ended_with_the_run(corpus: Path) -> None:
    done = run(corpus, "corpus/elected.itf.json", "--target=tests.traces.test_pytest_plugin:holding")
    assert "1 passed" in done.stdout
    assert (corpus / "closed").exists()
    assert "tried by the target: 1 campaigns" in done.stdout


def test_an_unknown_target_ends_the_run(corpus: Path) -> None:
    done = run(corpus, "corpus/elected.itf.json", "--target=nobody")
    assert done.returncode == 4
    assert "no target named 'nobody' is installed" in done.stdout + done.stderr


def test_a_missing_directory_is_a_usage_error(corpus: Path) -> None:
    done = run(corpus, "--replay-traces", "nowhere")
    assert done.returncode == 4
    assert "nowhere is not a directory" in done.stderr


def test_traces_are_replayed_beside_other_tests_and_on_several_workers(corpus: Path) -> None:
    (corpus / "test_other.py").write_text("def test_other():\n    pass\n")
    beside = run(corpus, "test_other.py", "--replay-traces", "corpus", CORRECT)
    assert "3 passed" in beside.stdout
    spread = run(corpus, "--replay-traces", "corpus", CORRECT, "-n", "2")
    assert "2 passed" in spread.stdout, spread.stdout + spread.stderr
