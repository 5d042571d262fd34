"""``complete``: why a log is refused, in the spec's own lines, and what was enabled instead; the command around it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from checker.completing.deciding import Engine, Refused, decide
from checker.completing.refusal import Bounded, Differs, Disabled, Failing, Impossible
from checker.completing.report import Report
from checker.question import ask
from checker.verdict import Exit
from tests.checker.command_line import CORPUS, ROOT, model_check
from traces.itf import read_trace
from traces.partial import parse_partial

SPEC = """
const Node: set
message Note:
    size: 0..9
network bag with loss
process Node:
    durable total: 0..9 = 0
    volatile last: 0..5 = 0
    action grow(by: 1..3):
        require up_to(total + by)
        total := total + by
        last := last + 1
    action tell(peer: Node):
        require peer != self and total > 1
        fsync
        send Note(size=total) to peer
    on Note m as heard:
        require forall n in {1, 2}: m.size + n < 9
        total := m.size div (m.size - 3)
    on flush:
        last := 0
fun up_to(size: int) -> bool: size < 8
model two:
    Node = {a, b}
    storage = buffered
    max_crashes = 1
    max_drops = 0
    max_pending = 1
    max_in_flight = 1
"""
NOTE = {"type": "Note", "source": "a", "destination": "b", "size": 3}


def state(rule: str | None = None, picks: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    named = {} if rule is None else {"mbt::actionTaken": rule}
    some = {name: {"tag": "Some", "value": value} for name, value in (picks or {}).items()}
    return {**named, **({} if picks is None else {"mbt::nondetPicks": some}), **variables}


GROWN = state("grow", {"process": "a", "by": 3})
TOLD = state("tell", {"process": "a", "peer": "b"})
FLUSHED = state("flush", {"process": "a"})


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "nodes.spec"
    path.write_text(SPEC, encoding="utf-8")
    return path


def refused(spec: Path, *states: Any, engine: Engine = Engine.REFERENCE) -> tuple[Refused, list[str]]:
    question = ask(str(spec))
    log = parse_partial(json.dumps({"states": [{}, *states]}).encode(), "log")
    answer = decide(question, log, engine, None)
    assert isinstance(answer, Refused), answer
    return answer, Report(question, log).refusal_lines(answer)


def place(text: str) -> str:
    """Where the spec says that, as reports write it."""
    number, line = next((n, line) for n, line in enumerate(SPEC.splitlines(), 1) if text in line)
    return f"nodes.spec:{number}:{line.index(text) + 1}"


@pytest.mark.parametrize("engine", [Engine.REFERENCE, Engine.SYMBOLIC])
def test_a_differing_value_is_told_with_its_assignment_and_both_values(spec: Path, engine: Engine) -> None:
    wrong = state("grow", {"process": "a", "by": 2}, total={"a": 4})
    answer, lines = refused(spec, wrong, engine=engine)
    assert answer.step == 1
    assert isinstance(answer.explained.reason, Differs)
    assert lines[1:4] == [
        "  after grow(a, by=2), a.total is 2, in the log 4",
        f"  {place('total := total + by')}",
        "      total := total + by",
    ]
    assert lines[4].endswith("^" * len("total := total + by"))


def test_what_no_statement_assigns_is_said_to_stay(spec: Path) -> None:
    _, lines = refused(spec, state("grow", {"process": "a", "by": 2}, total={"b": 1}))
    assert lines[1] == "  after grow(a, by=2), b.total is 0, in the log 1"
    assert "no statement of this step" in lines[2]


def test_a_message_that_the_log_lacks_is_told_with_its_send(spec: Path) -> None:
    _, lines = refused(spec, GROWN, state("tell", {"process": "a", "peer": "b"}, outbox={"a": []}))
    assert "outbox(a): only the log has [], only the spec has [Note(a → b, size=3)]" in lines[1]
    assert place("send Note(size=total) to peer") in lines[2]


def test_the_conjunct_that_is_false_is_told_with_both_sides(spec: Path) -> None:
    answer, lines = refused(spec, state("tell", {"process": "a", "peer": "b"}))
    assert isinstance(answer.explained.reason, Disabled)
    assert lines[1:4] == [
        "  tell(a, peer=b) is not enabled: this is false:",
        f"  {place('total > 1')}",
        "      require peer != self and total > 1",
    ]
    assert lines[5] == "    left 0, right 1"
    _, lines = refused(spec, state("tell", {"process": "a", "peer": "a"}))
    assert place("peer != self") in lines[2]


def test_a_conjunct_inside_a_function_is_told_where_the_function_says_it(spec: Path) -> None:
    _, lines = refused(spec, GROWN, FLUSHED, GROWN, FLUSHED, GROWN)
    assert lines[2].strip() == place("size < 8")
    assert lines[5] == "    left 9, right 8"


def test_a_quantified_conjunct_is_told_with_the_element_that_decides(spec: Path) -> None:
    log = [GROWN, FLUSHED, state("grow", {"process": "a", "by": 1}), FLUSHED, GROWN, FLUSHED, TOLD]
    answer, lines = refused(spec, *log, state("heard"))
    assert answer.step == 8
    assert lines[1].endswith("is not enabled: this is false, for n = 2:")
    assert lines[5] == "    left 9, right 9"


def test_a_bound_that_cuts_is_named(spec: Path) -> None:
    answer, lines = refused(spec, GROWN, state("grow", {"process": "a", "by": 1}))
    assert answer.explained.reason == Bounded(answer.explained.reason.label, "max_pending = 1", None)  # type: ignore[union-attr]
    assert lines[1] == "  grow(a, by=1) is cut by the model's bound max_pending = 1"


def test_an_evaluation_that_fails_is_told_as_the_specs_own_fault(spec: Path) -> None:
    answer, lines = refused(spec, GROWN, FLUSHED, TOLD, state("heard", {"process": "b"}))
    assert isinstance(answer.explained.reason, Failing)
    assert lines[1].endswith("fails: division by zero")
    assert place("m.size div") in lines[2]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (state("flush", {"process": "a"}), "nothing is pending"),
        (state("restart", {"process": "a"}), "the process is up"),
        (state("heard", {"message": NOTE}), "the network has no such message"),
        (state("drop", {"message": NOTE}), "its budget of 0 is used up"),
        (state("crash", {"process": "a", "keep": 2}), "fewer records are pending than it keeps"),
        (state("duplicate"), "the network has no message that the log's can be"),
        (state("grow", {"process": "c"}), "no label of the spec has these choices"),
    ],
)
@pytest.mark.parametrize("engine", [Engine.REFERENCE, Engine.SYMBOLIC])
def test_what_a_label_lacks_is_told(spec: Path, label: Any, why: str, engine: Engine) -> None:
    answer, lines = refused(spec, label, engine=engine)
    assert isinstance(answer.explained.reason, Disabled | Impossible)
    assert why in lines[1]


def test_a_process_that_is_down_takes_no_step(spec: Path) -> None:
    _, lines = refused(spec, state("crash", {"process": "a", "keep": 0}), GROWN)
    assert lines[1] == "  grow(a, by=3) is not enabled: the process is down"


def test_the_nearest_enabled_labels_come_first(spec: Path) -> None:
    """grow(b, by=3) is another process's, everything else is as logged; of the rest, more differs."""
    wrong = state("grow", {"process": "a", "by": 3}, total={"a": 0, "b": 3}, last={"b": 1})
    answer, lines = refused(spec, wrong)
    at = lines.index("enabled, nearest to the log first:")
    assert lines[at + 1] == "  grow(b, by=3): another process"
    assert [near.distance for near in answer.explained.nearest] == sorted(n.distance for n in answer.explained.nearest)
    assert answer.explained.nearest[0].distance == 1


