"""Liveness under ``check``: both engines, the report, the trace, the codes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checker.checking import Checked, check
from checker.explicit.liveness import judge as judge_natively
from checker.liveness import check_liveness
from checker.progress import OutOfTime
from checker.question import ask
from checker.searching import Search
from checker.verdict import Exit, Stop
from spec import lasso
from spec.evaluate import Evaluator
from spec.liveness import Stuck, judge
from spec.load import load_system
from spec.script import start_state
from tests.checker.command_line import MODELS, model_check
from tests.spec.test_liveness import COUNTER, LOCK
from traces.itf import read_trace

ENGINES = ["explicit", "reference"]


def saved(folder: Path, text: str, name: str = "small.spec") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# -------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lasso_is_shown_saved_and_reproduced(tmp_path: Path, engine: str) -> None:
    spec = saved(tmp_path, LOCK)
    ran = model_check(
        "check", spec, "--property", "served_politely", "--engine", engine, "--out-itf", tmp_path / "traces"
    )
    assert ran.code == Exit.LIVENESS == 13
    assert "VIOLATED: served_politely(c=c1)" in ran.out
    assert "Counterexample: served_politely(c=c1) never reaches its goal: a fair run goes round for ever" in ran.out
    (path,) = (tmp_path / "traces").iterdir()
    trace = read_trace(path)
    assert trace.loop is not None
    again = [label.rule for label in trace.labels[trace.loop - 1 :]]
    assert sorted(again) == ["ask", "give", "take"]
    assert trace.states[-1].variables == trace.states[trace.loop - 1].variables
    assert f"↺  and again from state {trace.loop}" in ran.out
    assert model_check(*ran.reproduce).code == Exit.LIVENESS


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_ends_stays_in_its_last_state(tmp_path: Path, engine: str) -> None:
    spec = saved(tmp_path, LOCK)
    ran = model_check("check", spec, "--model", "stuck", "--property", "served", "--engine", engine, "--json")
    assert ran.code == Exit.LIVENESS
    (answer,) = ran.json["answers"]
    assert answer["loop"] == answer["length"] == ran.json["trace"]["loop"]
    assert answer["liveness"]["violated"] == ["served(c=c1)", "served(c=c2)"]
    assert "where nothing is enabled" in answer["message"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_model_asks_for_is_checked_with_the_invariants(tmp_path: Path, engine: str) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--engine", engine)
    assert ran.code == Exit.HOLDS
    assert "No counterexample to any invariant or served_patiently or someone_asks" in ran.out
    assert "liveness: served_patiently, someone_asks; graph of 12 states and 24 labels, without symmetry" in ran.out


@pytest.mark.parametrize("engine", ENGINES)
def test_what_no_model_asks_for_is_not_checked(tmp_path: Path, engine: str) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--model", "stuck", "--engine", engine)
    assert ran.code == Exit.HOLDS
    assert "liveness" not in ran.out


@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_whole_graph_liveness_is_inconclusive(tmp_path: Path, engine: str) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--engine", engine, "--max-steps", "1")
    assert ran.code == Exit.INCONCLUSIVE
    assert "served_patiently, someone_asks" in ran.out
    assert "lift --max-steps" in ran.out


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_a_bound_stops_is_no_violation_and_is_told(tmp_path: Path, engine: str) -> None:
    ends = COUNTER.replace("    rising := false", "    require n > 4\n    rising := false")
    spec = saved(tmp_path, ends)
    ran = model_check("check", spec, "--property", "turned", "--engine", engine)
    assert ran.code == Exit.HOLDS
    assert "cut by the bound: turned" in ran.out
    assert "No counterexample to turned (but runs of it are cut by the bound)" in ran.out
    (answer,) = model_check("check", spec, "--property", "turned", "--engine", engine, "--json").json["answers"]
    assert answer["liveness"]["cut_by_the_bound"] == ["turned"]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_a_goal_is_an_evaluation_error(tmp_path: Path, engine: str) -> None:
    text = COUNTER.replace("n == 3", "3 div (1 - n) == 7")
    ran = model_check("check", saved(tmp_path, text), "--property", "high", "--engine", engine)
    assert ran.code == Exit.EVALUATION_ERROR
    assert ran.steps() == ["climb()"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_safety_violation_comes_first(tmp_path: Path, engine: str) -> None:
    text = LOCK + "invariant nobody: owner == none\n"
    assert model_check("check", saved(tmp_path, text), "--engine", engine).code == Exit.SAFETY


def test_without_native_code_the_explicit_engine_checks_liveness_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAFTPROOF_BACK_END", "python")
    monkeypatch.setattr("checker.explicit.liveness.judge", None)
    spec = saved(tmp_path, LOCK)
    assert check(ask(spec), "explicit", Search()).code is Exit.HOLDS
    assert check(ask(spec, only="served"), "explicit", Search()).code is Exit.LIVENESS
    assert check(ask(spec, model="stuck", only="served_patiently"), "explicit", Search()).code is Exit.LIVENESS


@pytest.mark.parametrize("engine", ["symbolic", "both"])
def test_an_engine_that_cannot_says_which_can(tmp_path: Path, engine: str) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--property", "served", "--engine", engine)
    assert ran.code == Exit.USAGE
    assert "explicit or reference" in ran.err


def test_the_symbolic_engine_says_what_it_leaves_out(tmp_path: Path) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--engine", "symbolic", "--max-steps", "2")
    assert ran.code == Exit.HOLDS
    assert "`eventually` is for the explicit or the reference engine" in ran.out


def test_two_engines_are_asked_what_both_can_answer(tmp_path: Path) -> None:
    ran = model_check("check", saved(tmp_path, LOCK), "--engine", "both")
    assert ran.code == Exit.HOLDS
    assert ran.out.count("`eventually` is for the explicit or the reference engine, alone") == 2


def test_the_macro_grain_is_too_coarse_for_fairness(tmp_path: Path) -> None:
    text = LOCK + "macro turn(c: Client):\n    ask(c)\n    take(c)\n"
    ran = model_check("check", saved(tmp_path, text), "--property", "served", "--grain", "macro")
    assert ran.code == Exit.USAGE
    assert "--grain micro" in ran.err


@pytest.mark.parametrize("engine", ["explicit", "symbolic", "reference"])
def test_no_engine_takes_a_forbidden_rule(tmp_path: Path, engine: str) -> None:
    text = LOCK + "invariant never_owned: owner == none\nmodel no_take:\n    Client = {c1}\n    forbid take\n"
    spec = saved(tmp_path, text)
    assert model_check("check", spec, "--model", "m", "--engine", engine).code == Exit.SAFETY
    ran = model_check("check", spec, "--model", "no_take", "--engine", engine, "--max-steps", "4")
    assert ran.code == Exit.HOLDS
    assert "never enabled: take" not in ran.out  # it was not to be


@pytest.mark.parametrize("engine", ["explicit", "symbolic", "reference"])
def test_no_engine_restarts_where_that_is_forbidden(tmp_path: Path, engine: str) -> None:
    text = (
        "const Node: set\nprocess Node:\n    durable n: 0..1 = 0\n    volatile fresh: bool = false\n"
        "    action begin:\n        fresh := true\n        n := 1\n"
        "invariant once: forall a in Node: not (up(a) and disk(a).n == 1 and not a.fresh)\n"
        "model m:\n    Node = {a}\n    max_crashes = 1\n"
        "model down:\n    Node = {a}\n    max_crashes = 1\n    forbid restart\n"
    )
    spec = saved(tmp_path, text)
    assert model_check("check", spec, "--engine", engine).code == Exit.SAFETY
    assert model_check("check", spec, "--model", "down", "--engine", engine, "--max-steps", "6").code == Exit.HOLDS


@pytest.mark.parametrize("engine", ENGINES)
def test_time_that_runs_out_is_inconclusive(tmp_path: Path, engine: str) -> None:
    question = ask(saved(tmp_path, LOCK))
    answer = Checked(engine, Exit.HOLDS, 4, complete=True)
    check_liveness(question, answer, None, timeout=-1.0)
    assert answer.code is Exit.INCONCLUSIVE
    assert "time is up while liveness (served_patiently, someone_asks)" in answer.reason


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OutOfTime(), Exit.INCONCLUSIVE, "time is up while liveness (served_patiently, someone_asks)"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted while liveness"),
        (MemoryError("1 MiB are left"), Exit.INCONCLUSIVE, "out of memory while liveness (served_patiently, someone"),
    ],
    ids=["time", "interrupt", "memory"],
)
@pytest.mark.parametrize("part", ["unfold", "find_lasso"])
def test_whatever_ends_either_part_is_no_verdict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    error: BaseException,
    code: Exit,
    said: str,
    part: str,
) -> None:
    """The graph is made, and then lassos are searched for in it: the clock and the memory are looked at in both."""
    searching = False

    def look(_: object) -> None:
        if searching == (part == "find_lasso"):
            raise error

    find = lasso.find_lasso

    def found(*arguments: Any, pulse: Callable[[], None], **named: Any) -> object:
        nonlocal searching
        searching = True
        pulse()
        return find(*arguments, pulse=pulse, **named)

    monkeypatch.setattr("spec.liveness.find_lasso", found)
    monkeypatch.setattr("checker.explicit.available.MemoryWatch.look", look)
    answer = Checked(engine, Exit.HOLDS, 4, complete=True)
    check_liveness(ask(saved(tmp_path, LOCK)), answer, None, timeout=None)
    assert answer.code is code
    assert said in answer.reason
    assert answer.liveness is None


TWO_KINDS_OF_MESSAGE = """\
const Node: set
message First:
message Second:
network bag with loss
process Node:
    volatile sent: bool = false
    action send_first(other: Node):
        send First() to other
    action send_second(other: Node):
        require not sent
        sent := true
        send Second() to other
    on First m:
        require false
    on Second m:
        require false
