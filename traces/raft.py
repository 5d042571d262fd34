"""The one place in this package that knows Raft: the replay table for raft.spec, and the words for drawing its traces.

The table says for each label of raft.spec what an implementation does, and how the spec's values look in an
implementation's observations: an entry ``{"term", "write": {"client", "serial"} | none}`` is observed as ``{"term",
"client", "serial"}`` (client none and serial 0 for a no-op), a store as pairs, a waiter flat. Clients are played by
the driver: it submits, retries and receives, and keeps which writes were answered. What raft_read.spec adds is in
raft_reads.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from traces.drive import Drive, envelope
from traces.render.wording import PLAIN, Event, Wording
from traces.table import Field, Own, Table
from traces.trace import Label, Trace, TraceState
from traces.values import Map, Value, order

# --------------------------------------------------------------- the spec's values in an observation's words


def _entry(value: Value) -> Value:
    assert isinstance(value, Map)
    write = value["write"]
    if write is None:
        return Map({"term": value["term"], "client": None, "serial": 0})
    assert isinstance(write, Map)
    return Map({"term": value["term"], "client": write["client"], "serial": write["serial"]})


def _log(value: Value, server: str = "") -> Value:
    assert isinstance(value, tuple)
    return tuple(_entry(entry) for entry in value)


def _record(value: Value, server: str = "") -> Value:
    assert isinstance(value, Map)
    return value.with_({"log": _log(value["log"])}) if "log" in value else value


def _records(value: Value, server: str = "") -> Value:
    assert isinstance(value, tuple)
    return tuple(_record(record) for record in value)


def _store(value: Value, server: str = "") -> Value:
    assert isinstance(value, tuple)
    return tuple((write["client"], write["serial"]) for write in value if isinstance(write, Map))


def _waiters(value: Value, server: str = "") -> Value:
    assert isinstance(value, tuple)
    flat = []
    for waiter in value:
        assert isinstance(waiter, Map)
        assert isinstance(waiter["write"], Map)
        flat.append(waiter["write"].with_({"index": waiter["index"], "term": waiter["term"]}))
    return tuple(flat)


def _sessions(value: Value, server: str = "") -> Value:
    """Clients without a session are absent in an observation, 0 in the spec's total map."""
    assert isinstance(value, Map)
    return Map({client: serial for client, serial in value.items() if serial != 0})


def _peers(value: Value, server: str) -> Value:
    """Without the server's own next_index, which no rule reads."""
    assert isinstance(value, Map)
    return value.without(server)


def _votes(value: Value, server: str = "") -> Value:
    """A set, which plain data writes as a list."""
    return frozenset(value) if isinstance(value, tuple) else value


def _message(flat: Map) -> Map:
    return flat.with_({"entries": _log(flat["entries"])}) if "entries" in flat else flat


def _messages(value: Value, server: str = "") -> Value:
    """Sorted: an outbox leaves as a whole for a network without order."""
    assert isinstance(value, tuple)
    return _sorted(tuple(_message(message) for message in value if isinstance(message, Map)))


def _sorted(value: Value, server: str = "") -> Value:
    return tuple(sorted(value, key=order)) if isinstance(value, tuple) else value


# ------------------------------------------------------------------------------------- what is compared where


def _of(state: TraceState, variable: str, server: str) -> Value:
    values = state.variables[variable]
    assert isinstance(values, Map)
    return values[server]


def _always(state: TraceState, server: str) -> bool:
    return True


def _up(state: TraceState, server: str) -> bool:
    return _of(state, "up", server) is True


def _candidate(state: TraceState, server: str) -> bool:
    return _up(state, server) and _of(state, "role", server) == "Candidate"


def _leader(state: TraceState, server: str) -> bool:
    return _up(state, server) and _of(state, "role", server) == "Leader"


