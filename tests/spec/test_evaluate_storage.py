"""Storage: records, fsync, outbox, flush, crash, restart; buffered and atomic (language.md, Meaning: Storage)."""

from __future__ import annotations

from typing import Any

import pytest

from spec.evaluate import EvaluationError, NotEnabled
from spec.state import Label
from tests.spec.small import Small, nodes

WRITER = """
    durable  term: 0..9 = 0
    durable  vote: 0..9 = 0
    volatile role: 0..9 = 7

    action write(n: 1..3):
        term := n
        role := n
    action write_and_promise(n: 1..3):
        term := n
        send Note(n=0) to b
        fsync
        send Note(n=n) to b
    action promise:
        fsync
        send Note(n=9) to b
    action both(n: 1..3):
        term := n
        vote := n
    action two_records(n: 1..3):
        term := n
        record
        vote := n
    action back_and_forth:
        term := term + 1
        term := term - 1
    action via_a_record:
        term := term + 1
        record
        term := term - 1
    action touch:
        role := 1
        record
    on Note m:
        ignore
"""


def writer(**more: Any) -> Small:
    return nodes(WRITER, **more)


# ------------------------------------------------------------------------------------------------ records


def test_initially_the_disk_holds_the_initial_values() -> None:
    small = writer()
    assert (small.disk(small.initial, "a"), small.pending(small.initial, "a")) == ((0, 0), ())


def test_a_durable_write_is_pending_and_not_on_the_disk() -> None:
    small = writer()
    state = small.run("write a 2")
    assert small.memory(state, "a") == {"term": 2, "vote": 0, "role": 2}
    assert (small.disk(state, "a"), small.pending(state, "a")) == ((0, 0), ((2, 0),))


def test_a_record_holds_all_durable_variables_and_pending_is_oldest_first() -> None:
    small = writer()
    state = small.run("both a 1", "write a 3")
    assert small.pending(state, "a") == ((1, 1), (3, 1))


def test_a_volatile_write_is_no_record() -> None:
    assert writer().pending(writer().run("touch a"), "a") == ()


def test_writing_the_value_that_is_there_is_no_record() -> None:
    small = writer()
    assert small.pending(small.run("write a 2", "write a 2"), "a") == ((2, 0),)


def test_a_value_that_is_back_at_the_end_is_no_record() -> None:
    assert writer().pending(writer().run("back_and_forth a"), "a") == ()


def test_back_to_what_the_disk_holds_is_a_record_while_another_is_pending() -> None:
    small = writer()
    state = small.run("write a 1", "flush a", "write a 2", "write a 1")
    assert (small.disk(state, "a"), small.pending(state, "a")) == ((1, 0), ((2, 0), (1, 0)))


def test_record_ends_a_record_within_the_transition() -> None:
    small = writer()
    assert small.pending(small.run("two_records a 2"), "a") == ((2, 0), (2, 2))
    assert small.pending(small.run("via_a_record a"), "a") == ((1, 0), (0, 0))


def test_record_without_a_change_ends_nothing() -> None:
    small = writer()
    assert small.pending(small.run("write a 2", "touch a"), "a") == ((2, 0),)


def test_record_in_a_process_without_storage_does_nothing() -> None:
    small = nodes("""
        volatile x: 0..9 = 0
        action go:
            x := 1
            record
    """)
    state = small.run("go a")
    assert (small.disk(state, "a"), small.pending(state, "a")) == (None, ())


# ------------------------------------------------------------------------------------------- fsync, outbox


def test_sends_after_fsync_wait_for_the_flush_and_those_before_leave() -> None:
    small = writer()
    state = small.run("write_and_promise a 2")
    assert small.network(state) == {("a", "b", 0): 1}
    assert small.outbox(state, "a") == [("b", 2)]


def test_with_nothing_pending_a_send_after_fsync_leaves_at_once() -> None:
    small = writer()
    state = small.run("promise a")
    assert (small.network(state), small.outbox(state, "a")) == ({("a", "b", 9): 1}, [])


