"""The wheel, installed into an empty environment and run from elsewhere: what a user of ``pip install`` gets."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, cwd=folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_the_grammar_the_models_and_the_language_reference(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        "spec/grammar.lark",
        "spec/LANGUAGE.md",
        "spec/models/raft.spec",
        "spec/models/mutants/new-leader-auto-commits.spec",
        "spec/py.typed",
        "checker/symbolic/__init__.py",
        "traces/corpus/seed_case_1.itf.json",
        "refimpl/wal.py",
    }
    assert wanted <= names, sorted(wanted - names)
    assert not any(name.startswith(("tests/", "bench/")) for name in names)


def test_the_wheel_runs_in_an_empty_environment_outside_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(pip, check=True, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "spec").mkdir()  # a user's folder of that name must not get in the way of the console script
    command = [str(environment / "bin" / "model-check"), "show", "seed_case_1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "crash" in done.stdout