fair lossy:
    weak drop
eventually second_is_lost under lossy:
    size(network(Second)) > 0 leads to size(network(Second)) == 0
model m:
    Node = {a}
    max_in_flight = 2
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_that_one_kind_of_message_is_lost_is_not_that_another_is(tmp_path: Path, engine: str) -> None:
    spec = saved(tmp_path, TWO_KINDS_OF_MESSAGE)
    assert check(ask(spec, only="second_is_lost"), engine, Search()).code is Exit.HOLDS
    unfair = saved(tmp_path, TWO_KINDS_OF_MESSAGE.replace(" under lossy", ""), "unfair.spec")
    assert check(ask(unfair, only="second_is_lost"), engine, Search()).code is Exit.LIVENESS


def test_too_many_combinations_are_refused_with_advice(tmp_path: Path) -> None:
    text = LOCK + "eventually all(a: Client, b: Client, c: Client, d: Client, e: Client): a == b leads to d == e\n"
    with pytest.raises(Stop, match="--engine reference") as stopped:
        check(ask(saved(tmp_path, text), only="all", settings={"Client": "{c1, c2, c3}"}), "explicit", Search())
    assert stopped.value.code is Exit.USAGE


# ----------------------------------------------------------------------------- engines, on random specs


def random_spec(seed: int) -> str:
    """Two nodes that count modulo three, send each other what they count, and stop here and there."""
    dice = random.Random(seed)

    def condition(node: str = "") -> str:
        left = f"{node}n" if dice.random() < 0.7 else "shelf"
        return f"{left} {dice.choice(['==', '!=', '<', '>='])} {dice.randrange(3)}"

    def change() -> str:
        return dice.choice(["n := (n + 1) mod 3", "n := (n + 2) mod 3", "n := shelf", "shelf := n", "n := n + 1"])

    lines = ["const Node: set symmetric", "message Note:", "    n: 0..2", "shared shelf: 0..2 = 0"]
    lines += [f"network {dice.choice(['bag', 'bag with loss', 'fifo', 'bag with duplication'])}", "process Node:"]
    lines += [f"    {dice.choice(['durable', 'volatile'])} n: 0..2 = 0", "    durable kept: 0..1 = 0"]
    for name in ("first", "second"):
        lines += [f"    action {name}:", f"        require {condition()}", f"        {change()}"]
    lines += ["    action tell(other: Node):", f"        require {condition()}", "        send Note(n=n) to other"]
    lines += ["    on Note m as hear:"]
    lines += [f"        require {condition()}"] if dice.random() < 0.3 else []
    lines += [f"        {dice.choice(['n := m.n', 'shelf := m.n', 'ignore', 'kept := 1 - kept'])}"]
    names = ["first", "second", "tell", "hear", "flush", "restart", "drop"]
    weak, strong = dice.sample(names, 3), dice.sample(names, 2)
    lines += ["fair some:", f"    weak {', '.join(weak)}", f"    strong {', '.join(strong)}"]
    lines += [f"fair weakly:\n    weak {', '.join(names)}"]
    for number, under in enumerate(("", " under some", " under weakly", " under some, weakly")):
        lines += [f"eventually e{number}{under}: exists a in Node: {condition('a.')}"]
        lines += [f"eventually l{number}(a: Node){under}: {condition('a.')} leads to {condition('a.')}"]
    lines += ["model m:", "    Node = {a, b}", "    max_in_flight = 2", "    max_copies = 1", "    max_pending = 1"]
    lines += [f"    storage = {dice.choice(['buffered', 'atomic'])}", f"    max_crashes = {dice.randrange(2)}"]
    lines += ["    constraint low:", f"        shelf + {dice.randrange(2)} < 3"]
    return "\n".join(lines) + "\n"


