"""The network: bag, fifo and set; loss and duplication (language.md, Meaning: Network)."""

from __future__ import annotations

import pytest

from spec.evaluate import NotEnabled
from tests.spec.small import Small, nodes

TALK = """
    volatile x: 0..9 = 0
    action say(n: 0..8):
        send Note(n=n) to b
    action say_twice(n: 0..8):
        send Note(n=n) to b
        send Note(n=n) to b
        send Note(n=n + 1) to b
    on Note m:
        x := m.n
"""


def talk(network: str, model: str = "", elements: str = "a, b") -> Small:
    return nodes(TALK, network=network, model=model, elements=elements)


# ---------------------------------------------------------------------------------------------------- bag


def test_bag_counts_copies() -> None:
    small = talk("bag")
    state = small.run("say a 1", "say a 1", "say a 2")
    assert small.network(state) == {("a", "b", 1): 2, ("a", "b", 2): 1}


def test_bag_delivers_in_any_order() -> None:
    small = talk("bag")
    state = small.run("say a 1", "say a 2", "Note b a 2", "Note b a 1")
    assert (small.memory(state, "b"), small.network(state)) == ({"x": 1}, {})


def test_the_order_of_sends_does_not_matter_to_a_bag() -> None:
    small = talk("bag")
    assert small.run("say a 1", "say a 2") == small.run("say a 2", "say a 1")


# --------------------------------------------------------------------------------------------------- fifo


def test_fifo_delivers_only_the_head_of_each_pair() -> None:
    small = talk("fifo")
    state = small.run("say a 2", "say a 1", "say b 3")
    assert small.channel(state, "a", "b") == [(2,), (1,)]
    assert small.channel(state, "b", "b") == [(3,)]
    heads = [label.message for label in small.evaluator.enabled(state) if label.message]
    assert heads == [("Note", "a", "b", 2), ("Note", "b", "b", 3)]
    with pytest.raises(NotEnabled):
        small.fire(state, "Note", "b", source="a", n=1)


def test_fifo_delivery_moves_the_rest_of_its_pair_up() -> None:
    small = talk("fifo")
    state = small.run("say_twice a 1", "say_twice b 5", "Note b a 1")
    assert small.channel(state, "a", "b") == [(1,), (2,)]
    assert small.channel(state, "b", "b") == [(5,), (5,), (6,)]
    state = small.fire(small.fire(state, "Note", "b", source="a", n=1), "Note", "b", source="a", n=2)
    assert small.channel(state, "a", "b") == []


def test_fifo_head_that_is_required_away_blocks_its_pair() -> None:
    small = nodes(TALK.replace("x := m.n", "require m.n == x\n        x := m.n"), network="fifo")
    state = small.run("say a 3", "say a 0")
    assert "Note b" not in small.enabled(state)


def test_fifo_keeps_the_order_of_sends_before_and_after_an_fsync_that_waits_for_nothing() -> None:
    small = nodes(
        """
        durable d: 0..9 = 0
        action go:
            send Note(n=1) to b
            fsync
            send Note(n=2) to b
        on Note m:
            ignore
        """,
        network="fifo",
    )
    assert small.channel(small.run("go a"), "a", "b") == [(1,), (2,)]


def test_fifo_order_is_across_message_types() -> None:
    small = nodes(
        """
        volatile x: 0..9 = 0
        action go:
            send Note(n=1) to b
            send Another() to b
        on Note m:
            x := 1
        on Another m:
            x := 2
        """,
        top="message Another:\n",
        network="fifo",
    )
    assert [name for name in small.enabled(small.run("go a")) if name.endswith(" b")] == ["go b", "Note b"]


def test_fifo_kept_head_stays_the_head() -> None:
    small = nodes(TALK.replace("x := m.n", "x := m.n\n        send Note(n=7) to b\n        keep m"), network="fifo")
    state = small.run("say b 3", "Note b b 3")
    assert small.channel(state, "b", "b") == [(3,), (7,)]


