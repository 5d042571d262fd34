"""The replay table of raft.spec, on the reference implementation and its deliberately broken variants."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from refimpl.target import create
from tests.traces.recorder import HANDLERS, Recorder, crashed, elected, written
from traces.itf import format_trace, parse_trace
from traces.raft import FIELDS, TABLE, wording_for
from traces.render.wording import PLAIN
from traces.replay import Divergence, Replayed, replay
from traces.trace import Label, Message, Trace, TraceState
from traces.values import Map, freeze


def through_a_file(trace: Trace) -> Trace:
    return parse_trace(format_trace(trace), "x")


def with_server(trace: Trace, number: int, variable: str, server: str, value: object) -> Trace:
    states = list(trace.states)
    values = states[number].variables[variable]
    assert isinstance(values, Map)
    changed = states[number].variables.with_({variable: values.with_({server: freeze(value)})})
    states[number] = replace(states[number], variables=changed)
    return replace(trace, states=tuple(states))


@pytest.mark.parametrize("run", [elected, written, crashed])
def test_a_run_of_the_implementation_replays_on_it(run: Callable[[], Recorder]) -> None:
    trace = through_a_file(run().trace())
    result = replay(trace, create(), TABLE)
    assert isinstance(result, Replayed), result
    assert result.steps == len(trace.labels)
    assert result.unobserved == {}


def test_every_field_is_compared() -> None:
    """The initial state: 3 servers × 13 fields that a follower has, the network, serial, done and answered."""
    result = replay(Recorder().trace(), create(), TABLE)
    assert result == Replayed(0, 3 * 13 + 4, {})
    assert len(FIELDS) == 13 + 3


@pytest.mark.parametrize(
    ("fault", "path"),
    [("new-leader-auto-commits", "s2.commit_index"), ("vote-not-durable", "s1.pending"),
     ("follower-acks-before-fsync", "s2.outbox"), ("reply-at-append", "network")],
)  # fmt: skip
def test_a_broken_rule_diverges(fault: str, path: str) -> None:
    result = replay(crashed().trace(), create(frozenset({fault})), TABLE)
    assert isinstance(result, Divergence), fault
    assert path in (result.path, *result.others), result


def test_a_write_that_takes_effect_twice_diverges() -> None:
    def run(broken: frozenset[str] = frozenset()) -> Recorder:
        recorder = elected(broken)
        recorder.do("submit", "c1", server="s1").do("retry", "c1", server="s1")
        recorder.deliver("ClientRequest", "c1", "s1").deliver("ClientRequest", "c1", "s1").do("flush", "s1")
        for _ in range(3):
            recorder.do("replicate", "s1", peer="s2").deliver("AppendEntries", "s1", "s2").do("flush", "s2")
            recorder.deliver("AppendEntriesResponse", "s2", "s1")
        return recorder.do("apply", "s1").do("apply", "s1").do("apply", "s1")

    assert isinstance(replay(run().trace(), create(), TABLE), Replayed)
    result = replay(run().trace(), create(frozenset({"no-dedup"})), TABLE)
    assert isinstance(result, Divergence)
    assert result.path == "s1.store"
    assert result.label == Label.of("apply", "s1")


WRONG: list[tuple[str, object]] = [
    ("up", False),
    ("current_term", 7),
    ("voted_for", "s3"),
    ("voted_for", None),
    ("role", "Candidate"),
    ("log", []),
    ("log", [{"term": 1, "write": {"client": "c1", "serial": 9}}]),
    ("commit_index", 9),
    ("last_applied", 9),
    ("store", [{"client": "c1", "serial": 9}]),
    ("sessions", {"c1": 9}),
    ("next_index", {"s1": 1, "s2": 9, "s3": 1}),
    ("match_index", {"s1": 9, "s2": 0, "s3": 0}),
    ("waiters", [{"write": {"client": "c1", "serial": 1}, "index": 9, "term": 1}]),
    ("disk", {"current_term": 9, "voted_for": "s1", "log": [], "commit_index": 0}),
    ("pending", []),
    ("outbox", [{"type": "ClientResponse", "source": "s1", "destination": "c1", "serial": 1}]),
]


@pytest.mark.parametrize(("variable", "value"), WRONG, ids=[f"{name}-{n}" for n, (name, _) in enumerate(WRONG)])
def test_a_difference_in_any_field_of_a_leader_is_found(variable: str, value: object) -> None:
    trace = elected().trace()
    last = len(trace.states) - 1
    result = replay(with_server(trace, last, variable, "s1", value), create(), TABLE)
    assert isinstance(result, Divergence)
    assert result.step == last
    assert f"s1.{variable}" in (result.path, *result.others)


def test_votes_are_compared_on_candidates() -> None:
    trace = elected().trace()
    result = replay(with_server(trace, 1, "votes_granted", "s1", {"s1", "s3"}), create(), TABLE)
    assert isinstance(result, Divergence)
    assert (result.step, result.path) == (1, "s1.votes_granted")
    assert result.observed == frozenset({"s1"})


def test_what_a_role_or_a_crash_makes_meaningless_is_not_compared() -> None:
    trace = crashed().trace()
    follower = with_server(trace, 0, "match_index", "s2", {"s1": 5, "s2": 5, "s3": 5})
    assert isinstance(replay(follower, create(), TABLE), Replayed)
    own = with_server(trace, 5, "next_index", "s1", {"s1": 9, "s2": 1, "s3": 1})
    assert isinstance(replay(own, create(), TABLE), Replayed)
    down = next(n for n, label in enumerate(trace.labels, start=1) if label.rule == "crash")
    for variable, value in [("role", "Leader"), ("last_applied", 9), ("log", [])]:
        assert isinstance(replay(with_server(trace, down, variable, "s1", value), create(), TABLE), Replayed)
    result = replay(with_server(trace, down, "disk", "s1", {"log": []}), create(), TABLE)
    assert isinstance(result, Divergence)
    assert result.path == "s1.disk"


def test_a_spec_in_which_a_variable_is_not_durable_is_compared_on_what_it_stores() -> None:
    def forgetful(record: object) -> Map:
        assert isinstance(record, Map)
        return record.without("voted_for")

    states = []
    for state in elected().trace().states:
        disk, pending = state.variables["disk"], state.variables["pending"]
        assert isinstance(disk, Map)
        assert isinstance(pending, Map)
        thinned = {
            "disk": Map({server: forgetful(record) for server, record in disk.items()}),
            "pending": Map({s: tuple(map(forgetful, records)) for s, records in pending.items()}),  # type: ignore[arg-type]
        }
        states.append(replace(state, variables=state.variables.with_(thinned)))
    result = replay(replace(elected().trace(), states=tuple(states)), create(), TABLE)
    assert isinstance(result, Replayed), result


def test_the_order_in_an_outbox_has_no_meaning_but_its_messages_have() -> None:
    trace = elected().trace()
    outboxes = trace.states[1].variables["outbox"]
    assert isinstance(outboxes, Map)
    waiting = outboxes["s1"]
    assert isinstance(waiting, tuple)
    assert len(waiting) == 2
    assert isinstance(replay(with_server(trace, 1, "outbox", "s1", waiting[::-1]), create(), TABLE), Replayed)
    result = replay(with_server(trace, 1, "outbox", "s1", waiting[:1] * 2), create(), TABLE)
    assert isinstance(result, Divergence)
    assert result.path == "s1.outbox"


def test_a_session_that_the_trace_does_not_have_is_found() -> None:
    trace = written().trace()
    last = len(trace.states) - 1
    result = replay(with_server(trace, last, "sessions", "s1", {}), create(), TABLE)
    assert isinstance(result, Divergence)
    assert result.path == "s1.sessions"


# ---------------------------------------------------------------------------------------- what the driver keeps


def changed_own(trace: Trace, number: int, **changes: object) -> Trace:
    states = list(trace.states)
    states[number] = TraceState.of(states[number].label, {**states[number].variables, **changes})  # type: ignore[dict-item]
    return replace(trace, states=tuple(states))


@pytest.mark.parametrize("change", [{"serial": {"c1": 2}}, {"done": {"c1": 0}}, {"ghosts": {"answered": set()}}])
def test_clients_and_answers_are_compared_with_the_drivers_own(change: dict[str, Any]) -> None:
    trace = written().trace()
    last = len(trace.states) - 1
    result = replay(changed_own(trace, last, **change), create(), TABLE)
    assert isinstance(result, Divergence)
    assert (result.step, result.path) == (last, "answered" if "ghosts" in change else next(iter(change)))


@pytest.mark.parametrize(("answered", "done"), [(1, 2), (3, 3)])
def test_only_an_answer_to_the_last_write_is_taken(answered: int, done: int) -> None:
    """A copy of the answer to write 1 arrives when write 3 is outstanding: it must not undo that 2 is done."""
    drive = Recorder().drive
    drive.memory |= {"serial": {"c1": 3}, "done": {"c1": 2}}
    answer = Message.of({"type": "ClientResponse", "source": "s1", "destination": "c1", "serial": answered})
    drive.network.put(answer.flat)
    drive.perform(1, Label("client_response", "c1", (), answer))
    assert drive.memory["done"] == {"c1": done}
    assert not drive.network.copies


# ------------------------------------------------------------------------------------------------- random runs


def random_run(seed: int, length: int) -> Recorder:
    """Labels chosen blindly among those that can be taken."""
    choose = random.Random(seed)
    recorder = Recorder()
    while len(recorder.states) <= length:
        observed = {server: recorder.drive.target.observe(server) for server in ("s1", "s2", "s3")}
        labels = [
            Label("drop", None, (), message)
            if choose.random() < 0.1
            else Label(HANDLERS[message.type], message.destination, (), message)
            for message in recorder.flying()
            if observed.get(message.destination, {"up": True})["up"]
        ]
        labels += [label for server, seen in observed.items() for label in _own_labels(server, seen)]
        serial, done = recorder.drive.memory["serial"]["c1"], recorder.drive.memory["done"]["c1"]
        labels.append(Label.of("submit" if serial == done else "retry", "c1", server=choose.choice(list(observed))))
        recorder.perform(choose.choice(labels))
    return recorder


def _own_labels(server: str, seen: dict[str, Any]) -> list[Label]:
    if not seen["up"]:
        return [Label.of("restart", server)]
    labels = [Label.of("crash", server, keep=len(seen["pending"]) // 2)]
    if seen["pending"]:
        labels += [Label.of("flush", server)] * 3
    if seen["role"] == "Leader":
        labels += [Label.of("replicate", server, peer=peer) for peer in ("s1", "s2", "s3") if peer != server]
    else:
        labels.append(Label.of("timeout", server))
    if seen["last_applied"] < seen["commit_index"]:
        labels += [Label.of("apply", server)] * 3
    if any(waiter["index"] <= seen["last_applied"] for waiter in seen["waiters"]):
        labels += [Label.of("answer_client", server)] * 3
    return labels


@pytest.mark.parametrize("seed", range(10))
def test_a_random_run_replays_from_its_file(seed: int) -> None:
    trace = through_a_file(random_run(seed, 60).trace())
    result = replay(trace, create(), TABLE)
    assert isinstance(result, Replayed), f"seed {seed}: {result}"
    assert result.unobserved == {}


# ------------------------------------------------------------------------------------------------------- words


def test_other_traces_are_drawn_without_rafts_words() -> None:
    assert wording_for(Recorder().trace()) is not PLAIN
    assert wording_for(Trace("x", "y", None, (TraceState(None, Map({"role": Map()})),))) is PLAIN