def test_fsync_covers_what_earlier_transitions_wrote() -> None:
    small = writer()
    state = small.run("write a 1", "promise a")
    assert (small.network(state), small.outbox(state, "a")) == ({}, [("b", 9)])


def test_fsync_after_a_write_that_changes_nothing_does_not_wait() -> None:
    small = writer()
    state = small.run("write a 2", "flush a", "write_and_promise a 2")
    assert small.network(state) == {("a", "b", 0): 1, ("a", "b", 2): 1}


def test_fsync_of_one_transition_does_not_bind_the_next() -> None:
    small = nodes("""
        durable d: 0..9 = 0
        action first:
            d := 1
            fsync
        action second:
            send Note(n=1) to b
        on Note m:
            ignore
    """)
    assert small.network(small.run("first a", "second a")) == {("a", "b", 1): 1}


def test_fsync_marks_only_the_path_that_runs_it() -> None:
    small = nodes("""
        durable d: 0..9 = 0
        action go(sure: bool):
            d := 1
            if sure:
                fsync
            send Note(n=1) to b
        on Note m:
            ignore
    """)
    assert small.outbox(small.fire(small.initial, "go", "a", True), "a") == [("b", 1)]
    assert small.outbox(small.fire(small.initial, "go", "a", False), "a") == []


def test_a_nonempty_outbox_implies_pending_records() -> None:
    small = nodes(FLUSHER.replace("1..3", "1..2"), model="max_in_flight = 2\nmax_pending = 2\n", elements="b")
    level, seen = [small.initial], {small.initial}
    while level:
        level = [after for state in level for _, after in small.evaluator.transitions(state) if after not in seen]
        level = [state for state in dict.fromkeys(level) if small.memory(state, "b")["flushed"] < 3]
        seen.update(level)
    assert any(state.outbox[0] for state in seen)
    assert all(state.pending[0] for state in seen if state.outbox[0])


# -------------------------------------------------------------------------------------------------- flush


def test_flush_writes_the_newest_record_and_lets_the_outbox_go() -> None:
    small = writer()
    state = small.run("write a 1", "write_and_promise a 2", "flush a")
    assert (small.disk(state, "a"), small.pending(state, "a"), small.outbox(state, "a")) == ((2, 0), (), [])
    assert small.network(state) == {("a", "b", 0): 1, ("a", "b", 2): 1}


def test_flush_is_enabled_only_with_something_pending() -> None:
    small = writer()
    assert "flush a" not in small.enabled(small.initial)
    state = small.run("write a 1")
    assert "flush a" in small.enabled(state)
    assert "flush b" not in small.enabled(state)


def test_flush_keeps_memory() -> None:
    small = writer()
    assert small.memory(small.run("write a 2", "flush a"), "a") == {"term": 2, "vote": 0, "role": 2}


FLUSHER = """
    durable  term: 0..9 = 0
    durable  mark: 0..9 = 0
    volatile flushed: 0..9 = 0

    action write(n: 1..3):
        term := n
    action write_and_promise(n: 1..3):
        term := n
        fsync
        send Note(n=n) to b
    action sync_and_send:
        fsync
        send Note(n=8) to b
    on flush:
        flushed := flushed + 1
        mark := term
        send Note(n=9) to b
    on Note m:
        ignore
"""


def test_on_flush_runs_after_the_flush_and_its_durable_changes_are_pending() -> None:
    small = nodes(FLUSHER)
    state = small.run("write a 2", "flush a")
    assert small.memory(state, "a") == {"term": 2, "mark": 2, "flushed": 1}
    assert (small.disk(state, "a"), small.pending(state, "a")) == ((2, 0), ((2, 2),))


def test_what_on_flush_sends_leaves_at_once_after_the_outbox() -> None:
    small = nodes(FLUSHER, network="fifo")
    state = small.run("write_and_promise a 2", "flush a")
    assert small.channel(state, "a", "b") == [(2,), (9,)]
    assert small.outbox(state, "a") == []