SEEDS = (3, 6, 8, 15, 27, 30)  # together they have verdicts of each kind


def assert_loops(evaluator: Evaluator, stuck: Stuck) -> None:
    state, _ = start_state(evaluator)
    for label in stuck.prefix:
        state = evaluator.successor(state, label)
    home = state
    for label in stuck.loop:
        state = evaluator.successor(state, label)
    assert state == home


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_say_the_same_of_random_specs(tmp_path: Path, seed: int) -> None:
    system = load_system(saved(tmp_path, random_spec(seed)))
    evaluator = Evaluator(system)
    start, _ = start_state(evaluator)
    native = judge_natively(system, start, system.eventually)
    reference = judge(evaluator, start, system.eventually)
    assert (native.states, native.edges) == (reference.states, reference.edges)
    assert [(str(s.obligation), s.cut) for s in native.stuck] == [(str(s.obligation), s.cut) for s in reference.stuck]
    for stuck in (*native.stuck, *reference.stuck):
        assert_loops(evaluator, stuck)


def test_random_specs_have_verdicts_of_each_kind(tmp_path: Path) -> None:
    kinds = set()
    for seed in SEEDS:
        system = load_system(saved(tmp_path, random_spec(seed)))
        evaluator = Evaluator(system)
        start, _ = start_state(evaluator)
        stuck = judge(evaluator, start, system.eventually).stuck
        kinds |= {"cut" if s.cut else "round" if s.loop else "end" for s in stuck}
        kinds |= {"holds"} if len(stuck) < 12 else set()
    assert kinds == {"cut", "round", "end", "holds"}


