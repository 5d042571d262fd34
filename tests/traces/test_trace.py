"""What a trace is, and what it cannot be."""

from __future__ import annotations

import pytest

from tests.traces.toy import ping, toy_trace
from traces.trace import Label, Message, Trace, TraceState
from traces.values import Map


def test_a_message_is_one_flat_record_in_a_state() -> None:
    message = Message.of(ping(3))
    assert message == Message("Ping", "a1", "b1", Map({"number": 3}))
    assert message.flat == ping(3)
    assert Message.of(message.flat) == message


@pytest.mark.parametrize("key", ["type", "source", "destination"])
def test_a_message_without_its_envelope_is_refused(key: str) -> None:
    flat = {name: value for name, value in ping(1).items() if name != key}
    with pytest.raises(ValueError, match=key):
        Message.of(flat)


def test_a_label_keeps_the_order_of_its_arguments() -> None:
    label = Label.of("choose", "p", zebra=1, ape=[2])
    assert label.arguments == (("zebra", 1), ("ape", (2,)))
    assert label.argument("ape") == (2,)


def test_no_argument_is_named_as_a_word_that_the_file_format_needs() -> None:
    with pytest.raises(AssertionError):
        Label("rule", "p", (("message", 1),))


def test_labels_stand_between_states() -> None:
    trace = toy_trace()
    assert len(trace.labels) == len(trace.states) - 1
    assert trace.labels[0] == Label.of("ping", "a1")


def test_the_processes_are_those_that_are_mentioned() -> None:
    assert toy_trace().processes == ("a1", "b1")
    client = Label.of("receive", "b1", ping(1, source="client"))
    variables = {"up": {"b1": True}}
    assert Trace(
        "x", "y", None, (TraceState.of(None, variables), TraceState.of(client, variables))
    ).processes == ("b1", "client")  # fmt: skip


def test_a_malformed_trace_cannot_be_built() -> None:
    first, second = toy_trace().states[:2]
    for states in [(), (second,), (first, first), (first, TraceState.of(second.label, {"other": 1}))]:
        with pytest.raises(AssertionError):
            Trace("toy.spec", "two", None, states)
    with pytest.raises(AssertionError):
        Trace("toy.spec", "two", None, (first,), loop=1)


def test_a_state_refuses_plain_variables() -> None:
    with pytest.raises(AssertionError):
        TraceState(None, {"x": 1})  # type: ignore[arg-type]