FIELDS = (
    Field("up", _always),
    Field("current_term", _up),
    Field("voted_for", _up),
    Field("role", _up),
    Field("log", _up, _log),
    Field("commit_index", _up),
    Field("last_applied", _up),
    Field("store", _up, _store),
    Field("sessions", _up, _sessions, _sessions),
    Field("votes_granted", _candidate, observed=_votes),
    Field("next_index", _leader, _peers, _peers),
    Field("match_index", _leader),
    Field("waiters", _up, _waiters),
    Field("disk", _always, _record, records=True),
    Field("pending", _always, _records, records=True),
    Field("outbox", _always, _messages, _sorted),
)


def _servers(initial: TraceState) -> tuple[str, ...]:
    terms = initial.variables["current_term"]
    assert isinstance(terms, Map)
    return tuple(sorted(str(server) for server in terms))


def _of_clients(name: str) -> Own:
    return Own(name, lambda state: state.variables.get(name), lambda drive: Map(drive.memory[name]))


def _answered(state: TraceState) -> Value:
    ghosts = state.variables.get("ghosts")
    return ghosts.get("answered") if isinstance(ghosts, Map) else None


# ------------------------------------------------------------------------------------------ what each label does


def _begin(drive: Drive, initial: TraceState) -> None:
    for name in ("serial", "done"):
        clients = initial.variables.get(name, Map())
        assert isinstance(clients, Map)
        drive.memory[name] = dict.fromkeys(clients, 0)
    drive.memory["answered"] = set()


def _sent(drive: Drive, message: Map) -> None:
    if message["type"] == "ClientResponse":
        drive.memory["answered"].add(Map({"client": message["destination"], "serial": message.get("serial")}))


def _request(drive: Drive, label: Label) -> None:
    client = drive.process(label)
    server = str(drive.argument(label, "server"))
    drive.network.put(envelope("ClientRequest", client, server, serial=drive.memory["serial"].get(client, 0)))


def _submit(drive: Drive, label: Label) -> None:
    client = drive.process(label)
    drive.memory["serial"][client] = drive.memory["serial"].get(client, 0) + 1
    _request(drive, label)


def _client_response(drive: Drive, label: Label) -> None:
    client = drive.process(label)
    message = drive.message(label)
    drive.take(message)
    if message["serial"] == drive.memory["serial"].get(client):
        drive.memory["done"][client] = message["serial"]


TABLE = Table(
    name="raft.spec",
    processes=_servers,
    steps={
        "timeout": lambda drive, label: drive.call("campaign", drive.process(label)),
        "replicate": lambda drive, label: drive.call("replicate", drive.process(label), drive.argument(label, "peer")),
        "apply": lambda drive, label: drive.call("apply", drive.process(label)),
        "answer_client": lambda drive, label: drive.call("answer", drive.process(label)),
        "request_vote": Drive.deliver,
        "request_vote_response": Drive.deliver,
        "append_entries": Drive.deliver,
        "append_entries_response": Drive.deliver,
        "client_request": Drive.deliver,
        "submit": _submit,
        "retry": _request,
        "client_response": _client_response,
        "flush": lambda drive, label: drive.call("flush", drive.process(label)),
        "crash": lambda drive, label: drive.call("crash", drive.process(label), drive.argument(label, "keep")),
        "restart": lambda drive, label: drive.call("restart", drive.process(label)),
        "drop": Drive.drop,
        "duplicate": Drive.duplicate,
    },
    fields=FIELDS,
    message=_message,
    begin=_begin,
    sent=_sent,
    own=(
        _of_clients("serial"),
        _of_clients("done"),
        Own("answered", _answered, lambda drive: frozenset(drive.memory["answered"])),
    ),
)


# -------------------------------------------------------------------------------------------- words for renderers

_SPOKEN_OF = frozenset({"current_term", "voted_for", "role", "log", "commit_index", "last_applied"})


def wording_for(trace: Trace) -> Wording:
    """Raft's words for a trace of raft.spec or of a relative; plain ones for any other trace."""
    return WORDING if trace.states[0].variables.keys() >= _SPOKEN_OF else PLAIN


def _value(value: Value) -> str | None:
    match value:
        case Map() if value.keys() == {"client", "serial"}:
            return f"{value['client']}#{value['serial']}"
        case Map() if value.keys() == {"term", "write"}:
            return f"{value['term']}:{'no-op' if value['write'] is None else _value(value['write'])}"
        case _:
            return None


