"""Macros: what is checked of their text, and what a label of the macro grain does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.explore import explore
from spec.grains import alone, coarsened, micro_labels, step_names
from spec.state import Label, State
from spec.system import Grain, Literal, Local, System
from tests.checker.macro_systems import kitchen_at_macro_grain, raft_at_macro_grain
from tests.spec.semantic import codes
from tests.spec.small import Small, nodes
from tests.spec.walks import walk

# -------------------------------------------------------------------------------------------------- the text


def macro(*steps: str, parameters: str = "(a: Server, b: Server)") -> str:
    return "\n".join((f"macro m{parameters}:", *(f"    {step}" for step in steps)))


def test_a_well_formed_macro_has_no_faults() -> None:
    assert codes(macro("stand(a, peer=b)", "ask(b, source=a, term=0)", "try flush(b)", "answer(a, source=b)")) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (macro("stand(a, peer=b)", "asks(b)"), "S206"),
        (macro("stand(a, peer=b)", "deliver(b)"), "S206"),
        (macro("stand(a, peers=b)"), "S306"),
        (macro("stand(a, peer=b)", "drop(Question)"), "S210"),
        (macro("stand(a, peer=c)"), "S201"),
        (macro("stand(a, peer=b)", "ask(b, term=current)"), "S215"),
        (macro("stand(a, peer=b)", "ask(b, term=true)"), "S301"),
        (macro("stand(a, peer=b)", "ask(b, term=t)", parameters="(a: Server, b: Server, t: Role)"), "S301"),
        (macro("stand(a, peer=b)", "ask(b, term=turn)"), "S313"),
        (macro("stand(a, peer=b)", "ask(b, term=3)"), "S314"),
        (macro("stand(a)"), "S417"),
        (macro("try flush(a)", "stand(a, peer=b)"), "S416"),
        (macro("stand(a)", "try flush(b)", "ask(b)"), "S416"),
        (macro("stand(a, peer=b)", "try flush"), "S416"),
        (macro("stand(a, peer=b)", "try ask(b)"), "S416"),
        (macro("stand(a, peer=b)", parameters="(a: Server, a: Server, b: Server)"), "S202"),
        (macro("stand(a, peer=b)", parameters="(a: int, b: Server)"), "S310"),
        (macro("stand(a, peer=b)").replace("macro m", "macro stand"), "S202"),
        (macro("stand(a, peer=b)").replace("macro m", "macro flush"), "S212"),
        ("macro m:", "S115"),
        (macro("stand when true", parameters=""), "S101"),
    ],
)
def test_a_macro_that_says_something_impossible(text: str, code: str) -> None:
    assert code in codes(text)


def test_a_symmetric_element_is_not_named_in_a_macro() -> None:
    assert codes(macro("stand(s1)", parameters="")) != []


# ---------------------------------------------------------------------------------------------------- meaning

MEMBERS = """
durable  n: 0..3 = 0
volatile heard: 0..9 = 0

action tell(other: Node):
    require other != self and n < 3
    n := n + 1
    send Note(n=n) to other

action rest:
    heard := 0

on Note m as note:
    require m.n != heard
    heard := m.n
"""
MACROS = """
macro call(from_: Node, to_: Node):
    tell(from_, other=to_)
    try flush(from_)
    note(to_, source=from_)

macro call_and_fall(from_: Node):
    tell(from_)
    crash(from_, keep=0)
    restart(from_)
