"""Transitions: their order, their atomicity, their labels (language.md, Meaning: Transition, Atomicity)."""

from __future__ import annotations

import pytest

from spec.evaluate import NotEnabled
from spec.state import Label
from tests.spec.small import MODELS, Small, nodes


def test_assignments_take_effect_in_order() -> None:
    small = nodes("""
        volatile x: 0..9 = 1
        volatile y: 0..9 = 5
        action go:
            x := x + 1
            y := x
            x := y + 1
    """)
    assert small.memory(small.run("go a"), "a") == {"x": 3, "y": 2}


def test_only_the_acting_process_changes() -> None:
    small = nodes("""
        volatile x: 0..9 = 1
        action go:
            x := 4
    """)
    state = small.run("go b")
    assert (small.memory(state, "a"), small.memory(state, "b")) == ({"x": 1}, {"x": 4})


def test_false_require_after_an_assignment_undoes_the_whole_transition() -> None:
    small = nodes("""
        volatile x: 0..9 = 0
        action go:
            x := x + 1
            send Note(n=x) to self
            require x < 2
        on Note m:
            x := m.n
    """)
    once = small.run("go a")
    assert small.memory(once, "a") == {"x": 1}
    with pytest.raises(NotEnabled):
        small.fire(once, "go", "a")
    assert small.enabled(once) == ["go b", "Note a"]


def test_require_in_a_branch_that_is_not_taken_does_not_count() -> None:
    small = nodes("""
        volatile x: 0..9 = 0
        action go:
            if x == 1:
                require false
            elif x == 2:
                x := 7
            else:
                x := 1
    """)
    once = small.run("go a")
    assert small.memory(once, "a") == {"x": 1}
    assert small.enabled(once) == ["go b"]


def test_let_is_evaluated_once_where_it_stands() -> None:
    small = nodes("""
        volatile x: 0..9 = 1
        volatile y: 0..9 = 0
        action go:
            let before = x
            x := 5
            y := before
    """)
    assert small.memory(small.run("go a"), "a") == {"x": 5, "y": 1}


def test_for_goes_over_the_set_as_it_was_in_the_order_of_its_type() -> None:
    small = nodes("""
        volatile left: set[0..5] = {4, 0, 2}
        volatile seen: seq[0..5, 6] = []
        action go:
            for i in left:
                left := left + {i + 1}
                seen := append(seen, i)
    """)
    assert small.memory(small.run("go a"), "a") == {"left": frozenset(range(6)), "seen": (0, 2, 4)}


def test_for_over_processes_follows_the_models_order() -> None:
    small = nodes(
        """
        volatile seen: seq[Node, 3] = []
        action go:
            for p in Node - {self}:
                seen := append(seen, p)
        """,
        elements="z, a, m",
    )
    assert small.memory(small.run("go a"), "a") == {"seen": ("z", "m")}


def test_an_enum_in_a_loop_follows_its_declaration() -> None:
    small = nodes(
        """
        volatile seen: seq[Light, 3] = []
        action go:
            for light in {Amber, Red, Green}:
                seen := append(seen, light)
        action go_through_all:
            for light in Light:
                seen := append(seen, light)
        """,
        top="enum Light = Red | Green | Amber\n",
    )
    assert small.memory(small.run("go a"), "a") == {"seen": ("Red", "Green", "Amber")}
    assert small.memory(small.run("go_through_all a"), "a") == {"seen": ("Red", "Green", "Amber")}


def test_parameters_are_chosen_from_the_whole_of_their_type() -> None:
    small = nodes("""
        volatile x: 0..9 = 0
        action set_to(n: 1..2, on: bool):
            x := if on then n else 0
    """)
    labels = [label for label in small.evaluator.enabled(small.initial) if label.process == "a"]
    assert [label.arguments for label in labels] == [(1, False), (1, True), (2, False), (2, True)]
    assert small.memory(small.fire(small.initial, "set_to", "a", 2, True), "a") == {"x": 2}


def test_indexed_assignment_changes_one_place() -> None:
    small = nodes(
        """
        volatile votes: map[Node, 0..9] = {p: 0 for p in Node}
        volatile log: seq[Entry, 3] = [Entry(term=1, on=false), Entry(term=2, on=false)]
        action go:
            votes[self] := 3
            log[2].on := true
        """,
        top="record Entry:\n    term: 0..9\n    on: bool\n",
    )
    assert small.memory(small.run("go b"), "b") == {"votes": (0, 3), "log": ((1, False), (2, True))}


def test_a_proc_is_its_statements_in_place() -> None:
    small = nodes("""
        volatile x: 0..9 = 3
        proc raise_to(n: 0..9):
            if n > x:
                x := n
        action go:
            raise_to(2)
            raise_to(x + 4)
    """)
    assert small.memory(small.run("go a"), "a") == {"x": 7}


def test_event_is_announced_and_is_not_in_the_state() -> None:
    small = nodes("""
        volatile x: 0..9 = 3
        action go:
            event began(x)
            x := x + 1
            event ended(x, self)
            x := 3
    """)
    after, events = small.evaluator.step(small.initial, Label("go", "a"))
    assert events == (("began", (3,)), ("ended", (4, "a")))
    assert after == small.initial


HANDLER = """
    volatile x: 0..9 = 0
    action tell(n: 0..9):
        send Note(n=n) to self
    on Note m:
"""


def test_delivery_consumes_the_message() -> None:
    small = nodes(HANDLER + "        x := m.n\n")
    state = small.run("tell a 4", "Note a a 4")
    assert small.memory(state, "a") == {"x": 4}
    assert state.network == frozenset()