def test_an_initial_state_that_is_not_the_specs_is_refused_at_state_0(spec: Path) -> None:
    question = ask(str(spec))
    for engine in (Engine.REFERENCE, Engine.SYMBOLIC):
        log = parse_partial(b'{"states": [{"total": {"a": 1}}, {}]}', "log")
        answer = decide(question, log, engine, None)
        assert isinstance(answer, Refused)
        assert answer.step == 0
        assert Report(question, log).refusal_lines(answer)[1] == "  in the initial state, a.total is 0, in the log 1"


# --------------------------------------------------------------------------------------------- the command


def log_file(folder: Path, states: Iterable[Any], **meta: str) -> Path:
    path = folder / "log.itf.json"
    path.write_text(json.dumps({"#meta": meta, "states": list(states)}), encoding="utf-8")
    return path


def test_a_log_that_fits_is_written_in_full_and_fits_again(spec: Path, tmp_path: Path) -> None:
    log = log_file(tmp_path, [{}, GROWN, {}, state(outbox={"a": [NOTE]})])
    ran = model_check("complete", log, spec, "--engine", "both", "--out-itf", tmp_path / "out")
    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert "filled in: 2 of 3 labels" in ran.out
    assert ran.out.count("Fits: a run of 3 labels has all that the log's 4 states have") == 2
    completed = tmp_path / "out" / "log-completed.itf.json"
    trace = read_trace(completed)
    assert [label.rule for label in trace.labels][-1] == "tell"
    assert "label" in trace.states[3].meta["filled_in"]  # type: ignore[operator]
    again = model_check("complete", completed, spec)
    assert again.code == Exit.HOLDS
    assert "filled in: 0 of 3 labels, 0 of" in again.out


