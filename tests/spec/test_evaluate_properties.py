"""What properties observe: up, disks, pending records, messages, ghosts, steps (language.md, Meaning: Properties)."""

from __future__ import annotations

import pytest

from spec.state import Label
from tests.spec.small import Small, nodes

MEMBERS = """
    durable  d: 0..9 = 0
    volatile x: 0..9 = 0
    action write(n: 1..3):
        d := n
        fsync
        send Note(n=n) to b
    action say:
        send Note(n=9) to b
        send Bell() to b
    on Note m:
        x := m.n
    on Bell m:
        ignore
"""


def observed(expression: str, *steps: str, network: str = "bag") -> bool:
    """Whether the expression is true after these steps."""
    small = nodes(MEMBERS, top=f"message Bell:\ninvariant it: {expression}\n", network=network)
    return small.violated(small.run(*steps)) == []


@pytest.mark.parametrize(
    ("expression", "steps", "expected"),
    [
        ("forall p in Node: up(p)", (), True),
        ("forall p in Node: up(p)", ("crash a 0",), False),
        ("exists p in Node: not up(p) and p.d == 2", ("write a 2", "crash a 1"), True),
        ("forall p in Node: disk(p).d == p.d", (), True),
        ("forall p in Node: disk(p).d == p.d", ("write a 2",), False),
        ("forall p in Node: disk(p).d == p.d", ("write a 2", "flush a"), True),
        ("exists p in Node: len(pending(p)) == 2", ("write a 2", "write a 1"), True),
        ("exists p in Node: len(pending(p)) > 0", (), False),
        ("size(network) == 0", (), True),
        ("size(network) == 2", ("say a", "say a"), True),
        ("exists m in network(Note): m.n == 9", ("say a",), True),
        ("exists m in network(Note): m.n == 9", ("write a 1",), False),
        ("size(network(Bell)) == 1 and size(network(Note)) == 1", ("say a",), True),
        ("exists m in network(Bell): m.source != m.destination", ("say a",), True),
        ("exists m in network(Bell): m.source != m.destination", ("say b",), False),
        ("exists p in Node: size(outbox(p)) == 1", ("write a 1",), True),
        ("exists p in Node, m in outbox(p, Note): m.n == 1 and m.source == p", ("write a 1",), True),
        ("exists p in Node: size(outbox(p)) == 1", ("write a 1", "flush a"), False),
    ],
)
def test_property_observes(expression: str, steps: tuple[str, ...], expected: bool) -> None:
    assert observed(expression, *steps) is expected


def test_fifo_network_is_observed_as_the_set_of_its_messages() -> None:
    assert observed("size(network) == 2", "say a", "say a", network="fifo")


STEPS = """
action invariant grows:      forall p in Node: p.d >= old(p.d)
action invariant only_write: (exists p in Node: p.d != old(p.d)) => label == write
action invariant stays_up:   forall p in Node: old(up(p)) => up(p)
action invariant disk_is_old: forall p in Node: disk(p).d == old(disk(p).d)
action invariant few_sent:   size(network) <= old(size(network)) + 1
"""


def violated_by(small: Small, *steps: str) -> list[str]:
    before = small.run(*steps[:-1])
    label = small.parse(steps[-1])
    return small.evaluator.violated_by_step(before, label, small.evaluator.successor(before, label))


@pytest.mark.parametrize(
    ("steps", "violated"),
    [
        (("write a 2",), []),
        (("write a 2", "write a 1"), ["grows"]),
        (("write a 2", "crash a 0"), ["grows", "only_write", "stays_up"]),
        (("write a 2", "crash a 1"), ["stays_up", "disk_is_old"]),
        (("write a 2", "flush a"), ["disk_is_old"]),
        (("say a",), ["few_sent"]),
    ],
)
def test_action_invariant_sees_the_step_its_label_and_the_state_before(
    steps: tuple[str, ...], violated: list[str]
) -> None:
    assert violated_by(nodes(MEMBERS, top="message Bell:\n" + STEPS), *steps) == violated


GHOSTS = """
    durable  d: 0..9 = 0
    volatile x: 0..9 = 0
    action go:
        x := x + 1
        ghost own := x
        ghost own := own + 10
        d := 5
        ghost disks := disk(self).d
        ghost records := len(pending(self))
        send Note(n=1) to self
        ghost sent := size(network)
        ghost other := maximum({p.x for p in Node - {self}})
    on Note m:
        ghost sent := size(network)
"""
GHOST_TOP = """
ghost own: 0..99 = 0
ghost disks: 0..9 = 9
ghost records: 0..9 = 9
ghost sent: 0..9 = 9
ghost other: 0..9 = 9
"""


def test_a_ghosts_value_reads_its_own_process_as_changed_so_far_and_the_rest_as_it_was() -> None:
    small = nodes(GHOSTS, top=GHOST_TOP)
    state = small.run("go a", "go b")
    assert small.ghosts(state) == {"own": 11, "disks": 0, "records": 0, "sent": 1, "other": 1}


def test_a_ghost_that_reads_all_processes_sees_its_own_as_changed_so_far() -> None:
    members = """
        volatile x: 0..9 = 0
        action go:
            x := x + 1
            ghost total := size({p for p in Node if p.x > 0})
            x := 9
    """
    small = nodes(members, top="ghost total: 0..9 = 9\n")
    assert small.ghosts(small.run("go a")) == {"total": 1}


def test_a_ghost_in_a_handler_still_sees_the_message_in_the_network() -> None:
    small = nodes(GHOSTS, top=GHOST_TOP)
    state = small.run("go a", "Note a a 1")
    assert small.network(state) == {}
    assert small.ghosts(state)["sent"] == 1


def test_ghosts_and_budgets_are_left_out_where_crash_states_are_compared() -> None:
    small = nodes(GHOSTS, top=GHOST_TOP)
    state = small.run("go a", "flush a", "crash b 0", "restart b")
    assert state.ghosts != small.initial.ghosts
    bare = state.without_history()
    assert (bare.ghosts, bare.budgets) == ((), ())
    assert bare == state._replace(ghosts=(), budgets=())


def test_the_label_of_a_step_is_named_without_its_process() -> None:
    small = nodes(MEMBERS, top="message Bell:\naction invariant never: label != say\n")
    after = small.run("say a")
    assert small.evaluator.violated_by_step(small.initial, Label("say", "a"), after) == ["never"]
    assert small.evaluator.violated_by_step(small.initial, Label("write", "a", (1,)), after) == []