def test_fifo_drop_and_duplicate_take_the_head_and_the_copy_is_next() -> None:
    small = talk("fifo with loss, duplication")
    state = small.run("say a 1", "say a 2")
    assert small.channel(small.fire(state, "drop", to="b", source="a", n=1), "a", "b") == [(2,)]
    assert small.channel(small.fire(state, "duplicate", to="b", source="a", n=1), "a", "b") == [(1,), (1,), (2,)]
    for rule in ("drop", "duplicate"):
        with pytest.raises(NotEnabled):
            small.fire(state, rule, to="b", source="a", n=2)


# ---------------------------------------------------------------------------------------------------- set


def test_in_a_set_delivery_never_removes_and_a_second_send_changes_nothing() -> None:
    small = talk("set")
    state = small.run("say a 1", "Note b a 1", "Note b a 1")
    assert (small.memory(state, "b"), small.network(state)) == ({"x": 1}, {("a", "b", 1): 1})
    assert small.fire(state, "say", "a", 1) == state


# ------------------------------------------------------------------------------------- loss and duplication


def test_drop_removes_one_copy() -> None:
    small = talk("bag with loss")
    state = small.run("say a 1", "say a 1", "drop b a 1")
    assert small.network(state) == {("a", "b", 1): 1}
    assert small.network(small.fire(state, "drop", to="b", source="a", n=1)) == {}


def test_duplicate_adds_one_copy() -> None:
    small = talk("bag with duplication")
    assert small.network(small.run("say a 1", "duplicate b a 1", "duplicate b a 1")) == {("a", "b", 1): 3}


@pytest.mark.parametrize(("network", "rule"), [("bag with loss", "duplicate"), ("bag with duplication", "drop")])
def test_what_is_not_declared_is_not_enabled(network: str, rule: str) -> None:
    small = talk(network)
    state = small.run("say a 1")
    assert rule not in small.enabled(state)
    with pytest.raises(NotEnabled):
        small.fire(state, rule, to="b", source="a", n=1)


def test_two_copies_are_one_label_to_drop_and_to_duplicate() -> None:
    small = talk("bag with loss, duplication")
    enabled = small.enabled(small.run("say a 1", "say a 1"))
    assert (enabled.count("drop"), enabled.count("duplicate")) == (1, 1)


def test_what_waits_in_an_outbox_can_be_neither_delivered_nor_lost() -> None:
    small = nodes(
        """
        durable d: 0..9 = 0
        action go:
            d := 1
            fsync
            send Note(n=1) to b
        on Note m:
            ignore
        """,
        network="bag with loss, duplication",
    )
    state = small.run("go a")
    assert small.outbox(state, "a") == [("b", 1)]
    assert not {"Note b", "drop", "duplicate"} & set(small.enabled(state))


PROMISES = """
    durable d: 0..9 = 0
    action promise(n: 1..8):
        d := 9
        fsync
        send Note(n=n) to b
    action broadcast(n: 1..8):
        d := 9
        fsync
        for p in Node:
            send Note(n=n) to p
    on Note m:
        ignore
"""


@pytest.mark.parametrize("network", ["bag", "set"])
def test_the_order_of_waiting_messages_does_not_matter_to_a_bag_or_a_set(network: str) -> None:
    small = nodes(PROMISES, network=network)
    assert small.run("promise a 2", "promise a 1") == small.run("promise a 1", "promise a 2")


def test_waiting_messages_of_one_channel_keep_their_order_and_those_of_two_have_none() -> None:
    small = nodes(PROMISES, network="fifo", elements="b, a")
    state = small.run("broadcast a 2", "promise a 1")
    assert small.outbox(state, "a") == [("a", 2), ("b", 2), ("b", 1)]
    assert small.run("promise a 1", "broadcast a 2") != state
    flushed = small.fire(state, "flush", "a")
    assert (small.channel(flushed, "a", "b"), small.channel(flushed, "a", "a")) == ([(2,), (1,)], [(2,)])
