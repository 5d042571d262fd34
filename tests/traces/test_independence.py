"""The package stands alone: traces are data for everyone, whatever wrote them and whatever is tested."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import traces

ROOT = Path(traces.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))


def imported(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_no_sibling_package(source: Path) -> None:
    assert not imported(source) & {"spec", "checker", "refimpl", "tests", "itf_py"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_replay_tables_know_the_protocol(source: Path) -> None:
    where = source.relative_to(ROOT).parts
    if where in (("raft.py",), ("raft_reads.py",)) or where[0] in ("adapters", "corpus"):
        return
    text = (
        source.read_text()
        .lower()
        .replace("raftproof.targets", "")
        .replace("traces.raft", "")
        .replace("traces/raft", "")
    )
    assert "raft" not in text


def test_reading_traces_does_not_import_rich_or_pytest() -> None:
    code = "import sys, traces.itf, traces.raft, traces.replay, traces.render.text, traces.render.mermaid; "
    code += "print([name for name in ('rich', 'pytest', 'itf_py') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]"
