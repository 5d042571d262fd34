"""Replay, on a toy protocol: what is performed, compared, counted, and reported as a divergence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.traces.toy import TABLE, ToyTarget, ping, toy_trace
from traces.errors import UnplayableTrace
from traces.minimise import diverging_prefix, prefix
from traces.replay import Divergence, Replayed, replay
from traces.trace import Label, Trace, TraceState


def diverged(target: Any, trace: Trace | None = None) -> Divergence:
    result = replay(trace or toy_trace(), target, TABLE)
    assert isinstance(result, Divergence)
    return result


def with_state(number: int, **changes: object) -> Trace:
    trace = toy_trace()
    states = list(trace.states)
    plain = {str(key): value for key, value in states[number].variables.items()}
    states[number] = TraceState.of(states[number].label, plain | changes)
    return replace(trace, states=tuple(states))


def test_an_implementation_that_does_what_the_trace_says() -> None:
    result = replay(toy_trace(), ToyTarget(), TABLE)
    # In each of 8 states: two fields on two processes, the network, and the driver's count of pings.
    assert result == Replayed(steps=7, fields_compared=8 * 6, unobserved={"up": 8})


def test_the_first_difference_is_reported_with_both_values() -> None:
    result = diverged(ToyTarget(lose_after=1))
    assert (result.step, result.path) == (3, "b1.received")
    assert (result.expected, result.observed) == (1, 0)
    assert result.label == Label.of("receive", "b1", ping(1))
    assert result.prefix_length == 3


def test_all_that_differs_after_the_label_is_named() -> None:
    trace = with_state(1, sent={"a1": 5, "b1": 6}, pings=9)
    assert diverged(ToyTarget(), trace).path == "a1.sent"
    assert diverged(ToyTarget(), trace).others == ("b1.sent", "pings")


def test_the_initial_state_is_compared_too() -> None:
    result = diverged(ToyTarget(), with_state(0, sent={"a1": 7, "b1": 0}))
    assert (result.step, result.label, result.path) == (0, None, "a1.sent")


def test_a_field_that_is_not_reported_is_counted() -> None:
    result = replay(toy_trace(), ToyTarget(hide=frozenset({"sent"})), TABLE)
    assert isinstance(result, Replayed)
    assert result.unobserved == {"sent": 16, "up": 8}
    assert result.fields_compared == 8 * 4


def test_a_variable_that_the_table_does_not_know_is_counted() -> None:
    result = replay(toy_trace(unheard={"a1": 1, "b1": 2}), ToyTarget(), TABLE)
    assert isinstance(result, Replayed)
    assert result.unobserved == {"unheard": 8, "up": 8}


def test_the_unobserved_are_reported_with_a_divergence_too() -> None:
    assert diverged(ToyTarget(lose_after=1, hide=frozenset({"sent"}))).unobserved["sent"] == 8


def test_replays_add_up() -> None:
    total = Replayed(1, 10, {"a": 1}).plus(Replayed(2, 20, {"a": 1, "b": 5}))
    assert total == Replayed(3, 30, {"a": 2, "b": 5})


def test_one_is_not_true() -> None:
    class Sloppy(ToyTarget):
        def observe(self, server: str) -> dict[str, Any]:
            seen = super().observe(server)
            return seen | {"sent": bool(seen["sent"])}

    result = diverged(Sloppy())
    assert (result.step, result.path, result.observed) == (0, "a1.sent", False)


# ----------------------------------------------------------------------------------------------- the network


def test_a_message_that_the_target_does_not_send() -> None:
    class Mute(ToyTarget):
        def campaign(self, server: str) -> list[dict[str, Any]]:
            super().campaign(server)
            return []

    result = diverged(Mute())
    assert (result.step, result.path) == (1, "network")
    assert result.expected == ({"message": ping(1), "copies": 1},)
    assert result.observed == ()
    assert result.others == ("pings",)


def test_a_message_that_the_target_sends_twice() -> None:
    class Stutter(ToyTarget):
        def campaign(self, server: str) -> list[dict[str, Any]]:
            return super().campaign(server) * 2

    result = diverged(Stutter())
    assert (result.step, result.path) == (1, "network")
    assert result.observed == ({"message": ping(1), "copies": 2},)


def test_a_message_with_another_field_is_another_message() -> None:
    class Wrong(ToyTarget):
        def campaign(self, server: str) -> list[dict[str, Any]]:
            return [message | {"number": 9} for message in super().campaign(server)]

    result = diverged(Wrong())
    assert result.path == "network"
    assert result.observed == ({"message": ping(9), "copies": 1},)


@pytest.mark.parametrize("label", [
    Label.of("receive", "b1", ping(4)), Label.of("drop", message=ping(4)), Label.of("duplicate", message=ping(4))
])  # fmt: skip
def test_a_message_that_is_not_in_the_network_cannot_be_used(label: Label) -> None:
    states = toy_trace().states[:2]
    trace = Trace("toy.spec", "two", None, (*states, replace(states[1], label=label)))
    result = diverged(ToyTarget(), trace)
    assert (result.step, result.path, result.observed) == (2, "network", "no such message")


def test_the_target_may_change_the_message_that_it_is_given() -> None:
    class Greedy(ToyTarget):
        def deliver(self, server: str, message: dict[str, Any]) -> list[dict[str, Any]]:
            super().deliver(server, message)
            message.clear()
            return []

    assert isinstance(replay(toy_trace(), Greedy(), TABLE), Replayed)


# ------------------------------------------------------------------------------------- a target that misbehaves


class Raises(ToyTarget):
    def __init__(self, method: str, error: BaseException) -> None:
        super().__init__()
        self.error = error
        setattr(self, method, self.fail)

    def fail(self, *_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("method", "path", "step"),
    [("reset", "reset()", 0), ("observe", "a1.observe()", 0), ("campaign", "a1.campaign()", 1),
     ("deliver", "b1.deliver()", 3), ("crash", "b1.crash()", 7)],
)  # fmt: skip
@pytest.mark.parametrize("error", [AssertionError("log has a gap"), SystemExit(3)])
def test_an_exception_is_an_observation(method: str, path: str, step: int, error: BaseException) -> None:
    result = diverged(Raises(method, error))
    assert (result.path, result.step, result.expected) == (path, step, "returns")
    assert str(result.observed).startswith(f"raises {type(error).__name__}: {error} (")
    assert "test_replay.py" in str(result.observed)


def test_ctrl_c_is_not_an_observation() -> None:
    with pytest.raises(KeyboardInterrupt):
        replay(toy_trace(), Raises("campaign", KeyboardInterrupt()), TABLE)


@pytest.mark.parametrize(
    "sent", [5, [5], [{"type": "Ping"}], ["Ping"], [{**ping(1), "number": 1.5}], [{**ping(1), "source": 1}]]
)
def test_what_is_no_message_is_an_observation(sent: object) -> None:
    class Odd(ToyTarget):
        def campaign(self, server: str) -> Any:
            return sent

    result = diverged(Odd())
    assert (result.step, result.path) == (1, "a1.campaign()")


def test_an_observation_that_is_no_dict_is_an_observation() -> None:
    class Odd(ToyTarget):
        def observe(self, server: str) -> Any:
            return None

    assert diverged(Odd()).path == "a1.observe()"


def test_a_value_that_no_trace_can_have_is_a_difference() -> None:
    class Odd(ToyTarget):
        def observe(self, server: str) -> Any:
            return super().observe(server) | {"sent": 0.5}

    assert diverged(Odd()).path == "a1.sent"
    assert "0.5" in str(diverged(Odd()).observed)


# -------------------------------------------------------------------------------- a trace that cannot be played


@pytest.mark.parametrize(
    ("label", "found"),
    [
        (Label.of("vote", "a1"), "the rule 'vote'"),
        (Label.of("ping"), "ping without a process"),
        (Label.of("receive", "a1"), "receive without a message"),
        (Label.of("crash", "a1"), "crash without keep"),
    ],
)
def test_a_label_of_another_protocol(label: Label, found: str) -> None:
    states = toy_trace().states[:1]
    trace = Trace("toy.spec", "two", None, (*states, replace(states[0], label=label)))
    with pytest.raises(UnplayableTrace, match=found) as caught:
        replay(trace, ToyTarget(), TABLE)
    assert caught.value.step == 1
    assert "toy.spec" in str(caught.value)


def test_a_state_of_another_protocol() -> None:
    with pytest.raises(UnplayableTrace, match=r"step 0: found a trace of x; replay knows toy\.spec only"):
        replay(Trace("x", "y", None, (TraceState.of(None, {"votes": 1}),)), ToyTarget(), TABLE)
    with pytest.raises(UnplayableTrace, match=r"step 0: found an initial state that is not one of toy\.spec"):
        replay(Trace("toy", "y", None, (TraceState.of(None, {"votes": 1}),)), ToyTarget(), TABLE)
    with pytest.raises(UnplayableTrace, match=r"step 2: found a state that is not one of toy\.spec"):
        replay(with_state(2, network=[{"copies": 1}]), ToyTarget(), TABLE)


# ------------------------------------------------------------------------------------------- the shortest prefix


def test_the_diverging_prefix_ends_with_the_diverging_label() -> None:
    divergence = diverged(ToyTarget(lose_after=1))
    cut = diverging_prefix(toy_trace(), divergence)
    assert cut.labels == toy_trace().labels[:3]
    assert cut.meta == {"problem": "b1.received diverges at step 3"}


def test_the_diverging_prefix_diverges_and_nothing_shorter_does() -> None:
    divergence = diverged(ToyTarget(lose_after=1))
    cut = diverging_prefix(toy_trace(), divergence)
    again = diverged(ToyTarget(lose_after=1), cut)
    assert (again.step, again.path) == (divergence.step, divergence.path)
    assert isinstance(replay(prefix(cut, len(cut.labels) - 1), ToyTarget(lose_after=1), TABLE), Replayed)


def test_a_prefix_has_no_loop_and_violates_nothing() -> None:
    whole = replace(toy_trace(), loop=1, meta=toy_trace().meta.with_({"property": "p", "seed": 3}))
    cut = diverging_prefix(whole, diverged(ToyTarget(lose_after=1)))
    assert cut.loop is None
    assert cut.meta.keys() == {"seed", "problem"}