# ------------------------------------------------------------------------------------- shipped specs


def test_a_requested_write_is_answered_where_a_leader_stays_and_runs_are_fair() -> None:
    ran = model_check("check", "--model", "steady_majority")
    assert ran.code == Exit.HOLDS
    assert "liveness: requested_write_is_answered; graph of 17,784 states and 79,814 labels" in ran.out
    assert "No counterexample to any invariant or requested_write_is_answered:" in ran.out


def test_without_fairness_it_need_not_be() -> None:
    ran = model_check("check", "--model", "steady_majority", "--property", "requested_write_is_answered_unfairly")
    assert ran.code == Exit.LIVENESS
    assert [step.partition("(")[0] for step in ran.steps()[26:]] == [
        "submit", "replicate", "append_entries", "append_entries_response"
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_everyone_decides_if_what_was_sent_arrives(engine: str) -> None:
    spec = MODELS / "two_phase_commit.spec"
    fair = model_check("check", spec, "--model", "alive", "--engine", engine)
    assert fair.code == Exit.HOLDS
    assert "or everyone_decides:" in fair.out
    words = ("check", spec, "--model", "alive", "--engine", engine)
    unfair = model_check(*words, "--property", "everyone_decides_unfairly")
    assert unfair.code == Exit.LIVENESS
