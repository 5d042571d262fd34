"""Who may import whom (ARCHITECTURE.md): the walls that keep two texts of Raft independent of each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset({"spec", "refimpl", "checker", "traces"})
MAY = {
    "spec": frozenset(),
    "traces": frozenset(),
    "refimpl": frozenset({"traces"}),
    "checker": frozenset({"spec", "traces"}),
}
SHELL = (  # what of refimpl touches the network; the rest has no clock, socket or thread
    "refimpl/client.py",
    "refimpl/commands/",
    "refimpl/dialling.py",
    "refimpl/driver.py",
    "refimpl/held.py",
    "refimpl/held_process.py",
    "refimpl/keepalive.py",
    "refimpl/links.py",
    "refimpl/listener.py",
    "refimpl/local_cluster.py",
    "refimpl/process_target.py",
    "refimpl/resolving.py",
    "refimpl/server.py",
    "refimpl/switchboard.py",
    "refimpl/tls.py",
    "refimpl/torture/",
)
OTHERS = ("checker/", "spec/", "traces/")
ONLY_IN = {  # module → where it may be imported, as path prefixes
    "lark": ("spec/parse",),
    "z3": ("checker/symbolic/",),
    "llvmlite": ("checker/explicit/",),
    "os": ("refimpl/ailing_directory.py", "refimpl/real_directory.py", "checker/", "spec/", "traces/"),
    "fcntl": ("refimpl/real_directory.py", "checker/"),
    "asyncio": (*SHELL, "refimpl/virtual/"),
    "socket": ("refimpl/metrics.py", *SHELL),
    "ssl": SHELL,
    "threading": ("refimpl/metrics.py", *SHELL, *OTHERS),
    "time": ("refimpl/ailing_directory.py", "refimpl/linearizability.py", *SHELL, *OTHERS),
    "prometheus_client": ("refimpl/metrics.py",),
    "cryptography": ("refimpl/certificates.py",),
    # seeded, or free to choose a pause
    "random": ("checker/explicit/simulation.py", "refimpl/simulation/chance.py", *SHELL),
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def imported(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").split(".")[0])
    return frozenset(found)


@pytest.mark.parametrize("package", sorted(MAY))
def test_a_package_imports_only_what_the_map_allows(package: str) -> None:
    assert files(package)
    for path in files(package):
        others = imported(path) & OURS - {package}
        assert others <= MAY[package], f"{path.relative_to(ROOT)} imports {sorted(others - MAY[package])}"


@pytest.mark.parametrize("module", sorted(ONLY_IN))
def test_a_module_is_imported_only_where_the_map_allows(module: str) -> None:
    for package in sorted(OURS):
        for path in files(package):
            name = path.relative_to(ROOT).as_posix()
            if module in imported(path):
                assert name.startswith(ONLY_IN[module]), f"{name} imports {module}"


RAFTS_OWN = ("appendentries", "requestvote", "voted_for", "commit_index", "match_index", "leader_commit", "is_leader")


def said(path: Path) -> Iterator[str]:
    """Every identifier and every string of a file but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_rule_of_raft_is_known_outside_the_models_and_the_replay_tables() -> None:
    allowed = {"traces/raft.py", "traces/raft_reads.py", "checker/flaw.py"}
    found = set()
    for package in ("spec", "checker", "traces"):
        for path in files(package):
            name = path.relative_to(ROOT).as_posix()
            if any(word in text.lower() for text in said(path) for word in RAFTS_OWN):
                found.add(name)
    assert "traces/raft.py" in found, "the test sees what it looks for"
    assert found <= allowed


def test_help_does_not_import_the_heavy_libraries() -> None:
    code = (
        "import sys\n"
        "from checker.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'z3', 'lark', 'msgspec', 'rich', 'llvmlite'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout


def test_help_of_refimpl_does_not_import_the_heavy_libraries() -> None:
    code = (
        "import sys\n"
        "from refimpl.__main__ import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'msgspec', 'asyncio', 'ssl', 'cryptography', 'prometheus_client'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout
