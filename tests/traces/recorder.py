"""Runs of the reference implementation written down as raft.spec would: traces for tests, while no checker is needed.

The state is read from the implementation, so such a trace says nothing about whether the implementation is right; it
serves to test replay, the table and the renderers.
"""

from __future__ import annotations

from typing import Any

from refimpl.target import create
from traces.drive import Drive
from traces.raft import TABLE
from traces.trace import Label, Message, Trace, TraceState
from traces.values import Map, thaw

SERVERS = ("s1", "s2", "s3")
CLIENTS = ("c1",)
HANDLERS = {
    "RequestVote": "request_vote",
    "RequestVoteResponse": "request_vote_response",
    "AppendEntries": "append_entries",
    "AppendEntriesResponse": "append_entries_response",
    "ClientRequest": "client_request",
    "ClientResponse": "client_response",
}


def spec_entry(plain: dict[str, Any]) -> dict[str, Any]:
    write = None if plain["client"] is None else {"client": plain["client"], "serial": plain["serial"]}
    return {"term": plain["term"], "write": write}


def spec_message(plain: dict[str, Any]) -> dict[str, Any]:
    return plain | ({"entries": [spec_entry(e) for e in plain["entries"]]} if "entries" in plain else {})


def spec_durable(plain: dict[str, Any]) -> dict[str, Any]:
    return plain | {"log": [spec_entry(entry) for entry in plain["log"]]}


class Recorder:
    """Perform labels one by one; :meth:`trace` is the run so far."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.drive = Drive(create(broken), TABLE)
        self.drive.target.reset(SERVERS)
        self.drive.memory |= {"serial": dict.fromkeys(CLIENTS, 0), "done": dict.fromkeys(CLIENTS, 0), "answered": set()}
        self.states = [self.state(None)]

    def do(self, rule: str, process: str | None = None, **arguments: object) -> Recorder:
        return self.perform(Label.of(rule, process, None, **arguments))

    def perform(self, label: Label) -> Recorder:
        self.drive.perform(len(self.states), label)
        self.states.append(self.state(label))
        return self

    def flying(self) -> list[Message]:
        return [Message.of(spec_message(thaw(message))) for message in self.drive.network.copies]  # type: ignore[arg-type]

    def deliver(self, type_: str, source: str, destination: str) -> Recorder:
        """The one message of that type between the two."""
        (message,) = (m for m in self.flying() if (m.type, m.source, m.destination) == (type_, source, destination))
        return self.perform(Label(HANDLERS[type_], destination, (), message))

    def on_message(self, rule: str, type_: str, source: str, destination: str) -> Recorder:
        (message,) = (m for m in self.flying() if (m.type, m.source, m.destination) == (type_, source, destination))
        return self.perform(Label(rule, None, (), message))

    def trace(self, **meta: object) -> Trace:
        return Trace("raft", "three", None, tuple(self.states), Map(meta))  # type: ignore[arg-type]

    def state(self, label: Label | None) -> TraceState:
        variables: dict[str, dict[str, Any]] = {}
        for server in SERVERS:
            for name, value in self.server(server).items():
                variables.setdefault(name, {})[server] = value
        drive = self.drive
        flying = [
            {"message": spec_message(thaw(message)), "copies": copies}  # type: ignore[arg-type]
            for message, copies in drive.network.copies.items()
        ]
        return TraceState.of(
            label,
            variables
            | {name: dict(drive.memory[name]) for name in ("serial", "done")}
            | {
                "network": sorted(flying, key=repr),
                "ghosts": {"answered": set(drive.memory["answered"])},
                "budgets": {"crashes": sum(not up for up in variables["up"].values())},
            },
        )

    def server(self, server: str) -> dict[str, Any]:
        seen = self.drive.target.observe(server)
        role = seen.get("role", "Follower")
        durable = spec_durable(seen if seen["up"] else seen["disk"])
        return {
            **{name: durable[name] for name in ("current_term", "voted_for", "log", "commit_index")},
            "role": role,
            "last_applied": seen.get("last_applied", 0),
            "store": [{"client": client, "serial": serial} for client, serial in seen.get("store", [])],
            "sessions": dict.fromkeys(CLIENTS, 0) | seen.get("sessions", {}),
            "votes_granted": set(seen["votes_granted"]) if role == "Candidate" else set(),
            "next_index": seen["next_index"] if role == "Leader" else dict.fromkeys(SERVERS, 1),
            "match_index": seen["match_index"] if role == "Leader" else dict.fromkeys(SERVERS, 0),
            "waiters": [
                {"write": {"client": w["client"], "serial": w["serial"]}, "index": w["index"], "term": w["term"]}
                for w in seen.get("waiters", [])
            ],
            "up": seen["up"],
            "disk": spec_durable(seen["disk"]),
            "pending": [spec_durable(record) for record in seen["pending"]],
            "outbox": [spec_message(message) for message in seen["outbox"]],
        }


def elected(broken: frozenset[str] = frozenset()) -> Recorder:
    """s1 leads term 1 with the vote of s2; the request to s3 is lost."""
    recorder = Recorder(broken)
    recorder.do("timeout", "s1").do("flush", "s1").deliver("RequestVote", "s1", "s2").do("flush", "s2")
    return recorder.deliver("RequestVoteResponse", "s2", "s1").on_message("drop", "RequestVote", "s1", "s3")


def written(broken: frozenset[str] = frozenset()) -> Recorder:
    """A write, step 1 to step 5: the client has its answer."""
    recorder = elected(broken)
    recorder.do("submit", "c1", server="s1").deliver("ClientRequest", "c1", "s1").do("flush", "s1")
    for _ in range(2):  # the no-op, then the write
        recorder.do("replicate", "s1", peer="s2").deliver("AppendEntries", "s1", "s2").do("flush", "s2")
        recorder.deliver("AppendEntriesResponse", "s2", "s1")
    recorder.do("apply", "s1").do("apply", "s1").do("answer_client", "s1")
    return recorder.deliver("ClientResponse", "s1", "c1")


def crashed(broken: frozenset[str] = frozenset()) -> Recorder:
    """The leader crashes after it answered and before anyone heard of the commit; s2 takes over and commits."""
    recorder = written(broken)
    recorder.do("crash", "s1", keep=0).do("timeout", "s2").do("flush", "s2")
    recorder.deliver("RequestVote", "s2", "s3").do("flush", "s3").deliver("RequestVoteResponse", "s3", "s2")
    return recorder.do("restart", "s1")
