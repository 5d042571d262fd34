"""``agree``: the engines side by side, and a fault in either is shown by the smallest difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import checker.agreeing
from checker.agreeing import compare
from checker.agreement import Agreed, Part, Side, answer
from checker.explicit import emit_system_actions
from checker.explicit.cache import CACHE_VARIABLE
from checker.explicit.counting import transitions_of
from checker.explicit.emit_successors import Firing
from checker.question import ask
from checker.symbolic import storage, transition
from checker.symbolic.depths import NoneWithin
from checker.verdict import Exit
from spec.load import load_file, load_system, shipped_specs
from spec.system import Agreement
from tests.checker.command_line import model_check

NODES = """
const Node: set
process Node:
    durable written: 0..3 = 0
    volatile seen: 0..3 = 0
    action write:
        require written < 3
        written := written + 1
    action look:
        require seen < written
        seen := written
invariant below: forall n in Node: n.written < {top}
model one:
    Node = {{a, b}}
    storage = buffered
    max_crashes = 1
    agree depth 5 window 1
"""

SLOW = pytest.mark.slow
# The first model of each spec, and the others where there is more time.
SHIPPED = [
    pytest.param(path, model, id=f"{path.stem}-{model}", marks=[SLOW] * (number > 0 or "proof" in path.stem))
    for path in shipped_specs()
    for number, model in enumerate(load_file(path).models)
]


@pytest.fixture(autouse=True)
def fresh(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What was compiled before a fault was planted must not be found again."""
    transitions_of.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("explicit")))
        yield
    transitions_of.cache_clear()


def nodes(folder: Path, top: int = 9, more: str = "") -> Path:
    path = folder / "nodes.spec"
    path.write_text(NODES.format(top=top) + more, encoding="utf-8")
    return path


def agreed(path: Path, depth: int = 5, window: int = 1) -> Agreed:
    return compare(ask(str(path)), Agreement(depth, window), None)


# ------------------------------------------------------------------------------------------- agreement


@pytest.mark.parametrize(("path", "model"), SHIPPED)
def test_engines_agree_on_every_shipped_model_near_its_start(path: Path, model: str) -> None:
    found = compare(ask(str(path), model=model), Agreement(3, 1), None)
    assert found.difference is None
    assert found.code is Exit.HOLDS
    explicit, symbolic, reference = found.sides
    assert explicit.levels == [level for level in explicit.levels if level]
    assert all(set(a) == set(b) for a, b in zip(explicit.levels, symbolic.levels, strict=True))
    assert all(set(a) == set(b) for a, b in zip(explicit.levels, reference.levels, strict=True))
    assert explicit.interleavings.keys() == symbolic.interleavings.keys() == reference.interleavings.keys()
    assert all(side.known >= set(Part) - {Part.FAILURE} for side in found.sides)


@pytest.mark.slow
def test_engines_agree_on_every_shipped_model_to_its_bound() -> None:
    ran = model_check("agree", "--json")
    assert ran.code == Exit.HOLDS
    models = [case.values for case in SHIPPED]
    declaring = [(path.name, model) for path, model in models if load_system(path, model=model).agreement is not None]
    assert [(found["spec"], found["model"]) for found in ran.json["models"]] == declaring
    assert len(declaring) >= 10
    assert all(found["agree"] for found in ran.json["models"])


def test_report_has_the_engines_side_by_side(tmp_path: Path) -> None:
    path = nodes(tmp_path)
    ran = model_check("agree", path)
    assert ran.code == Exit.HOLDS
    rows = {line[2:28].strip(): line[28:].split() for line in ran.out.splitlines() if line.startswith("  ")}
    assert rows[""] == ["explicit", "symbolic", "reference"]
    assert rows["states, 0 labels"] == ["1", "1", "1"]
    assert rows["shortest violation"] == ["none"] * 3
    (found,) = model_check("agree", path, "--json").json["models"]
    for side in found["engines"]:
        assert side["levels"] == found["engines"][0]["levels"]
        assert len(side["levels"]) == 6
        assert rows["crash states (D=4)"][0] == str(side["crash_states"])
        assert rows["interleavings (D=3, k=1)"][0] == str(side["interleavings"])
        assert side["crash_states"] > 0 < side["interleavings"]
    assert "The engines agree within these bounds: explicit, symbolic, reference" in ran.out


