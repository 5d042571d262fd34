"""The cache of compiled code: keyed by content, safe under concurrent runs, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.cache import CACHE_VARIABLE, cache_folder
from checker.explicit.compile import compiled
from checker.explicit.search import Capacity, explore
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
    kinds = sorted(path.suffix for path in tmp_path.iterdir())
    assert kinds == [".o", ".o", ".room"]  # with too little room at first, then with enough


def test_room_that_states_needed_is_remembered(tmp_path: Path) -> None:
    system = shipped_system("two_phase_commit", "three")
    first, second = explore(system, cache=tmp_path), explore(system, cache=tmp_path)
    assert first.capacity == second.capacity != Capacity()
    assert (first.cached, second.cached) == (False, True)
    (tmp_path / next(p.name for p in tmp_path.iterdir() if p.suffix == ".room")).write_bytes(b"{")
    assert explore(system, cache=tmp_path).distinct == 288
