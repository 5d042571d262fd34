"""S5xx and files: models, settings, mutants, and all errors of a file at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from spec.diagnostics import Severity, SpecError
from spec.load import check_text, load_file, load_system, shipped
from spec.source import SourceError
from spec.system import Agreement, Bounds, Enumeration, StorageMode
from tests.spec.semantic import DECLARATIONS, MODEL, action, codes, invariant

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "semantics"
SCENARIO = "scenario first:\n    run:\n        flush(s1)\n"

CASES = [
    ("S501", "", "model m:\n    Server = {s1}\n    Client = {c1}"),
    ("S502", "", MODEL + "    max_crash = 1"),
    ("S503", "", MODEL + "    max_crashes = 0 - 1"),
    ("S503", "", MODEL + "    storage = disk"),
    ("S503", "", MODEL.replace("{c1}", "1")),
    ("S503", "", MODEL.replace("{c1}", "{}")),
    ("S503", "", MODEL.replace("top = 2", "top = {a}")),
    ("S503", "const bold: bool", MODEL + "    bold = 1"),
    ("S504", "", MODEL.replace("{c1}", "{s1}")),
    ("S504", "", MODEL.replace("{c1}", "{c1, c1}")),
    ("S504", "", MODEL.replace("{c1}", "{turn}")),
    ("S509", "", MODEL + "    enumerate nothing depth 1 window 1"),
    ("S512", "", MODEL + "    agree depth 3 window 1\n    agree depth 3 window 1"),
    ("S518", "", MODEL + "    agree depth 4 window 2"),
    ("S509", SCENARIO, MODEL + "    start = frist"),
    ("S510", invariant("forall s in Big: true") + "\ntype Big = set[Wide]\ntype Wide = 0..12", MODEL),
    ("S512", "", MODEL + "    top = 3"),
    ("S516", "type Bad = 0..1 div 0", MODEL),
    ("S516", "shared bad: Term = maximum({x for x in Term if x > 9})", MODEL),
]


@pytest.mark.parametrize(("code", "text", "model"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_fault_has_its_code_and_no_other(code: str, text: str, model: str) -> None:
    assert codes(text, model=model) == [code]


def test_a_network_set_loses_and_duplicates_nothing() -> None:
    assert codes("", declarations=DECLARATIONS.replace("network bag", "network set")) == ["S505"]


def test_a_constraint_names_elements_of_its_own_model() -> None:
    small = MODEL.replace("two", "one").replace("{s1, s2}", "{s1}") + "    constraint low: s2.current < 1\n"
    assert codes("", model=MODEL + small) == ["S201"]


def test_a_model_cannot_enumerate_a_scenario_that_it_has_to_leave_out() -> None:
    small = MODEL.replace("two", "one").replace("{s1, s2}", "{s2}") + "    enumerate first depth 1 window 1\n"
    assert codes(SCENARIO, model=MODEL + small) == ["S514"]


# ------------------------------------------------------------------------------------------------- golden


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.spec")), ids=lambda p: p.stem)
def test_golden_diagnostics(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    shown = "\n".join(found.render({path.name: text}) for found in check_text(text, path.name)) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_ten_different_errors_of_a_file_come_at_once() -> None:
    golden = (GOLDEN / "many.txt").read_text(encoding="utf-8")
    assert len(set(re.findall(r"error\[(S\d+)\]", golden))) >= 10


def test_every_code_is_raised_by_a_test() -> None:
    used: set[str] = set()
    for source in (HERE.parents[1] / "spec").glob("*.py"):
        used |= set(re.findall(r'"(S[2-5]\d\d)"', source.read_text(encoding="utf-8")))
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert used - set(re.findall(r"S[2-5]\d\d", tests)) == set()


def test_every_error_says_what_to_do() -> None:
    for path in GOLDEN.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"(?:error|warning)\[", text)) == text.count("    hint: ")


# ---------------------------------------------------------------------------------------------- load_system


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.spec"
    three = MODEL.replace("two", "three").replace("{s1, s2}", "{s1, s2, s3}")
    settings = "    storage = buffered\n    max_crashes = 2\n    max_in_flight = top + 1\n    start = first\n"
    text = (
        action("at mark:", "    current := current + 1") + "\nfun limit() -> Term: 1\n" + invariant("turn == 0") + "\n"
    )
    more = settings + "    enumerate first depth 3 window 1\n    agree depth 5 window 2\n"
    more += "    constraint low: turn < 2 and s3.current < 2\n"
    path.write_text(DECLARATIONS + text + SCENARIO + MODEL + three + more, encoding="utf-8")
    return path


def errors(path: Path, **arguments: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_system(path, **arguments)  # type: ignore[arg-type]
    return [found.code for found in caught.value.diagnostics]


def test_the_first_model_is_the_default(path: Path) -> None:
    system = load_system(path)
    assert (system.model, system.storage, system.bounds) == ("two", StorageMode.BUFFERED, Bounds())
    assert dict(system.constants) == {"Server": ("s1", "s2"), "Client": ("c1",), "top": 2}


def test_a_models_settings(path: Path) -> None:
    system = load_system(path, model="three")
    assert system.storage is StorageMode.BUFFERED
    assert system.bounds == Bounds(crashes=2, in_flight=3)
    assert (system.start, system.enumerations) == ("first", (Enumeration("first", 3, 1),))
    assert system.agreement == Agreement(5, 2)
    assert [constraint.name for constraint in system.constraints] == ["low"]


def test_settings_override_a_model(path: Path) -> None:
    settings = {"top": "1", "Server": "{a, b}", "max_crashes": "1", "storage": "buffered"}
    system = load_system(path, settings=settings)
    assert dict(system.constants)["top"] == 1
    assert system.processes == ("a", "b", "c1")
    assert system.bounds.crashes == 1
    assert system.storage is StorageMode.BUFFERED
    assert system.notes == {"scenario first": "left out: the model has no s1"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"tpo": "1"}, "S502"),
        ({"top": "many"}, "S503"),
        ({"top": "1;2"}, "S503"),
        ({"Server": "{1}"}, "S503"),
        ({"Server": "{}"}, "S503"),
        ({"max_crashes": "-1"}, "S503"),
        ({"storage": "wet"}, "S503"),
        ({"start": "secnd"}, "S509"),
        ({"start": "3"}, "S503"),
    ],
)
def test_a_wrong_override_is_an_error(path: Path, settings: dict[str, str], code: str) -> None:
    assert errors(path, settings=settings) == [code]


def test_a_wrong_override_is_quoted(path: Path) -> None:
    with pytest.raises(SpecError, match=re.escape("tpo=1\n    ^^^^^\n    hint: did you mean `top`?")):
        load_system(path, settings={"tpo": "1"})


def test_unknown_model_and_mutant_are_errors_with_the_known_ones(path: Path) -> None:
    with pytest.raises(SpecError, match=r"S506.*the models are two, three\n(.*\n)*.*did you mean `three`"):
        load_system(path, model="thre")
    with pytest.raises(SpecError, match=r"S507.*the mutants are none"):
        load_system(path, mutant="none-such")


def test_a_shipped_spec_that_is_named_in_another_folder_is_said_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=re.escape(f"did you mean {shipped('raft_read')}?")):
        load_file(tmp_path / "raft_read.spec")


def test_an_unknown_mutant_is_told_those_of_the_spec_and_of_what_it_extends() -> None:
    with pytest.raises(SpecError, match=r"raft_read\.spec:1:1.*of raft_read; .*local-leader-read, .*vote-not-durable"):
        load_system(shipped("raft_read"), mutant="none-such")


def test_spec_without_a_model_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "empty.spec"
    path.write_text("shared x: 0..1 = 0\n", encoding="utf-8")
    assert errors(path) == ["S513"]


def test_a_missing_file_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        load_system(tmp_path / "none.spec")


# -------------------------------------------------------------------------------------------------- mutants

MUTANT = """\
mutant lazy of small:
    breaks claim
    at mark:
        skip
    volatile current: Term = 0
    fun limit() -> Term: 2