def test_message_whose_handler_requires_in_vain_stays() -> None:
    small = nodes(HANDLER + "        require m.n > x\n        x := m.n\n", network="bag with loss")
    state = small.run("tell a 4", "tell a 3", "Note a a 4")
    assert small.network(state) == {("a", "a", 3): 1}
    with pytest.raises(NotEnabled):
        small.fire(state, "Note", "a", source="a", n=3)
    assert "drop" in small.enabled(state)


def test_ignore_consumes_the_message_and_ends_the_path() -> None:
    small = nodes(HANDLER + "        if m.n < 3:\n            ignore\n        x := m.n\n")
    state = small.run("tell a 2", "tell a 4", "Note a a 2")
    assert (small.memory(state, "a"), small.network(state)) == ({"x": 0}, {("a", "a", 4): 1})
    assert small.memory(small.fire(state, "Note", "a", source="a", n=4), "a") == {"x": 4}


def test_keep_leaves_the_message_on_the_path_that_runs_it() -> None:
    small = nodes(HANDLER + "        if x == 0:\n            keep m\n        x := x + 1\n")
    state = small.run("tell a 2", "Note a a 2")
    assert (small.memory(state, "a"), small.network(state)) == ({"x": 1}, {("a", "a", 2): 1})
    state = small.fire(state, "Note", "a", source="a", n=2)
    assert (small.memory(state, "a"), small.network(state)) == ({"x": 2}, {})


def test_two_identical_copies_are_one_label() -> None:
    small = nodes(HANDLER + "        x := m.n\n")
    state = small.run("tell a 2", "tell a 2")
    assert small.network(state) == {("a", "a", 2): 2}
    assert small.enabled(state).count("Note a") == 1
    assert small.network(small.fire(state, "Note", "a", source="a", n=2)) == {("a", "a", 2): 1}


def test_reply_goes_to_the_source() -> None:
    small = nodes("""
        action ask:
            send Note(n=1) to b
        on Note m:
            if m.n == 1:
                reply Note(n=2)
    """)
    state = small.run("ask a", "Note b a 1")
    assert small.network(state) == {("b", "a", 2): 1}


def test_several_handlers_of_a_message_are_separate_labels() -> None:
    first = HANDLER.replace("on Note m:", "on Note m as first:") + "        x := 1\n"
    small = nodes(first + "    on Note m as second:\n        x := 2\n")
    state = small.run("tell a 0")
    assert [name for name in small.enabled(state) if not name.startswith(("tell", "crash"))] == ["first a", "second a"]
    assert small.memory(small.fire(state, "second", "a", source="a", n=0), "a") == {"x": 2}


def test_on_any_receives_every_message_type() -> None:
    small = nodes(
        """
        volatile x: 0..9 = 0
        action tell:
            send Note(n=1) to b
            send Other() to b
        on Note m:
            x := 5
        on Other m:
            x := 6
        on any m as look:
            x := x + 1
        """,
        top="message Other:\n",
    )
    state = small.run("tell a")
    looks = [label for label in small.evaluator.enabled(state) if label.rule == "look"]
    assert [label.message and label.message[0] for label in looks] == ["Note", "Other"]
    for label in looks:
        after = small.evaluator.successor(state, label)
        assert small.memory(after, "b") == {"x": 1}
        assert {message for message, _ in state.network} - {message for message, _ in after.network} == {label.message}


def test_shared_variables_change_outside_any_process() -> None:
    small = Small((MODELS / "diehard.spec").read_text(encoding="utf-8"), "puzzle")
    state = small.run("fill_big", "big_to_small", "empty_small", "big_to_small", "fill_big", "big_to_small")
    assert small.shared(state) == {"small": 3, "big": 4}


def test_a_process_reads_and_writes_shared_variables() -> None:
    small = nodes(
        """
        volatile x: 0..9 = 0
        action go:
            total := total + 1
            x := total
        """,
        top="shared total: 0..9 = 0\n",
    )
    state = small.run("go a", "go b")
    assert (small.shared(state), small.memory(state, "b")) == ({"total": 2}, {"x": 2})


def test_state_and_label_determine_the_next_state() -> None:
    small = nodes(HANDLER + "        x := m.n\n", network="bag with loss, duplication")
    state = small.run("tell a 2", "tell b 3")
    for label, after in small.evaluator.transitions(state):
        assert small.evaluator.successor(state, label) == after


@pytest.mark.parametrize(
    "label",
    [
        Label("nobody", "a"),
        Label("tell", "a"),
        Label("tell", "a", (10,)),
        Label("tell", "a", (1, 2)),
        Label("tell", None, (1,)),
        Label("tell", "c", (1,)),
        Label("tell", "a", (1,), ("Note", "a", "a", 2)),
        Label("Note", "a"),
        Label("Note", "b", (), ("Note", "a", "a", 2)),
        Label("Note", "a", (), ("Note", "a", "a", 3)),
        Label("Note", "a", (1,), ("Note", "a", "a", 2)),
        Label("crash", "a"),
        Label("crash", "a", (1,)),
        Label("crash", "c", (0,)),
        Label("flush", "a"),
        Label("flush", "a", (0,)),
        Label("restart", "a"),
        Label("drop", None, (), ("Note", "a", "a", 2)),
        Label("drop", "a"),
        Label("duplicate"),
    ],
)
def test_a_label_that_the_state_does_not_have_is_not_enabled(label: Label) -> None:
    small = nodes(HANDLER + "        x := m.n\n" + "    durable d: 0..1 = 0\n")
    with pytest.raises(NotEnabled):
        small.evaluator.successor(small.run("tell a 2"), label)
