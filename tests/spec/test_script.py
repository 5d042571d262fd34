"""Scripts: each pattern fits exactly one enabled label."""

from __future__ import annotations

import pytest

from spec.evaluate import EvaluationError
from spec.script import ScriptError, describe, find_scenario, label_arguments, matches, run_scenario, start_state
from spec.state import Label, State
from spec.system import LabelPattern, Scenario
from tests.spec.small import Small, nodes

MEMBERS = """
    durable  d: 0..9 = 0
    volatile x: 0..9 = 5
    action say(n: 0..2, loud: bool):
        require n != 2
        send Note(n=if loud then n + 5 else n) to b
    action write(n: 1..3):
        d := n
    action rise:
        x := x + 1
    action fall:
        x := x - 3
    on Note m:
        x := m.n
"""
TOP = """
shared calls: 0..9 = 0
shared action call:
    calls := calls + 1
scenario begun:
    run:
        write(a, n=2)
        say(a, n=1, loud=true)
    reach: a.d == 2
scenario later after begun:
    run:
        crash(a, keep=1)
        Note(b, source=a)
        call
    reach: b.x == 6
scenario only_a_goal:
    reach: a.d == 3
"""
MODEL = "constraint few: forall p in Node: p.x < 8\n"


def scripted(model: str = MODEL, network: str = "bag with loss, duplication") -> Small:
    return nodes(MEMBERS, top=TOP, model=model, network=network)


def pattern(rule: str, process: str | None = None, **arguments: object) -> LabelPattern:
    return LabelPattern(rule, process, tuple(arguments.items()))


def run(small: Small, *patterns: LabelPattern) -> tuple[State, tuple[Label, ...]]:
    return run_scenario(small.evaluator, Scenario("by_hand", patterns))


def scenario(small: Small, name: str) -> Scenario:
    found = find_scenario(small.evaluator, name)
    assert found is not None
    return found


def test_scenario_runs_its_labels_in_order() -> None:
    small = scripted()
    state, labels = run_scenario(small.evaluator, scenario(small, "begun"))
    assert labels == (Label("write", "a", (2,)), Label("say", "a", (1, True)))
    assert state == small.fire(small.fire(small.initial, "write", "a", 2), "say", "a", 1, True)


def test_scenario_after_another_starts_where_it_ended() -> None:
    small = scripted()
    state, labels = run_scenario(small.evaluator, scenario(small, "later"))
    assert labels[2:] == (
        Label("crash", "a", (1,)),
        Label("Note", "b", (), ("Note", "a", "b", 6)),
        Label("call"),
    )
    assert (small.memory(state, "a")["d"], small.memory(state, "b")["x"], small.shared(state)) == (2, 6, {"calls": 1})


def test_scenario_without_a_script_ends_in_the_initial_state() -> None:
    small = scripted()
    assert run_scenario(small.evaluator, scenario(small, "only_a_goal")) == (small.initial, ())


def test_unknown_scenario_is_not_found() -> None:
    assert find_scenario(scripted().evaluator, "never_written") is None


def test_run_starts_at_the_initial_state_or_at_the_end_of_the_models_start() -> None:
    plain, started = scripted(), scripted(MODEL + "start = begun\n")
    assert start_state(plain.evaluator) == (plain.initial, ())
    assert start_state(started.evaluator) == run_scenario(started.evaluator, scenario(started, "begun"))


def test_pattern_that_fits_two_enabled_labels_is_an_error_that_names_them() -> None:
    with pytest.raises(ScriptError) as error:
        run(scripted(), pattern("rise", "a"), pattern("say", "a", n=0))
    assert (error.value.scenario, error.value.step) == ("by_hand", 2)
    assert "say(a, n=0) matches more than one enabled label: say(a, 0, False), say(a, 0, True)" in str(error.value)


def test_pattern_that_fits_no_enabled_label_is_an_error_that_lists_what_is_enabled() -> None:
    with pytest.raises(ScriptError) as error:
        run(nodes("volatile x: 0..9 = 0\naction rise:\n    x := 1\n"), pattern("sink", "a"))
    text = "scenario by_hand, step 1: sink(a) matches no enabled label; enabled are: rise(a), rise(b)"
    assert str(error.value) == text


@pytest.mark.parametrize(
    "step",
    [
        pattern("say", "a", n=2, loud=True),  # not enabled
        pattern("rise", "c"),
        pattern("rise", "a", speed=1),
        pattern("flush", "a"),
        pattern("Note", "b", source="a"),
        pattern("crash", "a", keep=1),
    ],
    ids=lambda step: step.rule,
)
def test_what_is_not_enabled_does_not_fit(step: LabelPattern) -> None:
    with pytest.raises(ScriptError, match="matches no enabled label"):
        run(scripted(), step)


def test_what_is_cut_does_not_fit() -> None:
    rise = pattern("rise", "a")
    with pytest.raises(ScriptError, match="step 3"):
        run(scripted(), rise, rise, rise)


def test_one_of_two_fits_if_the_other_is_cut() -> None:
    small = scripted("max_copies = 1\n", "bag")
    said = pattern("say", "a", n=0, loud=False)
    _, labels = run(small, said, pattern("say", "a", n=0))
    assert labels[1] == Label("say", "a", (0, True))


def test_error_in_a_script_carries_all_labels_up_to_it() -> None:
    fall = pattern("fall", "a")
    with pytest.raises(EvaluationError, match="x: -1 is outside") as error:
        run(scripted(), fall, fall)
    assert error.value.labels == (Label("fall", "a"),) * 2


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (pattern("Note", "b", n=6), Label("Note", "b", (), ("Note", "a", "b", 6))),
        (pattern("drop", message="Note", n=1), Label("drop", None, (), ("Note", "a", "b", 1))),
        (pattern("duplicate", destination="b", source="a", n=6), Label("duplicate", None, (), ("Note", "a", "b", 6))),
        (pattern("crash", "a", keep=1), Label("crash", "a", (1,))),
        (pattern("crash", "b"), Label("crash", "b", (0,))),
        (pattern("flush"), Label("flush", "a")),
    ],
    ids=lambda value: value.rule if isinstance(value, LabelPattern) else "",
)
def test_pattern_names_what_its_label_has(step: LabelPattern, label: Label) -> None:
    small = scripted()
    before = (pattern("write", "a", n=1), pattern("say", "a", n=1, loud=True), pattern("say", "a", n=1, loud=False))
    _, labels = run(small, *before, step)
    assert labels[-1] == label
    assert matches(small.evaluator, step, label)


def test_label_arguments_are_named() -> None:
    evaluator = scripted().evaluator
    assert dict(label_arguments(evaluator, Label("say", "a", (1, True)))) == {"n": 1, "loud": True}
    assert dict(label_arguments(evaluator, Label("crash", "a", (1,)))) == {"keep": 1}
    assert dict(label_arguments(evaluator, Label("drop", None, (), ("Note", "a", "b", 6)))) == {
        "message": "Note",
        "source": "a",
        "destination": "b",
        "n": 6,
    }


def test_label_is_described_in_one_line() -> None:
    assert describe(Label("call")) == "call()"
    assert describe(Label("say", "a", (1, True))) == "say(a, 1, True)"
    assert describe(Label("Note", "b", (), ("Note", "a", "b", 6))) == "Note(b, Note a → b)"