def test_what_z3_is_asked_about_a_log_is_written_with_its_answer(spec: Path, tmp_path: Path) -> None:
    log = log_file(tmp_path, [{}, GROWN, {}, {"total": {"a": 9}}, {}])
    ran = model_check("complete", log, spec, "--engine", "symbolic", "--smt-out", tmp_path / "smt", "--json")
    assert ran.code == Exit.LOG_REFUSED
    asked = ran.json["questions"]
    assert [question["depth"] for question in asked[:5]] == [4, 0, 1, 2, 3], "all at once, then one after the other"
    said = [Path(question["file"]).read_text(encoding="utf-8") for question in asked[:5]]
    assert [":status sat" in text for text in said] == [False, True, True, True, False]


def test_a_log_that_is_refused_leaves_its_longest_prefix(spec: Path, tmp_path: Path) -> None:
    log = log_file(tmp_path, [{}, GROWN, {"total": {"a": 9}}, {}])
    ran = model_check("complete", log, spec, "--out-itf", tmp_path)
    assert ran.code == Exit.LOG_REFUSED
    assert (
        "Log refused at state 2 of 3: no run of the spec has it; states 0 to 1 fit, as 1 state of the spec" in ran.out
    )
    assert len(read_trace(tmp_path / "log-prefix.itf.json").labels) == 1
    again = model_check(*ran.reproduce)
    assert again.code == Exit.LOG_REFUSED
    as_json = model_check("complete", log, spec, "--json").json
    assert as_json["exit"] == Exit.LOG_REFUSED
    (answer,) = as_json["answers"]
    assert (answer["answer"], answer["step"], answer["kind"]) == ("refused", 2, "differs")
    assert answer["nearest"]
    assert answer["labels"] == ["grow(a, by=3)"]


def test_a_log_says_itself_of_which_model_it_is() -> None:
    ran = model_check("complete", CORPUS / "seed_case_1.itf.json")
    assert ran.code == Exit.HOLDS
    assert "raft.spec, model three" in ran.out
    counterexample = CORPUS.parent / "counterexamples" / "new-leader-auto-commits-leader_completeness.itf.json"
    assert model_check("complete", counterexample).code == Exit.HOLDS
    without = model_check("complete", counterexample, "--model", "three", "--set", "max_drops=3")
    assert without.code == Exit.LOG_REFUSED, "the correct spec has no such run"


def test_the_log_in_the_guide_is_completed(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "complete.md").read_text(encoding="utf-8")
    path = tmp_path / "log.itf.json"
    path.write_text(guide.split("```json\n")[1].split("```")[0], encoding="utf-8")
    ran = model_check("complete", path)
    assert ran.code == Exit.HOLDS
    assert [step.split("(")[0] for step in ran.steps()[:3]] == ["timeout", "flush", "request_vote"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty file"),
        ("{", "not JSON"),
        ('{"states": []}', "a list of at least one state"),
        ('{"states": [{}, 7]}', "state 1: found 7"),
        ('{"states": [{"#meta": {"gap": -1}}]}', "how many labels are missing at most, or true"),
        ('{"states": [{}, {"#meta": {"index": 2}}]}', 'counted in the next one\'s "gap"'),
        ('{"states": [{"mbt::actionTaken": "grow"}]}', "no rule leads to the initial state"),
        ('{"states": [{}, {"mbt::actionTaken": 3}]}', "the name of a rule"),
        ('{"states": [{}, {"mbt::actionTaken": "gorw"}]}', "a rule that the spec lacks; did you mean `grow`?"),
        ('{"states": [{"size": 3}]}', "a variable that the spec lacks"),
        ('{"states": [{"total": {"c": 3}}]}', "state 0, total.c: found a name that the spec lacks"),
        ('{"states": [{"total": 3}]}', "state 0, total: found 3"),
        ('{"vars": ["total"], "states": [{"last": {"a": 3}}]}', "a variable that vars does not list"),
    ],
)
def test_a_file_that_is_no_log_of_the_spec_is_unreadable(spec: Path, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "log.itf.json"
    path.write_text(text, encoding="utf-8")
    ran = model_check("complete", path, spec)
    assert ran.code == Exit.UNREADABLE_TRACE, ran.out
    assert said in ran.err


def test_time_that_runs_out_is_inconclusive_and_a_missing_file_a_usage_error(spec: Path, tmp_path: Path) -> None:
    for engine in ("reference", "symbolic"):
        log = log_file(tmp_path, [{}, {"#meta": {"gap": 30}, "total": {"a": 7, "b": 6}}])
        ran = model_check("complete", log, spec, "--timeout", "0.05", "--engine", engine)
        assert ran.code == Exit.INCONCLUSIVE, ran.out + ran.err
        assert "Inconclusive: time ran out; the first 1 state of 2 fits" in ran.out or "nothing is known" in ran.out
    assert model_check("complete", tmp_path / "none.itf.json").code == Exit.USAGE
    assert model_check("complete", tmp_path).code == Exit.USAGE
    unknown = log_file(tmp_path, [{}], spec="nodes")
    assert "name its file after the log" in model_check("complete", unknown).err
