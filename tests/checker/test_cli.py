"""The console entry and bad input: every way a run can end has its code, a message that says what is allowed, and no
traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import checker.commands
from checker.verdict import MEANING, Exit
from tests.checker.command_line import CORPUS, DATA, MODELS, ROOT, SCRIPT, model_check, process, shell

COUNTER = """
const top: int
shared n: 0..9 = 0
action up:
    require n < top
    n := n + 1
invariant below_four: n < 4
invariant below_nine: n < 9
sometimes at_two: n == 2
scenario climbed:
    run:
        up
        up
    reach: n == 2
model low:
    top = 3
    storage = atomic
model high:
    top = 6
    storage = atomic
"""

NODES = """
const Node: set
process Node:
    durable written: 0..3 = 0
    action write:
        require written < 3
        written := written + 1
invariant never_down: forall n in Node: up(n)
scenario written_once:
    run:
        write(a)
model one:
    Node = {a}
    storage = buffered
    max_crashes = 1
"""


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    path = tmp_path / "counter.spec"
    path.write_text(COUNTER, encoding="utf-8")
    return path


def spec_of(folder: Path, text: str) -> Path:
    path = folder / "written.spec"
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------ spec files


def test_a_missing_spec_file_is_a_usage_error(tmp_path: Path) -> None:
    done = process([SCRIPT, "check", tmp_path / "nowhere.spec"])
    assert done.code == Exit.USAGE
    assert done.out == ""
    assert "nowhere.spec: there is no such file" in done.err
    assert "hint: check the path" in done.err


def test_a_folder_in_place_of_a_spec_is_a_usage_error(tmp_path: Path) -> None:
    ran = model_check("check", tmp_path)
    assert ran.code == Exit.USAGE
    assert "this is a directory" in ran.err
    assert "name one .spec file in it" in ran.err


def test_a_file_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "picture.spec"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")
    ran = model_check("check", path)
    assert ran.code == Exit.USAGE
    assert "not UTF-8" in ran.err


@pytest.mark.parametrize("text", ["", "\n\n", "# only a remark\n"])
def test_an_empty_spec_is_a_syntax_error(tmp_path: Path, text: str) -> None:
    ran = model_check("check", spec_of(tmp_path, text))
    assert ran.code == Exit.SYNTAX_ERROR
    assert "S118" in ran.err
    assert "the spec is empty" in ran.err


def test_a_syntax_error_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    ran = model_check("check", spec_of(tmp_path, "shared n: 0..9 = 0\naction up\n    n := n + 1\n"))
    assert ran.code == Exit.SYNTAX_ERROR
    assert re.search(r"written.spec:2:10: error\[S1\d\d\]: .*\n    action up\n {13}\^\n", ran.err)
    assert "1 error in" in ran.err


def test_a_syntax_error_outweighs_the_other_errors_of_the_file(tmp_path: Path) -> None:
    text = "shared n: 0..9 = 10\naction up\n    n := n + 1\naction down:\n    n := m\n"
    ran = model_check("check", spec_of(tmp_path, text))
    assert ran.code == Exit.SYNTAX_ERROR


def test_ten_errors_of_a_file_are_shown_at_once_each_with_its_place_and_a_caret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(DATA)
    expected = (DATA / "ten_errors.txt").read_text(encoding="utf-8").splitlines()
    ran = model_check("check", "ten_errors.spec")
    assert ran.code == Exit.SPEC_ERROR
    assert ran.out == ""
    assert ran.err.endswith("\n10 errors in ten_errors.spec\n")
    shape = r"^ten_errors\.spec:(\d+:\d+): error\[(S\d+)\]: .+\n    (.*)\n    ( *)(\^+)$"
    shown = re.findall(shape, ran.err, re.MULTILINE)
    assert [f"{place} {code} {line[len(gap) :][: len(caret)]}" for place, code, line, gap, caret in shown] == expected
    assert len({line.split()[1] for line in expected}) == 10
    lines = (DATA / "ten_errors.spec").read_text(encoding="utf-8").splitlines()
    for place, _, line, gap, _ in shown:
        row, column = map(int, place.split(":"))
        assert lines[row - 1] == line
        assert len(gap) == column - 1


def test_every_command_about_a_spec_refuses_one_with_errors() -> None:
    path = DATA / "ten_errors.spec"
    for words in (["check", path], ["enumerate", path], ["show", "some_scenario", "--spec", path]):
        assert model_check(*words).code == Exit.SPEC_ERROR, words


# ------------------------------------------------------------------------------------ words of the command line


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--model", "hgih"], ["there is no model `hgih`", "low, high", "did you mean `high`?"]),
        (["--mutant", "fly"], ["there is no mutant `fly`", "the mutants are none"]),
        (
            ["--property", "below_ten"],
            ["no property named below_ten", "did you mean `below_", "below_four, below_nine"],
        ),
        (["--property", "qqq"], ["qqq", "; there are (invariants and `eventually`): below_four, below_nine"]),
        (["--property", "at_two"], ["at_two in ", "it is a `sometimes`", "reach at_two shows a run to it"]),
        (["--scenario", "flown"], ["no scenario named flown", "climbed"]),
        (["--set", "tip=3"], ["`tip` is no constant and no setting", "the constants are top", "did you mean `top`?"]),
        (["--set", "colour=3"], ["the constants are top", "the settings are storage", "max_crashes"]),
        (["--set", "top"], ["--set top", "allowed is NAME=VALUE"]),
        (["--set", "=3"], ["--set =3", "allowed is NAME=VALUE"]),
        (["--set", "top="], ["--set top=", "allowed is NAME=VALUE"]),
        (["--set", "top=high"], ["`top` is an int", "write `top = 3`"]),
        (["--set", "storage=paper"], ["`storage` is buffered or atomic"]),
        (["--set", "max_crashes=-1"], ["`max_crashes` is an int, 0 or more"]),
        (["--engine", "steam"], ["'steam' is not one of", "'explicit', 'symbolic', 'reference', 'both'"]),
        (["--timeout", "0"], ["0.0 is not in the range x>0"]),
        (["--max-steps", "-1"], ["-1 is not in the range x>=0"]),
        (["--max-steps", "many"], ["'many' is not a valid integer"]),
        (["--deadlock", "--engine", "symbolic"], ["--deadlock needs --engine explicit or reference", "symbolic"]),
        (["--deadlock", "--engine", "both"], ["--deadlock needs --engine explicit or reference", "both"]),
        (["--workers", "2", "--engine", "reference"], ["--workers needs --engine explicit or both", "reference"]),
        (["--workers", "0"], ["0 is not in the range 1<=x<=64"]),
        (["--depth", "3"], ["No such option", "--depth"]),
        (["another.spec"], ["unexpected extra argument", "another.spec"]),
    ],
)
def test_a_word_that_is_not_known_is_a_usage_error_that_says_what_is_allowed(
    counter: Path, words: list[str], allowed: list[str]
) -> None:
    ran = model_check("check", counter, *words)
    assert ran.code == Exit.USAGE, ran.err
    assert ran.out == ""
    for part in allowed:
        assert part in ran.err


def test_a_wrong_word_is_not_called_an_error_in_the_spec(counter: Path) -> None:
    for words in (["--model", "fly"], ["--mutant", "fly"], ["--set", "top=fly"]):
        assert " error in " not in model_check("check", counter, *words).err


def test_setting_that_the_spec_does_not_allow_is_the_command_lines_mistake() -> None:
    ran = model_check("check", "--model", "tiny", "--set", "max_term=-1")
    assert ran.code == Exit.USAGE
    assert "`current_term` is Term" in ran.err
    assert ran.err.endswith("The spec does not allow --set max_term=-1; without that it has no error.\n")


def test_model_of_fewer_elements_needs_no_script_for_those_it_lacks() -> None:
    ran = model_check("check", "--model", "tiny", "--set", "Server={s1}", "--max-steps", "2")
    assert ran.code == Exit.HOLDS, ran.err


def test_a_setting_that_makes_the_spec_wrong_says_where_and_that_the_setting_does_it(tmp_path: Path) -> None:
    path = spec_of(tmp_path, COUNTER.replace("shared n: 0..9 = 0", "shared n: 0..top = 2"))
    assert model_check("check", path, "--max-steps", "0").code == Exit.HOLDS
    ran = model_check("check", path, "--set", "top=1")
    assert ran.code == Exit.USAGE
    assert "written.spec:3:20: error[S314]" in ran.err
    assert "does not allow --set top=1" in ran.err


def test_an_unknown_command_is_a_usage_error() -> None:
    ran = model_check("refute")
    assert ran.code == Exit.USAGE
    assert "No such command 'refute'" in ran.err


def test_an_option_of_the_main_job_before_a_command_is_refused_rather_than_dropped(counter: Path) -> None:
    ran = model_check("--json", "check", counter)
    assert ran.code == Exit.USAGE
    assert "write it after: model-check check --json" in ran.err
    assert ran.json["exit"] == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["check", "--property", "below_four", "--json", "--property", "below_nine"],
            "given twice: --property below_four and --property below_nine; name one, or leave it out to check them all",
        ),
        (["check", "--model=low", "--model", "high"], "given twice: --model low and --model high; give it once"),
        (["check", "--engine", "symbolic", "--engine", "symbolic"], "given twice: --engine symbolic and --engine"),
        (["check", "--no-symmetry", "--symmetry"], "given twice: --no-symmetry and --symmetry"),
        (
            ["reach", "--goal", "n == 1", "--goal", "n == 2"],
            "one after the other: --goal A --then B; both in one state",
        ),
        (["show", "--format", "text", "--format", "mermaid"], "given twice: --format text and --format mermaid"),
        (["replay", "--target", "a", "--target", "b"], "given twice: --target a and --target b"),
    ],
)
def test_an_option_given_twice_is_refused_rather_than_overridden(counter: Path, words: list[str], message: str) -> None:
    ran = model_check(words[0], counter, *words[1:])
    assert ran.code == Exit.USAGE
    assert ran.json["exit"] == ran.code if "--json" in words else ran.out == ""
    assert message in ran.err


def test_an_option_that_may_be_repeated_is_and_a_flag_says_the_same_again(counter: Path) -> None:
    words = ["--set", "top=1", "--set", "storage=atomic", "--max-steps", "1", "--json", "--json"]
    assert model_check("check", counter, *words, "--engine", "reference").code == Exit.HOLDS


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ([], "declares nothing to enumerate; add a line `enumerate SCENARIO depth 3 window 1`"),
        (["--scenario", "flown"], "no scenario named flown in model one; there are: written_once"),
        (["--scenario", "written_once", "--depth", "1", "--window", "2"], "window 2 is larger than depth 1"),
    ],
)
def test_enumerate_says_what_can_be_enumerated(tmp_path: Path, words: list[str], allowed: str) -> None:
    ran = model_check("enumerate", spec_of(tmp_path, NODES), "--engine", "reference", *words)
    assert ran.code == Exit.USAGE
    assert allowed in ran.err


def test_a_scenario_that_cannot_be_run_is_not_reached(counter: Path) -> None:
    ran = model_check("check", counter, "--scenario", "climbed", "--set", "top=1")
    assert ran.code == Exit.NOT_REACHED
    assert "scenario climbed, step 2: up() matches no enabled label" in ran.err


# -------------------------------------------------------------------------------------------------- settings


def test_set_overrides_a_constant(counter: Path) -> None:
    assert model_check("check", counter, "--engine", "reference").code == Exit.HOLDS
    ran = model_check("check", counter, "--engine", "reference", "--set", "top=5")
    assert ran.code == Exit.SAFETY
    assert ran.out.startswith("counter.spec, model low: top=5, storage atomic")


def test_set_is_part_of_the_command_that_reproduces(tmp_path: Path) -> None:
    path = spec_of(tmp_path, NODES)
    words = ["check", path, "--engine", "reference", "--set", "Node={x, y}", "--set", "max_pending=1"]
    ran = model_check(*words)
    assert ran.code == Exit.SAFETY
    assert "Node={x, y}" in ran.reproduce
    assert "max_pending=1" in ran.reproduce
    again = shell(re.search(r"reproduce: (.*)", ran.out)[1])  # type: ignore[index]
    assert again.code == Exit.SAFETY
    assert again.steps() == ran.steps() == ["crash(x, keep=0)"]


def test_set_overrides_a_bound(tmp_path: Path) -> None:
    path = spec_of(tmp_path, NODES)
    assert model_check("check", path, "--engine", "reference").code == Exit.SAFETY
    ran = model_check("check", path, "--engine", "reference", "--set", "max_crashes=0")
    assert ran.code == Exit.HOLDS
    assert "max_crashes=0" in ran.out


def test_set_overrides_the_storage(tmp_path: Path) -> None:
    path = spec_of(tmp_path, NODES)
    words = ["check", path, "--engine", "reference", "--set", "max_crashes=0"]
    buffered = model_check(*words, "--json").json
    atomic = model_check(*words, "--json", "--set", "storage=atomic").json
    assert (buffered["storage"], atomic["storage"]) == ("buffered", "atomic")
    assert buffered["answers"][0]["distinct"] > atomic["answers"][0]["distinct"] == 4


# ------------------------------------------------------------------------------------------- traces and targets


def changed(change: Callable[[dict[str, Any]], None], path: Path) -> Path:
    """A corpus trace with a change."""
    trace = json.loads((CORPUS / "seed_case_1.itf.json").read_text(encoding="utf-8"))
    change(trace)
    path.write_text(json.dumps(trace), encoding="utf-8")
    return path


def test_a_missing_trace_is_a_usage_error(tmp_path: Path) -> None:
    for command in ("replay", "show"):
        ran = model_check(command, tmp_path / "nowhere.itf.json")
        assert ran.code == Exit.USAGE
        assert "there is no such file" in ran.err
        assert "*.itf.json" in ran.err


def test_replay_without_a_trace_is_a_usage_error() -> None:
    ran = model_check("replay")
    assert ran.code == Exit.USAGE
    assert "TRACES" in ran.err


def test_a_folder_without_traces_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    ran = model_check("replay", tmp_path)
    assert ran.code == Exit.USAGE
    assert "no *.itf.json in this folder" in ran.err


def test_show_wants_one_trace_and_not_a_folder() -> None:
    ran = model_check("show", CORPUS)
    assert ran.code == Exit.USAGE
    assert "this is a folder; name one trace" in ran.err


@pytest.mark.parametrize("command", ["replay", "show"])
def test_a_trace_that_ends_too_early_is_unreadable(tmp_path: Path, command: str) -> None:
    path = tmp_path / "cut.itf.json"
    whole = (CORPUS / "seed_case_1.itf.json").read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"[1, 2]", whole + b"}"):
        path.write_bytes(part)
        ran = model_check(command, path)
        assert ran.code == Exit.UNREADABLE_TRACE
        assert str(path) in ran.err
        assert "allowed: a trace in ITF" in ran.err or "allowed: an object" in ran.err


@pytest.mark.parametrize("command", ["replay", "show"])
def test_a_value_of_a_wrong_type_is_named_by_state_and_field(tmp_path: Path, command: str) -> None:
    def spoil(trace: dict[str, Any]) -> None:
        trace["states"][5]["current_term"]["s2"] = 1.5

    ran = model_check(command, changed(spoil, tmp_path / "spoilt.itf.json"))
    assert ran.code == Exit.UNREADABLE_TRACE
    assert "spoilt.itf.json: state 5, current_term.s2: found 1.5" in ran.err


def test_a_log_that_is_no_list_is_unreadable_to_a_replay_and_shown_as_it_is(tmp_path: Path) -> None:
    def spoil(trace: dict[str, Any]) -> None:
        trace["states"][5]["log"]["s1"] = 3

    path = changed(spoil, tmp_path / "spoilt.itf.json")
    ran = model_check("replay", path)
    assert ran.code == Exit.UNREADABLE_TRACE
    assert "step 5" in ran.err
    for form in ("text", "mermaid"):
        assert model_check("show", path, "--format", form).code == Exit.HOLDS


def test_a_trace_of_another_protocol_is_unreadable_to_a_replay_of_raft(counter: Path, tmp_path: Path) -> None:
    ran = model_check("check", counter, "--model", "high", "--engine", "reference", "--out-itf", tmp_path / "traces")
    assert ran.code == Exit.SAFETY
    ran = model_check("replay", tmp_path / "traces")
    assert ran.code == Exit.UNREADABLE_TRACE
    assert "found a trace of counter; replay knows raft.spec only" in ran.err
    assert "KeyError" not in ran.err


def test_a_trace_with_an_unknown_rule_is_unreadable_and_the_rules_are_named(tmp_path: Path) -> None:
    def spoil(trace: dict[str, Any]) -> None:
        trace["states"][7]["mbt::actionTaken"] = "fly"

    ran = model_check("replay", changed(spoil, tmp_path / "flies.itf.json"))
    assert ran.code == Exit.UNREADABLE_TRACE
    assert "flies.itf.json: step 7: found the rule 'fly'" in ran.err
    assert "append_entries" in ran.err


def leave() -> object:
    """A target's factory that would end the program."""
    sys.exit("I am off")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("etcd", "no target named 'etcd' is installed\n  allowed: "),
        ("nowhere.module:create", "cannot be loaded: ModuleNotFoundError"),
        ("refimpl.target:build", "cannot be loaded: AttributeError"),
        (".:create", "the target '.:create' cannot be opened: TypeError"),
        ("math:pow", "the target 'math:pow' cannot be made"),
        (f"{__name__}:leave", "the target 'tests.checker.test_cli:leave' cannot be opened: SystemExit"),
    ],
)
def test_a_target_that_cannot_be_opened_is_a_usage_error(target: str, message: str) -> None:
    for words in (["replay", CORPUS], ["enumerate", "--model", "tiny", "--replay"], []):
        ran = model_check(*words, "--target", target)
        assert ran.code == Exit.USAGE
        assert message in ran.err