def test_on_flush_without_a_durable_change_leaves_nothing_pending() -> None:
    small = nodes(FLUSHER)
    state = small.run("write a 2", "flush a", "flush a")
    assert small.memory(state, "a")["flushed"] == 2
    assert (small.disk(state, "a"), small.pending(state, "a")) == ((2, 2), ())


def test_a_process_that_never_crashes_still_flushes() -> None:
    small = Small("""
const Client: set
message Note:
    n: 0..9
network bag
process Client never crashes:
    durable d: 0..9 = 0
    action go:
        d := 1
        fsync
        send Note(n=1) to self
    on Note m:
        ignore
model m:
    Client = {c}
    storage = buffered
    max_crashes = 1
""")
    state = small.run("go c")
    assert small.outbox(state, "c") == [("c", 1)]
    assert small.enabled(state) == ["go c", "flush c"]
    assert small.network(small.fire(state, "flush", "c")) == {("c", "c", 1): 1}


# ------------------------------------------------------------------------------------------ crash, restart


@pytest.mark.parametrize(("keep", "survives"), [(0, (0, 0)), (1, (1, 1)), (2, (3, 1))])
def test_crash_keeps_the_first_pending_records(keep: int, survives: tuple[int, int]) -> None:
    small = writer()
    state = small.fire(small.run("both a 1", "write_and_promise a 3"), "crash", "a", keep)
    assert (small.disk(state, "a"), small.pending(state, "a"), small.outbox(state, "a")) == (survives, (), [])
    assert state.up == (False, True)
    assert state.budgets == (1,)


def test_crash_sets_memory_to_the_disk_and_the_initial_volatile_values_at_once() -> None:
    small = writer()
    state = small.run("both a 1", "flush a", "write a 3", "crash a 0")
    assert small.memory(state, "a") == {"term": 1, "vote": 1, "role": 7}


def test_crash_has_one_label_for_each_number_of_records_kept() -> None:
    small = writer()
    state = small.run("two_records a 2")
    labels = [label for label in small.evaluator.enabled(state) if label.rule == "crash"]
    assert labels == [Label("crash", "a", (keep,)) for keep in (0, 1, 2)] + [Label("crash", "b", (0,))]


def test_crash_leaves_the_network_and_the_others_alone() -> None:
    small = writer()
    before = small.run("write_and_promise a 1", "write b 2")
    after = small.fire(before, "crash", "a", 0)
    assert after.network == before.network
    assert small.memory(after, "b") == small.memory(before, "b")
    assert small.pending(after, "b") == ((2, 0),)


def test_a_volatile_initial_value_may_differ_by_process() -> None:
    small = nodes("""
        durable d: 0..9 = 0
        volatile me: set[Node] = {self}
        action go:
            me := {}
    """)
    state = small.run("go a", "go b", "crash b 0")
    assert (small.memory(state, "a")["me"], small.memory(state, "b")["me"]) == (frozenset(), {"b"})


def test_a_down_process_has_no_label_but_restart_and_messages_to_it_wait() -> None:
    small = writer(max_crashes=2)
    state = small.run("write_and_promise b 1", "flush b", "crash b 0")
    assert small.network(state) == {("b", "b", 0): 1, ("b", "b", 1): 1}
    assert [name for name in small.enabled(state) if name.endswith(" b")] == ["restart b"]
    for label in (Label("Note", "b", (), ("Note", "b", "b", 1)), Label("write", "b", (1,)), Label("crash", "b", (0,))):
        with pytest.raises(NotEnabled):
            small.evaluator.successor(state, label)
    back = small.fire(state, "restart", "b")
    assert "Note b" in small.enabled(back)


def test_restart_changes_nothing_but_up() -> None:
    small = writer()
    down = small.run("both a 1", "crash a 1")
    assert small.fire(down, "restart", "a") == down._replace(up=(True, True))


def test_what_a_restart_reads_counts_as_flushed() -> None:
    small = writer()
    state = small.run("write a 1", "crash a 1", "restart a", "promise a")
    assert (small.network(state), small.outbox(state, "a")) == ({("a", "b", 9): 1}, [])