"""


def small(macros: str = MACROS, *, top: str = "", **options: str) -> Small:
    """At the macro grain; scripts are still run in micro labels."""
    found = nodes(MEMBERS, top=macros + top, **options)  # type: ignore[arg-type]
    found.system = coarsened(found.system)
    found.evaluator = Evaluator(found.system)
    return found


def names(evaluator: Evaluator, state: State) -> list[str]:
    return [label.rule for label, _ in evaluator.transitions(state)]


def test_a_macro_is_its_labels_one_after_the_other() -> None:
    s = small()
    taken = {label: after for label, after in s.evaluator.transitions(s.initial) if label.rule == "call"}
    labels = tuple(map(s.parse, ("tell a b", "flush a", "note b a 1")))
    assert set(taken) == {Label("call", None, labels), Label("call", None, tuple(map(mirrored, labels)))}
    assert taken[Label("call", None, labels)] == s.run("tell a b", "flush a", "note b a 1")
    assert micro_labels(s.system, (Label("call", None, labels), Label("rest", "a"))) == (*labels, Label("rest", "a"))


def mirrored(label: Label) -> Label:
    """The same with a and b exchanged."""
    other = {"a": "b", "b": "a"}
    message = None if label.message is None else tuple(other.get(part, part) for part in label.message)
    return Label(label.rule, other[label.process or ""], tuple(other[a] for a in label.arguments), message)


def test_what_no_macro_has_as_a_step_stays_a_label() -> None:
    s = small()
    assert alone(s.system) == ("rest", "drop", "duplicate")
    assert step_names(s.system) == ("call", "call_and_fall", "rest")
    assert names(s.evaluator, s.initial) == ["call", "call", "call_and_fall", "call_and_fall", "rest", "rest"]


def test_a_parameter_is_what_its_first_step_says() -> None:
    """A message of someone else is not the one that the macro delivers."""
    s = small(elements="a, b, c")
    state = s.run("tell c b", "flush c")
    calls = [label.arguments for label, _ in s.evaluator.transitions(state) if label.rule == "call"]
    assert calls
    assert all(note.message is not None and note.message[1] == tell.process for tell, *_, note in calls)
    assert all(tell.arguments == (note.process,) for tell, *_, note in calls)


def test_a_flush_that_is_tried_is_left_out_only_where_nothing_is_pending() -> None:
    s = small("macro note_it(to_: Node, from_: Node):\n    note(to_, source=from_)\n    try flush(from_)\n")
    state = s.run("tell a b")
    (label,) = [label for label, _ in s.evaluator.transitions(state) if label.rule == "note_it"]
    assert [step.rule for step in label.arguments] == ["note", "flush"]
    (label,) = [label for label, _ in s.evaluator.transitions(s.run("tell a b", "flush a")) if label.rule == "note_it"]
    assert [step.rule for step in label.arguments] == ["note"]
    assert s.evaluator.successor(s.run("tell a b", "flush a"), label) == s.run("tell a b", "flush a", "note b a 1")
    with pytest.raises(NotEnabled):  # it may not be left out here
        s.evaluator.successor(state, label)


@pytest.mark.parametrize("storage", ["atomic", "buffered"])
def test_macros_work_with_either_storage(storage: str) -> None:
    s = small(storage=storage)
    lengths = {len(label.arguments) for label, _ in s.evaluator.transitions(s.initial) if label.rule == "call"}
    assert lengths == ({2} if storage == "atomic" else {3})


def test_a_label_that_is_not_the_macros_is_not_enabled() -> None:
    s = small()
    tell, flush, note = map(s.parse, ("tell a b", "flush a", "note b a 1"))
    for wrong in [(), (tell, flush), (tell, note), (flush, tell, note), (tell, flush, note, Label("rest", "a"))]:
        with pytest.raises(NotEnabled):
            s.evaluator.successor(s.initial, Label("call", None, wrong))


def test_a_step_that_is_not_enabled_undoes_the_macro() -> None:
    s = small()
    state = s.run("tell a b", "flush a", "note b a 1", "tell b a", "flush b", "note a b 1")
    assert s.evaluator.transitions(state)
    state = s.evaluator.successor(state, s.parse("crash a 0"))
    assert "call_and_fall" not in names(s.evaluator, state), "the crash budget is spent, by a micro label"


def test_a_bound_cuts_inside_a_macro_under_the_rule_that_it_cuts() -> None:
    s = small(model="max_in_flight = 0")
    assert names(s.evaluator, s.initial) == ["rest", "rest"]
    assert s.evaluator.tally.cuts == {"tell: max_in_flight = 0": 4}


def test_an_evaluation_error_names_the_macro_up_to_the_label_that_fails() -> None:
    failing = MEMBERS.replace("heard := m.n", "heard := m.n - 2")
    found = nodes(failing, top=MACROS)
    evaluator = Evaluator(coarsened(found.system))
    with pytest.raises(EvaluationError) as error:
        evaluator.transitions(found.initial)
    (label,) = error.value.labels
    assert label.rule == "call"
    assert [step.rule for step in label.arguments] == ["tell", "flush", "note"]
    with pytest.raises(EvaluationError):
        evaluator.successor(found.initial, label)


def test_action_invariants_are_of_each_label_and_invariants_of_the_end() -> None:
    top = """