def test_an_unknown_fault_is_a_usage_error_that_names_the_faults() -> None:
    ran = model_check("replay", CORPUS, "--break", "gravity")
    assert ran.code == Exit.USAGE
    assert "unknown faults gravity" in ran.err
    assert "vote-not-durable" in ran.err


def no_faults() -> object:
    """A target's factory that knows no faults, as a user's may not."""
    raise AssertionError("it is called with broken=…")


def test_a_target_that_has_no_faults_to_switch_on_is_a_usage_error() -> None:
    ran = model_check("replay", CORPUS, "--target", f"{__name__}:no_faults", "--break", "vote-not-durable")
    assert ran.code == Exit.USAGE
    assert "vote-not-durable" in ran.err
    assert "allowed: what its factory takes\n  to do: correct --break and --disk" in ran.err


# ------------------------------------------------------------------------------------------ what cannot be written


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_place_of_the_folder_for_traces_is_an_io_error_before_the_search(
    counter: Path, tmp_path: Path, below: str
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    folder = file / below
    for words in (
        ["check", counter, "--model", "high"],
        ["enumerate", "--model", "tiny"],
        ["replay", CORPUS],
        ["show", "seed_case_1"],
        [],
    ):
        ran = model_check(*words, "--out-itf", folder)
        assert ran.code == Exit.IO_ERROR, words
        assert f"{folder}: cannot be written" in ran.err
        assert "name another folder with --out-itf" in ran.err
        assert ran.out == ""
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_report_is_printed_even_where_its_trace_cannot_be_written(counter: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "counter-below_four.itf.json").mkdir(parents=True)
    ran = model_check("check", counter, "--model", "high", "--engine", "reference", "--out-itf", tmp_path / "out")
    assert ran.code == Exit.IO_ERROR
    assert "counter-below_four.itf.json: cannot be written" in ran.err
    assert "Counterexample: invariant below_four is violated" in ran.out


@pytest.mark.parametrize("words", [["show", "seed_case_1"], ["show", "seed_case_1", "--json"]])
def test_a_full_disk_behind_the_output_is_an_io_error(words: list[str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([SCRIPT, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.IO_ERROR
    assert os.strerror(errno.ENOSPC) in done.stderr
    assert "free some space" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["show", "seed_case_1"], ["show", "seed_case_1", "--json"], ["--help"]])
def test_a_reader_that_has_gone_changes_nothing(words: list[str]) -> None:
    assert to_no_reader(words) == (Exit.HOLDS, "")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_has_gone_does_not_make_a_violation_green(counter: Path, form: list[str]) -> None:
    assert to_no_reader(["check", counter, "--model", "high", "--engine", "reference", *form]) == (Exit.SAFETY, "")


def to_no_reader(words: list[object]) -> tuple[int, str]:
    """The exit code, and what is said on standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([SCRIPT, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    return done.returncode, done.stderr


def test_the_first_line_of_a_trace_can_be_taken_with_head() -> None:
    done = shell("model-check show seed_case_1 | head -1")
    assert done.err == ""
    assert done.out == "raft, model three: 46 steps\n"
    assert done.code == Exit.HOLDS


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check", "nowhere.spec"], Exit.USAGE, "there is no such file"),
        (["check", "--modle", "three"], Exit.USAGE, "No such option '--modle'"),
        (["check", "--set", "max_term=no"], Exit.USAGE, "max_term"),
        (["replay", "nowhere.itf.json"], Exit.USAGE, "there is no such file"),
        (["check", "--engine", "reference", "--smt-out", "x"], Exit.USAGE, "--smt-out"),
    ],
)
def test_a_machine_is_told_what_went_wrong_too(words: list[str], code: Exit, said: str) -> None:
    told = model_check(*words, "--json")
    assert told.code == told.json["exit"] == code
    assert said in told.json["error"]
    assert told.json["error"] == told.err.strip()
    asked_as_text = model_check(*words)
    assert (asked_as_text.code, asked_as_text.out) == (code, "")


def test_an_output_that_cannot_show_an_arrow_gets_an_escape_for_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = process([SCRIPT, "show", "seed_case_1"], env=environment)
    assert done.code == Exit.HOLDS
    assert r"s1 \u2192 s2" in done.out
    odd = os.fsdecode(os.fsencode(tmp_path / "spec-") + b"\xff.spec")
    done = process([SCRIPT, "check", odd], env={**os.environ, "PYTHONUTF8": "1"})
    assert done.code == Exit.USAGE
    assert "there is no such file" in done.err


# ---------------------------------------------------------------------------------------------------- outputs


def test_check_in_json_carries_the_counts_and_the_bounds(counter: Path) -> None:
    found = model_check("check", counter, "--engine", "reference", "--json").json
    assert (found["spec"], found["model"], found["constants"]) == ("counter.spec", "low", {"top": 3})
    assert found["exit"] == 0
    assert found["bounds"] == {"max_crashes": 0}
    (answer,) = found["answers"]
    assert (answer["generated"], answer["distinct"], answer["queue"], answer["levels"]) == (3, 4, 0, [1, 1, 1, 1])
    assert answer["complete"] is True


def test_a_counterexample_in_json_carries_the_trace_and_the_command(counter: Path) -> None:
    found = model_check("check", counter, "--model", "high", "--engine", "reference", "--json").json
    assert found["exit"] == Exit.SAFETY
    assert found["answers"][0]["violated"] == "below_four"
    assert found["answers"][0]["length"] == 4
    assert len(found["trace"]["states"]) == 5
    assert found["reproduce"] == f"model-check check --engine reference {counter} --model high"


def test_replay_in_json_carries_the_counts_and_nothing_else_is_printed(tmp_path: Path) -> None:
    found = model_check("replay", CORPUS, "--json").json
    assert found["traces"] == len(list(CORPUS.glob("*.itf.json")))
    assert found["labels"] > 200
    assert found["fields_compared"] > 10_000
    assert found["diverged"] == 0
    assert found["reproduce"] is None
    words = ["replay", CORPUS, "--break", "follower-acks-before-fsync", "--json", "--out-itf", tmp_path / "out"]
    ran = model_check(*words)
    assert ran.code == Exit.DIVERGES
    assert ran.json["diverged"] == ran.json["traces"]
    assert ran.json["divergence"]["path"]
    assert ran.json["divergence"]["step"] == len(ran.json["divergence"]["labels"])
    assert (tmp_path / "out" / "divergence.itf.json").is_file()


def test_show_in_json_prints_the_trace_file() -> None:
    path = CORPUS / "seed_case_3.itf.json"
    assert model_check("show", path, "--json").json == json.loads(path.read_text(encoding="utf-8"))


def test_nothing_is_coloured_on_a_pipe_whatever_the_terminal() -> None:
    colourful = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    done = process([SCRIPT, "show", "seed_case_1"], env=colourful)
    assert done.code == Exit.HOLDS  # Ran looks for the escape character


def test_python_dash_m_checker_is_the_same_command() -> None:
    done = process([sys.executable, "-m", "checker", "--help"], cwd=ROOT)
    assert done.code == Exit.HOLDS
    assert done.out.startswith("Usage: python -m checker [OPTIONS] [COMMAND]")
    for code, meaning in MEANING.items():
        assert f"{int(code):>3}  {meaning}" in done.out


@pytest.mark.parametrize("command", ["check", "enumerate", "replay", "show"])
def test_every_command_has_a_help(command: str) -> None:
    ran = model_check(command, "-h")
    assert ran.code == Exit.HOLDS
    assert ran.out.startswith(f"Usage: model-check {command} [OPTIONS]")


def test_the_version_is_that_of_the_distribution() -> None:
    ran = model_check("--version")
    assert ran.code == Exit.HOLDS
    assert re.fullmatch(r"model-check, version \d+\.\d+\.\d+\n", ran.out)


def test_another_package_named_spec_is_explained(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "__init__.py").write_text("", encoding="utf-8")
    done = process([SCRIPT, "--version"], env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.code == Exit.USAGE
    assert "the package 'spec' that Python finds is" in done.err
    assert "an environment of its own" in done.err


# ------------------------------------------------------------------------------------ what should never happen


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def ask(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(checker.commands, "ask", ask)


def test_a_defect_of_ours_is_one_line_unless_the_traceback_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(monkeypatch, ZeroDivisionError("a defect"))
    monkeypatch.delenv("RAFTPROOF_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["model-check", "check"])
    with pytest.raises(SystemExit) as stop:
        checker.cli.main()
    assert stop.value.code == Exit.INTERNAL_ERROR
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "internal error: ZeroDivisionError: a defect"
    assert "set RAFTPROOF_DEBUG=1" in said.err
    monkeypatch.setenv("RAFTPROOF_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        checker.cli.main()


def test_memory_running_out_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, MemoryError())
    ran = model_check("check")
    assert ran.code == Exit.INCONCLUSIVE
    assert "memory ran out; lower the bounds" in ran.err


def test_a_disk_error_is_an_io_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, OSError(errno.EIO, "Input/output error", "somewhere"))
    ran = model_check("check")
    assert ran.code == Exit.IO_ERROR
    assert "somewhere" in ran.err


def test_the_readme_lists_every_exit_code() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [cell for line in table.splitlines() if line.startswith("| ") for cell in line.split("|")[1::2]]
    listed = {int(number) for cell in rows for number in re.findall(r"\d+", cell)}
    assert listed == {int(code) for code in Exit}


def test_the_readmes_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_shipped_models_are_free_of_errors() -> None:
    for path in sorted(MODELS.glob("*.spec")):
        ran = model_check("check", path, "--max-steps", "0", "--engine", "reference")
        about_liveness = ran.code == Exit.INCONCLUSIVE and "a question about the whole state graph" in ran.out
        assert ran.code == Exit.HOLDS or about_liveness, ran.out
