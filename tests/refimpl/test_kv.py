"""The state machine: operations, and commands that take effect once."""

from __future__ import annotations

from refimpl.entry import Append, ClientId, Command, Delete, Entry, Get, Operation, Put, Serial, Term
from refimpl.faults import Fault
from refimpl.kv import KeyValueStore, Session


def command(serial: int, operation: Operation, client: str = "c1") -> Entry:
    return Entry(Term(1), Command(ClientId(client), Serial(serial), operation))


def test_operations_do_what_their_names_say() -> None:
    store = KeyValueStore()
    assert store.apply(command(1, Get("k"))) is None
    assert store.apply(command(2, Append("k", "a"))) is None
    store.apply(command(3, Append("k", "b")))
    assert store.apply(command(4, Get("k"))) == "ab"
    store.apply(command(5, Put("k", "c")))
    assert store.apply(command(6, Get("k"))) == "c"
    store.apply(command(7, Delete("k")))
    store.apply(command(8, Delete("k")))
    assert store.apply(command(9, Get("k"))) is None
    assert store.values == {}


def test_a_copy_of_a_command_has_no_effect_and_the_response_of_the_first() -> None:
    store = KeyValueStore()
    store.apply(command(1, Append("k", "a")))
    assert store.apply(command(2, Get("k"))) == "a"
    store.apply(command(1, Append("k", "b"), client="c2"))
    assert store.apply(command(2, Get("k"))) == "a"
    assert store.apply(command(1, Append("k", "a"))) is None
    assert store.values == {"k": "ab"}
    assert store.sessions == {"c1": Session(Serial(2), "a"), "c2": Session(Serial(1), None)}


def test_a_no_op_changes_nothing() -> None:
    store = KeyValueStore()
    assert store.apply(Entry(Term(1), None)) is None
    assert (store.values, store.sessions) == ({}, {})


def test_without_deduplication_a_copy_takes_effect_again() -> None:
    store = KeyValueStore(frozenset({Fault.NO_DEDUP}))
    store.apply(command(1, Append("k", "a")))
    store.apply(command(1, Append("k", "a")))
    assert store.values == {"k": "aa"}
