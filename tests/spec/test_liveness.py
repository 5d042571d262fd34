"""`eventually`, fairness and `forbid`: what they say, and what the reference engine makes of them."""

from __future__ import annotations

import pytest

from spec.evaluate import Evaluator
from spec.graph import Groups
from spec.liveness import Judged, Stuck, asked, judge
from spec.script import start_state
from spec.state import Label
from spec.values import EvaluationError
from tests.spec.semantic import MODEL, codes
from tests.spec.small import evaluator

# Two clients take turns with one lock; nothing says that both get it.
LOCK = """\
const Client: set symmetric
shared owner: optional[Client] = none
process Client:
    volatile waits: bool = false
    action ask:
        require not waits
        waits := true
    action take:
        require waits and owner == none
        owner := self
        waits := false
    action give:
        require owner == self
        owner := none
fair polite:
    weak ask, take, give
fair patient:
    strong take
eventually served(c: Client):
    c.waits leads to owner == c
eventually served_politely(c: Client) under polite:
    c.waits leads to owner == c
eventually served_patiently(c: Client) under polite, patient:
    c.waits leads to owner == c
eventually someone_asks:
    exists c in Client: c.waits
model m:
    Client = {c1, c2}
    check served_patiently, someone_asks
model stuck:
    Client = {c1, c2}
    forbid give
model alone:
    Client = {c1}
"""


def answers(text: str, name: str, model: str = "m") -> tuple[Stuck, ...]:
    return judged(text, name, model).stuck


def judged(text: str, name: str, model: str = "m") -> Judged:
    asks = evaluator(text, model)
    start, _ = start_state(asks)
    return judge(asks, start, asked(asks.system, name))


def shown(labels: tuple[Label, ...]) -> list[str]:
    return [" ".join(filter(None, (label.rule, label.process))) for label in labels]


# ------------------------------------------------------------------------------------------ verdicts


def test_without_fairness_one_is_served_for_ever_and_the_other_waits() -> None:
    first, second = answers(LOCK, "served")
    assert str(first.obligation) == "served(c=c1)"
    assert shown(first.prefix) == ["ask c1"]
    assert shown(first.loop) == ["ask c2", "take c2", "give c2"]
    assert shown(second.prefix) == ["ask c2"]


def test_weak_fairness_does_not_give_what_is_taken_away_in_between() -> None:
    first, _ = answers(LOCK, "served_politely")
    assert "take c2" in shown(first.loop)
    assert "take c1" not in shown(first.loop)


def test_strong_fairness_serves_everyone() -> None:
    assert answers(LOCK, "served_patiently") == ()


def test_weak_fairness_is_enough_for_one_alone() -> None:
    assert answers(LOCK, "served_politely", "alone") == ()


def test_a_run_does_not_stop_of_its_own() -> None:
    assert answers(LOCK, "someone_asks") == ()


def test_what_a_model_forbids_is_never_enabled_and_the_run_ends() -> None:
    first, _ = answers(LOCK, "served_patiently", "stuck")
    assert first.loop == ()
    assert not first.cut
    assert "give" not in {label.rule for label in first.prefix}


def test_a_model_asks_for_the_properties_that_it_names() -> None:
    system = evaluator(LOCK).system
    assert [p.name for p in asked(system, None)] == ["served_patiently", "someone_asks"]
    assert [p.name for p in asked(system, "served")] == ["served"]
    assert asked(evaluator(LOCK, "stuck").system, None) == ()


def test_strong_fairness_covers_weak_fairness_of_the_same_rule() -> None:
    (patiently,) = asked(evaluator(LOCK).system, "served_patiently")
    assert patiently.weak == ("ask", "give")
    assert patiently.strong == ("take",)


COUNTER = """\
shared n: 0..2 = 0
shared rising: bool = true
action climb:
    require rising
    n := n + 1
action turn:
    rising := false
fair prompt:
    weak climb
eventually turned under prompt:
    not rising
eventually high:
    n == 3
model m:
    storage = atomic
    constraint low: n <= 1
"""


def test_a_run_that_only_a_bound_holds_up_is_cut_by_the_bound() -> None:
    # climb is owed for ever and cut at n == 1; the only other label is the one that fulfils the obligation.
    assert answers(COUNTER, "turned") == ()
    ends = COUNTER.replace("    rising := false", "    require n > 4\n    rising := false")
    (stuck,) = answers(ends, "turned")
    assert stuck.cut
    assert shown(stuck.prefix) == ["climb"]
    assert stuck.loop == ()


