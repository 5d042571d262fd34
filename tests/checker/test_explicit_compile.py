"""The cache of compiled code: keyed by content, safe under concurrent runs, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.compile import CACHE_VARIABLE, cache_folder, compiled
from tests.checker.symbolic_systems import shipped_system


def test_object_is_cached_by_content(tmp_path: Path) -> None:
    three, five = shipped_system("two_phase_commit", "three"), shipped_system("two_phase_commit", "five")
    assert not compiled(three, cache=tmp_path).cached
    assert compiled(three, cache=tmp_path).cached
    assert not compiled(five, cache=tmp_path).cached
    assert len(list(tmp_path.iterdir())) == 2


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not compiled(shipped_system("diehard", "puzzle"), cache=tmp_path / "file" / "below").cached


def test_folder_of_the_cache_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "/some/where")
    assert cache_folder() == Path("/some/where")
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert cache_folder() is None
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/someone/.cache")
    assert cache_folder() == Path("/home/someone/.cache/raftproof/explicit")


SCRIPT = """
from checker.explicit.search import explore
from spec.load import load_system, shipped
print(explore(load_system(shipped("two_phase_commit"), model="three")).distinct)
"""


def test_concurrent_runs_share_a_cache(tmp_path: Path) -> None:
    environment = {**os.environ, CACHE_VARIABLE: str(tmp_path)}
    running = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["288"] * 3
    assert len(list(tmp_path.iterdir())) == 1