scenario of_mutant:
    run:
        flush(s2)
"""


@pytest.fixture
def mutant(path: Path) -> Path:
    folder = path.parent / "mutants"
    folder.mkdir()
    mutant = folder / "lazy.spec"
    mutant.write_text(MUTANT, encoding="utf-8")
    return mutant


def test_a_mutant_changes_statements_variables_and_functions(path: Path, mutant: Path) -> None:
    system = load_system(path, mutant="lazy")
    assert (system.mutant, system.expects) == ("lazy", ("claim",))
    assert next(rule for rule in system.rules if rule.name == "act").body == ()
    assert next(v for v in system.variables if v.name == "current").storage.value == "volatile"
    assert [scenario.name for scenario in system.scenarios] == ["first", "of_mutant"]
    assert load_file(path).mutants == ("lazy",)
    assert load_file(mutant).diagnostics == ()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("at mark", "at makr", "S508"),
        ("breaks claim", "breaks clam", "S209"),
        ("of small", "of large", "S511"),
        ("current: Term", "curent: Term", "S517"),
        ("fun limit", "fun limt", "S517"),
        ("skip", "votes := 1", "S301"),
    ],
)
def test_a_wrong_mutant_is_an_error(path: Path, mutant: Path, old: str, new: str, code: str) -> None:
    mutant.write_text(MUTANT.replace(old, new), encoding="utf-8")
    assert [found.code for found in load_file(mutant).diagnostics] == [code]
    assert errors(path, mutant="lazy") == ["S507" if code == "S511" else code]


def test_a_mutants_own_model_is_its_default(path: Path, mutant: Path) -> None:
    own = MODEL.replace("model two", "model own").replace("top = 2", "top = 1")
    mutant.write_text(MUTANT + own, encoding="utf-8")
    assert load_system(path, mutant="lazy").model == "own"
    assert load_system(path, mutant="lazy", model="three").model == "three"


def test_a_mutant_in_the_file_itself(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text + MUTANT.replace("scenario", "\nscenario"), encoding="utf-8")
    assert load_system(path, mutant="lazy").mutant == "lazy"
    assert load_system(path).mutant is None


# --------------------------------------------------------------------------------------------- shipped specs


@pytest.mark.parametrize("spec", ["diehard", "two_phase_commit", "raft"])
def test_shipped_spec_loads_under_each_model_and_mutant(spec: str) -> None:
    loaded = load_file(shipped(spec))
    assert [found.render(loaded.sources) for found in loaded.diagnostics] == []
    for model in loaded.models:
        assert load_system(loaded.path, model=model).model == model
    for mutant in loaded.mutants:
        assert load_system(loaded.path, mutant=mutant).mutant == mutant


def test_every_mutant_that_is_shipped_is_checked_by_itself() -> None:
    mutants = sorted(shipped("raft").parent.glob("mutants/*.spec"))
    assert mutants
    for path in mutants:
        found = load_file(path).diagnostics
        assert [diagnostic.render({}) for diagnostic in found if diagnostic.severity is Severity.ERROR] == []


def test_a_reply_that_overtakes_its_flush_is_warned_of() -> None:
    found = load_file(shipped("raft").parent / "mutants" / "reply-at-append.spec").diagnostics
    assert [(diagnostic.code, diagnostic.severity) for diagnostic in found] == [("S412", Severity.WARNING)]


def test_a_syntax_error_does_not_bring_errors_of_what_could_not_be_parsed() -> None:
    text = (
        DECLARATIONS.replace("record Entry:", "record Entry")
        + action("role := 1", "fsync", "current := 1")
        + "\n"
        + MODEL
    )
    found = [diagnostic.code for diagnostic in check_text(text, "small.spec")]
    assert found[0].startswith("S1")
    assert found[1:] == ["S301", "S406"]


def test_beside_a_syntax_error_stands_what_it_cannot_have_caused() -> None:
    text = """action fine(peer: Server):
    require turn
    require role == turn
    votes := self + 1
    let x = turn[1]
    for y in turn: skip
    current := len(votes)
    ignore
    for y in Server:
        vote := y
    for y in Server:
        ignore
on flush:
    fsync
    require true
action stand(label: int):
    skip
const label: int
shared broken: = 0
"""
    assert {code for code in codes(text) if not code.startswith("S1")} == {
        "S202", "S212", "S302", "S303", "S304", "S307", "S309", "S312", "S407", "S408", "S409", "S410", "S413",
    }  # fmt: skip
