"""The replay table for raft_read.spec: that of raft.spec, and reads. The driver plays the readers, too."""

from __future__ import annotations

from dataclasses import replace

from traces.drive import Drive, envelope
from traces.raft import FIELDS, TABLE
from traces.table import Own, Table
from traces.trace import Label, TraceState
from traces.values import Map, Value, order

_BY_NAME = {field.name: field for field in FIELDS}


def table_for(initial: TraceState) -> Table:
    """The table for a trace that begins so."""
    return READ_TABLE if "reads" in initial.variables else TABLE


# --------------------------------------------------------------- the spec's values in an observation's words


def _message(flat: Map) -> Map:
    """A round that has its default is left out of a message: without reads it is what it is in raft.spec."""
    message = TABLE.message(flat)
    if message.get("round") == 0:
        message = message.without("round")
    if "writes" in message:
        message = message.with_({"writes": _BY_NAME["store"].expected(message["writes"], "")})
    return message


def _outbox(value: Value, server: str) -> Value:
    assert isinstance(value, tuple)
    return tuple(sorted((_message(message) for message in value if isinstance(message, Map)), key=order))


def _reads(value: Value, server: str) -> Value:
    assert isinstance(value, tuple)
    flat = []
    for read in value:
        assert isinstance(read, Map)
        query = read["query"]
        assert isinstance(query, Map)
        flat.append(read.without("query").with_({"client": query["reader"], "serial": query["serial"]}))
    return tuple(flat)


_FIELDS = (
    *(field for field in FIELDS if field.name != "outbox"),
    replace(_BY_NAME["outbox"], expected=_outbox),
    replace(_BY_NAME["match_index"], name="round"),
    replace(_BY_NAME["next_index"], name="confirmed"),  # without the server's own, which no rule reads either
    replace(_BY_NAME["match_index"], name="reads", expected=_reads),
)


# ------------------------------------------------------------------------------------------ what each label does


def _begin(drive: Drive, initial: TraceState) -> None:
    TABLE.begin(drive, initial)
    for name in ("asked", "got"):
        readers = initial.variables.get(name, Map())
        assert isinstance(readers, Map)
        drive.memory[name] = dict.fromkeys(readers, 0)
    drive.memory["seen"] = set()


def _sent(drive: Drive, message: Map) -> None:
    TABLE.sent(drive, message)
    writes = message.get("writes")
    if isinstance(writes, tuple):
        drive.memory["seen"].update(
            Map({"client": pair[0], "serial": pair[1]}) for pair in writes if isinstance(pair, tuple)
        )


def _read(drive: Drive, label: Label) -> None:
    reader = drive.process(label)
    serial = drive.memory["asked"].get(reader, 0) + 1
    drive.memory["asked"][reader] = serial
    drive.network.put(envelope("ReadRequest", reader, str(drive.argument(label, "server")), serial=serial))


def _read_response(drive: Drive, label: Label) -> None:
    reader = drive.process(label)
    message = drive.message(label)
    drive.take(message)
    if message["serial"] == drive.memory["asked"].get(reader):
        drive.memory["got"][reader] = message["serial"]


def _seen(state: TraceState) -> Value:
    ghosts = state.variables.get("ghosts")
    return ghosts.get("seen") if isinstance(ghosts, Map) else None


def _of_readers(name: str) -> Own:
    return Own(name, lambda state: state.variables.get(name), lambda drive: Map(drive.memory[name]))


READ_TABLE = replace(
    TABLE,
    name="raft_read.spec",
    steps={**TABLE.steps, "read": _read, "read_request": Drive.deliver, "read_response": _read_response},
    fields=_FIELDS,
    message=_message,
    begin=_begin,
    sent=_sent,
    own=(
        *TABLE.own,
        _of_readers("asked"),
        _of_readers("got"),
        Own("seen", _seen, lambda drive: frozenset(drive.memory["seen"])),
    ),
)