def test_violation_of_the_spec_is_no_disagreement(tmp_path: Path) -> None:
    (found,) = model_check("agree", nodes(tmp_path, top=2), "--json").json["models"]
    assert [side["shortest_violation"] for side in found["engines"]] == [2, 2, 2]
    assert found["exit"] == Exit.HOLDS


def test_evaluation_error_of_the_spec_is_no_disagreement(tmp_path: Path) -> None:
    path = nodes(tmp_path)
    path.write_text(path.read_text().replace("        require written < 3\n", ""), encoding="utf-8")
    ran = model_check("agree", path, "--json")
    assert ran.code == Exit.HOLDS
    (found,) = ran.json["models"]
    assert [side["shortest_violation"] for side in found["engines"]] == [4, 4, 4]
    for side in found["engines"]:
        assert side["levels"] == found["engines"][0]["levels"]
        assert side["evaluation_errors"] == found["engines"][0]["evaluation_errors"] != []


def test_mutant_that_is_killed_is_killed_by_both() -> None:
    ran = model_check("agree", "--mutant", "commit-prior-term-by-counting", "--depth", 3, "--json")
    assert ran.code == Exit.HOLDS


# ------------------------------------------------------------------------------------------- planted faults


def stays_up(patch: pytest.MonkeyPatch) -> None:
    """The explicit engine forgets that a crashed process is down."""
    patch.setattr(emit_system_actions, "_put_up", lambda *_, **__: None)


def never_restarts(patch: pytest.MonkeyPatch) -> None:
    """The explicit engine never restarts anything."""
    patch.setattr(Firing, "_restarts", lambda *_: None)


def makes_up_memory(patch: pytest.MonkeyPatch) -> None:
    """In the symbolic engine a crash sets all variables to the first that survives."""
    patch.setattr(storage, "after_crash", lambda c, shape, actor, kind, record: [record[0], record[0]])


def cannot_restart(patch: pytest.MonkeyPatch) -> None:
    """The symbolic engine never restarts anything: no step that it takes is wrong."""
    patch.setattr(transition._StepBuilder, "_restart", lambda self, path: None)


@pytest.mark.parametrize(
    ("plant", "part", "only", "other", "labels", "opinion"),
    [
        (stays_up, "states", "explicit", "symbolic", ["crash"], "sides with symbolic"),
        (never_restarts, "states", "symbolic", "explicit", ["crash", "restart"], "sides with symbolic"),
        (cannot_restart, "states", "explicit", "symbolic", ["crash", "restart"], "sides with explicit"),
        (makes_up_memory, "failure", "symbolic", "explicit", ["write", "crash"], ""),
    ],
)
def test_fault_in_an_engine_is_shown_by_the_smallest_difference(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    plant: Callable[[pytest.MonkeyPatch], None],
    part: str,
    only: str,
    other: str,
    labels: list[str],
    opinion: str,
) -> None:
    plant(monkeypatch)
    path = nodes(tmp_path)
    ran = model_check("agree", path)
    assert ran.code == Exit.ENGINES_DISAGREE
    assert f"the smallest difference: only {only}, not {other}" in ran.out
    (found,) = model_check("agree", path, "--json").json["models"]
    difference = found["difference"]
    assert (difference["what"], difference["only"], difference["not"]) == (part, only, other)
    assert [label.partition("(")[0] for label in difference["labels"]] == labels
    assert opinion in (difference["opinion"] or "")
    assert opinion in ran.out
    for label in labels:
        assert f"{label}(" in ran.out
    again = model_check(*ran.reproduce)
    assert again.code == Exit.ENGINES_DISAGREE


def test_shorter_violation_that_one_engine_misses_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checker.agreeing, "check", lambda system, depth, **_: NoneWithin(depth))
    ran = model_check("agree", nodes(tmp_path, top=2))
    assert ran.code == Exit.ENGINES_DISAGREE
    assert "only explicit, not symbolic: a violation of 2 labels (a shortest one: none)" in ran.out


