"""Which back end runs: native code, or Python source where llvmlite is missing; the answers are the same."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import pytest

from checker.explicit import back_end
from checker.explicit.back_end import VARIABLE, BackEnd, choose
from checker.explicit.errors import NeedsNative
from checker.explicit.search import Room, explore
from checker.explicit_search import say_once
from checker.verdict import Exit
from tests.checker.command_line import MODELS, ROOT, Ran, model_check, process
from tests.checker.symbolic_systems import shipped_system

WITHOUT_LLVMLITE = """
import sys
sys.modules["llvmlite"] = None  # what Python does with a module that is not to be found
from checker.cli import main
sys.argv = ["model-check", *sys.argv[1:]]
main()
"""


def without_llvmlite(*words: object, **environment: str) -> Ran:
    command = [sys.executable, "-c", WITHOUT_LLVMLITE, *words]
    return process(command, cwd=ROOT, env={**os.environ, **environment})


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    say_once.cache_clear()


@pytest.mark.parametrize(
    ("words", "generated", "distinct", "depth"),
    [
        ((MODELS / "diehard.spec",), 96, 16, 8),
        ((MODELS / "two_phase_commit.spec", "--no-symmetry"), 1145, 288, 11),
        (("--model", "tiny", "--no-symmetry"), 31698, 8960, 32),
        (("--model", "tiny"), 15861, 4484, 32),
    ],
)
def test_without_llvmlite_the_answer_is_the_same_and_one_line_says_why_it_is_slow(
    words: tuple[object, ...], generated: int, distinct: int, depth: int
) -> None:
    ran = without_llvmlite("check", *words, "--engine", "explicit")
    assert ran.code == Exit.HOLDS
    assert f"{generated:,} states generated, {distinct:,} distinct states found, 0 states left on queue" in ran.out
    assert f"Depth {depth}." in ran.out
    (line,) = ran.err.splitlines()
    notice, reason = line.split(" (")
    assert notice == "explicit engine: slow, as Python source; for native code: pip install 'raftproof[native]'"
    assert "llvmlite" in reason


def test_without_llvmlite_a_mutant_is_killed_by_as_short_a_run() -> None:
    ran = without_llvmlite("check", "--mutant", "commit-prior-term-by-counting", "--engine", "explicit", "--json")
    assert ran.code == Exit.SAFETY
    (answer,) = ran.json["answers"]
    native = model_check("check", "--mutant", "commit-prior-term-by-counting", "--engine", "explicit", "--json")
    (expected,) = native.json["answers"]
    for name in ("violated", "depth", "generated", "distinct", "levels", "cuts"):
        assert answer[name] == expected[name], name


def test_the_notice_is_given_once_however_many_searches_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        say_once("slow")
    assert capsys.readouterr().err == "slow\n"


def test_native_code_is_chosen_in_silence_where_llvmlite_is() -> None:
    pytest.importorskip("llvmlite")
    assert choose() == back_end.Choice(BackEnd.NATIVE)
    assert model_check("check", MODELS / "diehard.spec", "--engine", "explicit").err == ""


def test_variable_chooses_python_source_and_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "python")
    ran = model_check("check", MODELS / "diehard.spec", "--engine", "explicit")
    assert ", 16 distinct states found" in ran.out
    assert ran.err == "explicit engine: slow, as Python source, because RAFTPROOF_BACK_END=python\n"


def test_unknown_back_end_is_refused_with_those_that_there_are() -> None:
    ran = without_llvmlite("check", MODELS / "diehard.spec", "--engine", "explicit", RAFTPROOF_BACK_END="fortran")
    assert ran.code == Exit.USAGE
    assert "RAFTPROOF_BACK_END=fortran: there is no such back end; there are: native, python" in ran.err


def test_native_code_is_not_replaced_where_it_was_asked_for() -> None:
    ran = without_llvmlite("check", MODELS / "diehard.spec", "--engine", "explicit", RAFTPROOF_BACK_END="native")
    assert ran.code == Exit.USAGE
    assert re.search(r"native code needs llvmlite \(.*\); pip install 'raftproof\[native\]'", ran.err)


def test_llvmlite_that_does_not_load_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(back_end.importlib, "import_module", broken)
    assert choose().back_end is BackEnd.PYTHON
    assert "cannot open shared object file" in choose().notice


@pytest.mark.parametrize("options", [{"room": Room(memory=1 << 30)}, {"fingerprints": True}])
def test_what_only_native_code_can_do_is_refused_in_python(options: dict[str, Any]) -> None:
    with pytest.raises(NeedsNative, match="need native code"):
        explore(shipped_system("diehard", "puzzle"), back_end=BackEnd.PYTHON, **options)
