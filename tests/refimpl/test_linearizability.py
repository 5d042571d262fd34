"""Verdicts on histories that are known to be linearizable, and on histories that are known not to be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refimpl.entry import ClientId, Command, Delete, Entry, Get, Serial, Term
from refimpl.failing_window import SHORT, failing_window, last_calls
from refimpl.history import Call, by_key
from refimpl.kv import KeyValueStore
from refimpl.linearizability import Limit, Linearizable, NotLinearizable, Unknown, linearize
from refimpl.sequential import Unseen
from tests.refimpl.histories import (
    call,
    linearizable_by_construction,
    linearizable_by_trying_all_orders,
    porcupine,
    respected,
)

LINEARIZABLE = {
    "nothing happened": [],
    "a get while a put is under way sees it, a shorter one inside it does not (MIT 6.824, quiz 2 of 2017)": [
        call("put 100", 0, 100), call("get", 25, 75, "100"), call("get", 30, 60),
    ],
    "writes at the same time take effect in either order (Herlihy and Wing 1990, §1)": [
        call("put a", 0, 10), call("put b", 0, 10), call("get", 11, 12, "a"),
    ],
    "and in the other": [call("put a", 0, 10), call("put b", 0, 10), call("get", 11, 12, "b")],
    "what touches is at the same time": [call("put a", 0, 10), call("get", 10, 20)],
    "a put without an answer takes effect after later calls": [
        call("put a", 0, None), call("get", 5, 6), call("put b", 7, 8), call("get", 9, 10, "b"),
        call("get", 11, 12, "a"),
    ],
    "a put without an answer never takes effect": [call("put a", 0, None), call("get", 5, 6), call("get", 7, 8)],
    "a delete without an answer": [call("put a", 0, 1), call("delete", 2, None), call("get", 3, 4)],
    "appends at the same time, in the order that the gets saw": [
        call("append a", 0, 9), call("append b", 0, 9), call("append c", 0, 9), call("get", 3, 8, "bc"),
        call("get", 10, 11, "bca"),
    ],
    "an append is overwritten before anybody sees it": [
        call("append a", 0, 1), call("append b", 2, 9), call("put c", 3, 9), call("get", 10, 11, "c"),
    ],
}  # fmt: skip
NOT_LINEARIZABLE = {
    "a get that began after another saw the new value sees the old one (MIT 6.824, quiz 2 of 2017)": [
        call("put 200", 0, 100), call("get", 10, 30, "200"), call("get", 40, 90),
    ],
    "an answered write is lost": [call("put a", 0, 1), call("get", 2, 3)],
    "a stale read": [call("put a", 0, 1), call("put b", 2, 3), call("get", 4, 5, "a")],
    "two gets disagree on the order of two writes (Herlihy and Wing 1990, §1)": [
        call("put a", 0, 10), call("put b", 0, 10), call("get", 11, 12, "a"), call("get", 13, 14, "b"),
        call("get", 15, 16, "a"),
    ],
    "an append took effect twice": [call("append a", 0, 1), call("get", 2, 3, "aa")],
    "an append without an answer took effect twice": [call("append a", 0, None), call("get", 2, 3, "aa")],
    "a value that nobody wrote": [call("put a", 0, 1), call("get", 2, 3, "b")],
    "a get from the future": [call("get", 0, 1, "a"), call("put a", 2, 3)],
    "a deleted key returns": [call("put a", 0, 1), call("delete", 2, 3), call("get", 4, 5, "a")],
    "a put without an answer took effect, was overwritten, and is back": [
        call("put a", 0, None), call("get", 1, 2, "a"), call("put b", 3, 4), call("get", 5, 6, "a"),
    ],
    "an append from before the put is behind it": [
        call("append a", 0, 1), call("put b", 2, 3), call("get", 4, 5, "ba"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_a_history_known_to_be_linearizable_is(name: str) -> None:
    verdict = linearize(LINEARIZABLE[name])
    assert isinstance(verdict, Linearizable)
    assert respected(verdict.order, LINEARIZABLE[name])


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_a_history_known_not_to_be_linearizable_is_not(name: str) -> None:
    assert isinstance(linearize(NOT_LINEARIZABLE[name]), NotLinearizable)


@pytest.mark.parametrize("clients", ["c01", "c10", "c50"])
@pytest.mark.parametrize("ok", [True, False], ids=["ok", "bad"])
def test_the_verdicts_on_porcupines_recorded_histories_are_its_own(clients: str, ok: bool) -> None:
    calls = by_key(porcupine(f"{clients}-{'ok' if ok else 'bad'}")).values()
    assert sum(len(each) for each in calls) > 35
    assert all(isinstance(linearize(each), Linearizable) for each in calls) == ok
    assert not any(isinstance(linearize(each), Unknown) for each in calls)


@pytest.mark.parametrize("seed", range(2))
def test_thousands_of_calls_by_a_dozen_clients_at_once_are_decided_both_ways(seed: int) -> None:
    history = linearizable_by_construction(Random(seed), 1500, kinds="a" * 10 + "g" * 10 + "p")
    verdict = linearize(history)
    assert isinstance(verdict, Linearizable)
    assert respected(verdict.order, history)
    broken, stale = with_a_stale_get(history)
    assert isinstance(linearize(broken), NotLinearizable)
    window = failing_window(broken)
    assert stale in window.calls
    assert len(window.calls) < 60


def with_a_stale_get(history: list[Call]) -> tuple[list[Call], Call]:
    """The history with the response of one Get replaced by what another had returned long before it was invoked."""
    gets = [each for each in history if isinstance(each.operation, Get) and each.response and each.returned is not None]
    late = gets[len(gets) * 2 // 3]
    early = next(each for each in reversed(gets[: len(gets) // 2]) if each.response != late.response)
    stale = Call(late.client, late.operation, late.invoked, late.returned, early.response)
    return [stale if each is late else each for each in history], stale


TEXTS = ("put a", "put b", "append a", "append b", "append ab", "delete", "get", "get", "get")


@st.composite
def small_histories(draw: st.DrawFn) -> list[Call]:
    """Up to six calls with few values and any responses: about as many that are linearizable as that are not."""
    history = []
    for _ in range(draw(st.integers(1, 6))):
        text = draw(st.sampled_from(TEXTS))
        invoked = draw(st.integers(0, 12))
        returned = draw(st.one_of(st.none(), st.integers(invoked, invoked + 5), st.integers(invoked, invoked + 1)))
        response = draw(st.sampled_from([None, "a", "b", "ab", "ba", "aa"])) if text == "get" and returned else None
        history.append(call(text, invoked, returned, response))
    return history


@settings(max_examples=250, deadline=None)
@given(small_histories())
def test_the_verdict_is_that_of_trying_all_orders(history: list[Call]) -> None:
    expected = linearizable_by_trying_all_orders(history)
    verdict = linearize(history)
    assert isinstance(verdict, Linearizable if expected else NotLinearizable)
    if isinstance(verdict, Linearizable):
        assert respected(verdict.order, history)
    else:
        assert failing_window(history).fails(Limit())


@settings(max_examples=100, deadline=None)
@given(small_histories())
@example([call("append a", 0, 1), call("get", 2, 3, "aa")])
@example([call("append a", 0, 1), call("get", 2, 3, "ab"), call("append ab", 4, 5)])
def test_a_value_that_nobody_has_read_is_any_value(history: list[Call]) -> None:
    responses = [each.response for each in history if each.response is not None]
    starts = {None, "", "x", *(response[:end] for response in responses for end in range(len(response) + 1))}
    expected = any(linearizable_by_trying_all_orders(history, start) for start in starts)
    assert isinstance(linearize(history, Unseen()), Linearizable if expected else NotLinearizable)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(["ag", "agpd", "pg"]))
def test_no_window_of_a_linearizable_history_fails(seed: int, kinds: str) -> None:
    history = tuple(linearizable_by_construction(Random(seed), 25, clients=4, unanswered=0.1, kinds=kinds))
    assert not any(last_calls(history, length).fails(SHORT) for length in range(1, len(history) + 1))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(["ag", "agpd", "aaggd"]))
def test_histories_of_unique_values_are_judged_as_by_trying_all_orders(seed: int, kinds: str) -> None:
    random = Random(seed)
    history = linearizable_by_construction(random, 6, clients=3, unanswered=0.2, kinds=kinds)
    assert linearizable_by_trying_all_orders(history)
    assert isinstance(linearize(history), Linearizable)
    responses = [each.response for each in history if isinstance(each.operation, Get)]
    for place, each in enumerate(history):
        if isinstance(each.operation, Get) and each.returned is not None:
            other = Call(each.client, each.operation, each.invoked, each.returned, random.choice(responses))
            mutated = [*history[:place], other, *history[place + 1 :]]
            expected = linearizable_by_trying_all_orders(mutated)
            assert isinstance(linearize(mutated), Linearizable if expected else NotLinearizable)


def test_a_search_that_reaches_its_limit_has_no_verdict() -> None:
    history = linearizable_by_construction(Random(1), 500)
    assert isinstance(linearize(history, limit=Limit(configurations=100)), Unknown)
    assert isinstance(linearize(history, limit=Limit(seconds=0.0)), Unknown)


def test_the_window_of_a_stale_read_is_the_last_write_and_the_read() -> None:
    history = [call(f"put {number}", 10 * number, 10 * number + 5) for number in range(100)]
    history += [call("get", 10 * number + 6, 10 * number + 7, str(number)) for number in range(80)]
    history.append(call("get", 808, 809, "42", client="stale"))
    window = failing_window(history)
    assert [str(each.operation) for each in window.calls] == ["Put(key='k', value='80')", "Get(key='k')"]
    assert not window.from_the_start


def test_a_window_keeps_a_write_under_way_that_could_explain_it() -> None:
    under_way = call("put 42", 0, None, client="slow")
    history = [under_way, *(call(f"put {number}", 10 * number, 10 * number + 5) for number in range(1, 50))]
    history.append(call("get", 506, 507, "42"))
    assert isinstance(linearize(history), Linearizable)
    history.append(call("put 50", 508, 509))
    history.append(call("get", 510, 511, "42"))
    window = failing_window(history)
    assert isinstance(linearize(history), NotLinearizable)
    assert under_way in (*window.under_way, *window.calls)
    assert len(window.calls) == 4  # without put 49 the first Get could be of a value from before


def test_the_judges_key_and_the_state_machine_agree_on_what_operations_do() -> None:
    history = linearizable_by_construction(Random(7), 200, clients=1, unanswered=0.0)
    assert sum(isinstance(each.operation, Delete) for each in history) > 5
    store = KeyValueStore()
    for serial, each in enumerate(history, start=1):
        command = Command(ClientId("c"), Serial(serial), each.operation)
        assert store.apply(Entry(Term(1), command)) == each.response