def _events(before: TraceState, after: TraceState) -> Iterator[Event]:
    label = after.label
    server = label.process if label else None
    servers = after.variables.get("role")
    if label is None or server is None or not isinstance(servers, Map) or server not in servers:
        return
    if label.rule in ("crash", "restart"):  # said by the renderer itself
        return
    yield from _elections(server, before, after)
    yield from _log_events(server, before, after)


def _elections(server: str, before: TraceState, after: TraceState) -> Iterator[Event]:
    term = _of(after, "current_term", server)
    role, new_role = _of(before, "role", server), _of(after, "role", server)
    vote = _of(after, "voted_for", server)
    if after.label and after.label.rule == "timeout":
        yield Event(server, f"Timeout → starts an election (term {term})")
    elif vote not in (None, _of(before, "voted_for", server)):
        yield Event(server, f"Votes for {vote} (term {term})")
    if role != new_role and new_role == "Leader":
        yield Event(server, f"New leader (term {term})", is_note=True)
    if role == "Leader" != new_role:
        yield Event(server, f"Sees term {term} → steps down", is_note=True)


def _log_events(server: str, before: TraceState, after: TraceState) -> Iterator[Event]:
    log, new_log = _of(before, "log", server), _of(after, "log", server)
    assert isinstance(log, tuple)
    assert isinstance(new_log, tuple)
    kept = next((i for i, (old, new) in enumerate(zip(log, new_log, strict=False)) if old != new), None)
    same = min(len(log), len(new_log)) if kept is None else kept
    if log[same:]:
        yield Event(server, f"Discards {_span(same, log)}")
    if new_log[same:]:
        yield Event(server, f"Writes {_span(same, new_log)} to its WAL (uncommitted)")
    commit, new_commit = _of(before, "commit_index", server), _of(after, "commit_index", server)
    if isinstance(commit, int) and isinstance(new_commit, int) and commit < new_commit:
        yield Event(server, f"Commits {_span(commit, new_log[:new_commit])}")
    if _of(before, "last_applied", server) != _of(after, "last_applied", server):
        applied = _of(after, "last_applied", server)
        assert isinstance(applied, int)
        yield Event(server, f"Applies {_span(applied - 1, new_log[:applied])}")


def _span(start: int, log: tuple[Value, ...]) -> str:
    """``entry 2 (1:c1#1)``: the entries after the first ``start``."""
    entries = ", ".join(_value(entry) or "?" for entry in log[start:])
    return f"entry {start + 1} ({entries})" if len(log) == start + 1 else f"entries {start + 1}–{len(log)} ({entries})"


def _arrow(message: Map) -> str:
    """What an arrow says: the seed's words where it has them."""
    match message["type"]:
        case "RequestVote":
            return f"Request vote (term {message['term']})"
        case "RequestVoteResponse":
            return f"Vote {'granted' if message['vote_granted'] else 'refused'} (term {message['term']})"
        case "AppendEntries":
            entries = message["entries"]
            assert isinstance(entries, tuple)
            carried = ", ".join(_value(entry) or "?" for entry in entries) or "no entry"
            return f"AppendEntries ({carried} after {message['prev_log_index']}, commit {message['leader_commit']})"
        case "AppendEntriesResponse":
            return f"ACK {message['index']}" if message["success"] else f"Reject, log ends at {message['index']}"
        case "ClientRequest":
            return f"Write request #{message['serial']}"
        case "ClientResponse":
            return f'"success" #{message["serial"]}'
        case "ReadRequest":
            return f"Read request #{message['serial']}"
        case "ReadResponse":
            writes = message["writes"]
            assert isinstance(writes, tuple)
            return f"Read #{message['serial']}: {', '.join(_value(write) or '?' for write in writes) or 'no write'}"
        case other:
            return str(other)


WORDING = Wording(
    value=_value,
    message=_arrow,
    events=lambda before, after: tuple(_events(before, after)),
    replies=frozenset({"RequestVoteResponse", "AppendEntriesResponse", "ClientResponse", "ReadResponse"}),
    sends_speak=True,
)