@pytest.mark.parametrize(("part", "what"), [("crashes", "1 crash states"), ("interleavings", "1 interleavings")])
@pytest.mark.parametrize("poor", ["_Explicit", "_Symbolic"])
def test_crash_state_or_interleaving_that_one_engine_misses_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str, what: str, poor: str
) -> None:
    engine = getattr(checker.agreeing, poor)
    original = getattr(engine, part)

    def lossy(self: Any, *bounds: int) -> Any:
        found = dict(original(self, *bounds))
        found.popitem()
        return found

    monkeypatch.setattr(engine, part, lossy)
    found = agreed(nodes(tmp_path))
    difference = found.difference
    assert difference is not None
    assert difference.other == engine.name
    assert difference.message.startswith(what)
    assert "crash" in {label.rule for label in difference.run if label is not None}
    assert found.opinion(difference) == f"the evaluator sides with {difference.only}: it takes this run"
    assert found.code is Exit.ENGINES_DISAGREE


# --------------------------------------------------------------------------------------- time, bad words


def test_time_that_runs_out_is_inconclusive_and_not_an_agreement() -> None:
    ran = model_check("agree", "--model", "three", "--depth", 9, "--timeout", 4)
    assert ran.code == Exit.INCONCLUSIVE
    assert "not all was compared (time is up)" in ran.out
    assert "The engines agree" not in ran.out


@pytest.mark.parametrize("part", ["find_levels", "shortest", "crashes", "interleavings"])
def test_ctrl_c_keeps_what_was_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checker.agreeing._Symbolic, part, interrupted)
    ran = model_check("agree", nodes(tmp_path))
    assert ran.code == Exit.INTERRUPTED
    assert "not all was compared (interrupted)" in ran.out
    assert "reference" not in ran.out  # was not asked any more
    assert "?" in ran.out


def test_difference_found_before_the_time_ran_out_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    never_restarts(monkeypatch)

    def late(*_: object) -> None:
        raise checker.agreeing.OutOfTime

    monkeypatch.setattr(checker.agreeing._Symbolic, "crashes", late)
    assert model_check("agree", nodes(tmp_path)).code == Exit.ENGINES_DISAGREE


def test_model_without_a_bound_is_compared_to_a_default_one(tmp_path: Path) -> None:
    path = nodes(tmp_path)
    path.write_text(path.read_text().replace("    agree depth 5 window 1\n", ""), encoding="utf-8")
    (found,) = model_check("agree", path, "--json").json["models"]
    assert (found["depth"], found["window"]) == (4, 1)
    (found,) = model_check("agree", path, "--depth", 3, "--window", 0, "--json").json["models"]
    assert (found["depth"], found["window"]) == (3, 0)


def test_models_that_are_named_are_compared_in_that_order(tmp_path: Path) -> None:
    more = "model two:\n    Node = {a}\n    storage = atomic\n"
    path = nodes(tmp_path, more=more)
    ran = model_check("agree", path, "--model", "two", "--model", "one", "--depth", 3, "--json")
    assert [found["model"] for found in ran.json["models"]] == ["two", "one"]
    assert [found["model"] for found in model_check("agree", path, "--json").json["models"]] == ["one"]


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--depth", "2"], "in 2 labels no interleaving of 2 × 1 + 1 fits; allowed is --depth 3 or more"),
        (["--window", "3"], "in 5 labels no interleaving of 2 × 3 + 1 fits; allowed is --depth 7 or more"),
        (["--depth", "0"], "0 is not in the range x>=1"),
        (["--model", "three"], "there is no model `three`"),
        (["--engine", "explicit"], "No such option"),
        (["--timeout", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_wrong_word_is_a_usage_error(tmp_path: Path, words: list[str], allowed: str) -> None:
    ran = model_check("agree", nodes(tmp_path), *words)
    assert ran.code == Exit.USAGE
    assert allowed in ran.err


def test_spec_that_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    assert model_check("agree", tmp_path / "nowhere.spec").code == Exit.USAGE
    path = nodes(tmp_path, more="action wrong:\n    nothing := 1\n")
    assert model_check("agree", path).code == Exit.SPEC_ERROR


def test_without_llvmlite_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("checker.explicit_search.available", lambda: False)
    ran = model_check("agree", nodes(tmp_path))
    assert ran.code == Exit.USAGE
    assert "raftproof[native]" in ran.err


def test_engine_without_an_answer_is_asked_for_no_more() -> None:
    class Gone:
        name = "gone"

        def __getattr__(self, part: str) -> Any:
            raise checker.agreeing.OutOfTime

    side: Side = answer(Gone(), Agreement(3, 1))
    assert (side.stopped, side.known, side.levels) == ("time is up", set(), [])