def test_without_durable_variables_a_process_has_no_storage_and_does_not_crash() -> None:
    small = nodes("""
        volatile x: 0..9 = 0
        action go:
            x := 1
            fsync
            send Note(n=1) to b
        on Note m:
            ignore
    """)
    state = small.run("go a")
    assert (small.disk(state, "a"), small.network(state)) == (None, {("a", "b", 1): 1})
    assert small.enabled(state) == ["go a", "go b", "Note b"]


def test_a_process_that_never_crashes_stays_up() -> None:
    small = nodes(WRITER)
    clients = Small(
        """
const Node: set
message Note:
    n: 0..9
network bag
process Node never crashes:
"""
        + WRITER
        + """
model m:
    Node = {a, b}
    storage = buffered
    max_crashes = 1
"""
    )
    assert "crash a" in small.enabled(small.initial)
    assert "crash a" not in clients.enabled(clients.initial)
    with pytest.raises(NotEnabled):
        clients.fire(clients.initial, "crash", "a", 0)


# ------------------------------------------------------------------------------------------------- atomic


def test_atomic_storage_writes_the_disk_in_the_transition_and_nothing_waits() -> None:
    small = writer(storage="atomic")
    state = small.run("write_and_promise a 2")
    assert (small.disk(state, "a"), small.pending(state, "a"), small.outbox(state, "a")) == ((2, 0), (), [])
    assert small.network(state) == {("a", "b", 0): 1, ("a", "b", 2): 1}
    assert "flush a" not in small.enabled(state)


def test_atomic_storage_ignores_record() -> None:
    small = writer(storage="atomic")
    state = small.run("two_records a 2")
    assert (small.disk(state, "a"), small.pending(state, "a")) == ((2, 2), ())


def test_atomic_crash_keeps_the_disk_and_has_no_argument() -> None:
    small = writer(storage="atomic")
    state = small.run("write a 2", "crash a")
    assert (small.disk(state, "a"), small.memory(state, "a")) == ((2, 0), {"term": 2, "vote": 0, "role": 7})
    assert small.memory(small.fire(state, "restart", "a"), "a")["term"] == 2
    with pytest.raises(NotEnabled):
        small.fire(small.initial, "crash", "a", 0)


def test_atomic_on_flush_is_the_last_part_of_a_transition_with_a_durable_change_and_runs_once() -> None:
    small = nodes(FLUSHER, storage="atomic", network="fifo")
    state = small.run("write_and_promise a 2")
    assert small.memory(state, "a") == {"term": 2, "mark": 2, "flushed": 1}
    assert small.disk(state, "a") == (2, 2)
    assert small.channel(state, "a", "b") == [(2,), (9,)]


def test_atomic_on_flush_does_not_run_without_a_durable_change() -> None:
    small = nodes(FLUSHER, storage="atomic")
    state = small.run("write a 2", "write a 2", "sync_and_send a")
    assert small.memory(state, "a")["flushed"] == 1


# ---------------------------------------------------------------------------------- what on flush observes


@pytest.mark.parametrize("storage", ["buffered", "atomic"])
def test_a_ghost_in_on_flush_sees_the_flushed_disk(storage: str) -> None:
    small = nodes(
        """
        durable d: 0..9 = 0
        action go:
            d := 4
            ghost at_write := disk(self).d
        on flush:
            ghost at_flush := disk(self).d
        """,
        top="ghost at_write: 0..9 = 9\nghost at_flush: 0..9 = 9\n",
        storage=storage,
    )
    state = small.run("go a", *(["flush a"] if storage == "buffered" else []))
    assert small.ghosts(state) == {"at_write": 0, "at_flush": 4}


def test_an_error_in_on_flush_is_an_error_of_the_flush() -> None:
    small = nodes("""
        durable d: 0..9 = 0
        volatile x: 0..9 = 0
        action go:
            d := 4
        on flush:
            x := x - 1
    """)
    with pytest.raises(EvaluationError, match=r"x: -1 is outside 0\.\.9"):
        small.fire(small.run("go a"), "flush", "a")