def test_a_loop_that_owes_a_label_that_a_bound_cuts_is_cut_by_the_bound() -> None:
    idles = COUNTER.replace("    rising := false", "    require n > 4\n    rising := false")
    idles += "action idle:\n    skip\n"
    (stuck,) = answers(idles, "turned")
    assert stuck.cut
    assert shown(stuck.loop) == ["idle"]


def test_a_run_that_really_ends_is_no_cut() -> None:
    (stuck,) = answers(COUNTER, "high")
    assert not stuck.cut
    assert shown(stuck.prefix) + shown(stuck.loop) in (["turn"], ["turn", "turn"])


def test_an_error_in_a_goal_is_told_with_the_run_to_it() -> None:
    text = COUNTER.replace("n == 3", "3 div (1 - n) == 7")
    with pytest.raises(EvaluationError, match="zero") as raised:
        answers(text, "high")
    assert shown(raised.value.labels) == ["climb"]


# ------------------------------------------------------------------------------------------- groups


def test_a_group_is_of_one_process_and_its_parameters_but_not_of_a_messages_fields() -> None:
    groups = Groups({"send", "receive", "drop", "crash"})
    message, same, other = ("Note", "a", "b", 1), ("Note", "a", "b", 2), ("Note", "b", "b", 1)
    numbers = [
        groups.of(label)
        for label in (
            Label("send", "a", ("b",)),
            Label("send", "a", ("c",)),
            Label("send", "b", ("b",)),
            Label("receive", "b", (), message),
            Label("receive", "b", (), same),
            Label("receive", "b", (), other),
            Label("drop", None, (), message),
            Label("drop", None, (), same),
            Label("crash", "a", (0,)),
            Label("crash", "a", (1,)),
            Label("flush", "a"),
        )
    ]
    assert numbers == [0, 1, 2, 3, 3, 4, 5, 5, 6, 6, -1]
    assert groups.mask(["receive"]) == 0b11000


def test_deliver_is_every_handler() -> None:
    text = (
        "const Node: set\nmessage A:\nmessage B:\nprocess Node:\n    on A m as first:\n        ignore\n"
        "    on B m:\n        ignore\n    action act:\n        send A() to self\n        send B() to self\n"
        "fair f:\n    weak deliver, act\neventually e under f: true\n"
        "model m:\n    Node = {a}\n    max_in_flight = 2\n"
    )
    assert evaluator(text).system.eventually[0].weak == ("first", "B", "act")


# ------------------------------------------------------------------------------------------ language


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("S209", "check nothing"),
        ("S206", "forbid stnd"),
        ("S515", "forbid crash"),
        ("S515", "forbid stand, flush"),
    ],
)
def test_what_a_model_asks_for_is_there(code: str, line: str) -> None:
    assert codes("", model=MODEL + f"    {line}\n") == [code]


@pytest.mark.parametrize("line", ["forbid stand, restart", "check e", "check e, e"])
def test_what_a_model_may_ask_for(line: str) -> None:
    assert codes("eventually e: true", model=MODEL + f"    {line}\n") == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("S304", "eventually e: current_term"),
        ("S304", "eventually e(s: Server): s.current leads to true"),
        ("S304", "eventually e(s: Server): true leads to s.current"),
        ("S215", "eventually e: current > 0"),
    ],
)
def test_what_leads_to_what_is_a_state_property(code: str, text: str) -> None:
    assert codes(text.replace("current_term", "turn")) == [code]


def test_rules_that_a_script_takes_may_be_forbidden_afterwards() -> None:
    text = LOCK + (
        "scenario first:\n    run:\n        ask(c1)\n        take(c1)\n"
        "model after_that:\n    Client = {c1, c2}\n    start = first\n    forbid take, ask\n"
    )
    asks = evaluator(text, "after_that")
    start, script = start_state(asks)
    assert shown(script) == ["ask c1", "take c1"]
    assert shown(tuple(asks.enabled(start))) == ["give c1"]


def test_a_macro_with_a_forbidden_step_is_left_out() -> None:
    text = LOCK + (
        "macro turn(c: Client):\n    ask(c)\n    take(c)\n"
        "model calm:\n    Client = {c1, c2}\n    forbid take\n"
    )
    assert [macro.name for macro in evaluator(text).system.macros] == ["turn"]
    assert evaluator(text, "calm").system.macros == ()



def test_an_evaluator_takes_a_forbidden_label_that_it_is_given() -> None:
    asks: Evaluator = evaluator(LOCK, "stuck")
    state = asks.initial_states()[0]
    for rule in ("ask", "take", "give"):
        state = asks.successor(state, Label(rule, "c1"))
    assert state == asks.initial_states()[0]