action invariant slowly: forall p in Node: p.n <= old(p.n) + 1
action invariant kept: forall p in Node: p.n >= old(p.n)
invariant saved: forall p in Node: len(pending(p)) == 0
macro twice(from_: Node, to_: Node):
    tell(from_, other=to_)
    tell(from_, other=to_)
    flush(from_)
"""
    s = small(top=top)
    twice = next((label, after) for label, after in s.evaluator.transitions(s.initial) if label.rule == "twice")
    assert s.evaluator.violated_by_step(s.initial, *twice) == [], "each label is slow"
    assert s.evaluator.violated(twice[1]) == []
    falls = next((label, after) for label, after in s.evaluator.transitions(s.initial) if label.rule == "call_and_fall")
    assert s.evaluator.violated_by_step(s.initial, *falls) == ["kept"], "seen though the end is the beginning"
    found = explore(s.evaluator)
    assert found.violation is not None
    assert found.violation.property == "kept"


def test_the_macro_grain_changes_nothing_of_the_system_but_its_grain() -> None:
    system = kitchen_at_macro_grain()
    assert replace(system, grain=Grain.MICRO) == replace(coarsened(system), grain=Grain.MICRO)
    assert alone(replace(system, grain=Grain.MICRO))[0] == system.rules[0].name


def test_arguments_are_parameters_or_constants() -> None:
    (macro_,) = [m for m in kitchen_at_macro_grain().macros if m.name == "lost_put"]
    assert [name for name, _ in macro_.steps[0].arguments] == ["message", "hops"]
    assert all(isinstance(value, Literal) for _, value in macro_.steps[0].arguments)
    (macro_,) = [m for m in kitchen_at_macro_grain().macros if m.name == "serve"]
    assert isinstance(macro_.steps[0].process, Local)


# ------------------------------------------------------------------------------- its runs are micro runs


@pytest.mark.parametrize("network", ["bag with loss, duplication", "fifo with loss, duplication", "set"])
def test_every_macro_successor_is_reached_by_its_labels(network: str) -> None:
    seen = replayed(kitchen_at_macro_grain(network, bounds="max_in_flight = 3, max_crashes = 2"), range(8), 15)
    assert len(seen) > 4


def test_every_macro_successor_of_raft_is_reached_by_its_labels() -> None:
    assert len(replayed(raft_at_macro_grain("three"), range(4), 15)) > 6


def replayed(system: System, seeds: range, length: int) -> set[str]:
    """Takes every macro from the states of random runs, and again label by label in the micro system; the macros."""
    coarse, micro = Evaluator(system), Evaluator(replace(system, grain=Grain.MICRO))
    seen = set()
    for seed in seeds:
        for state in walk(coarse, seed, length)[:-1]:
            for label, after in coarse.transitions(state):
                here = state
                for single in micro_labels(system, (label,)):
                    here = micro.successor(here, single)
                assert here == after
                assert coarse.successor(state, label) == after
                seen.add(label.rule)
    return seen


def test_a_cut_inside_a_macro_is_a_cut_of_its_label() -> None:
    s = small(model="max_in_flight = 0")
    with pytest.raises(Cut):
        s.evaluator.successor(s.initial, Label("call", None, (s.parse("tell a b"),)))
