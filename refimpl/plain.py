"""Entries, messages and durable states in the plain form that traces carry: dicts, lists, strings, numbers.

A trace knows a command only by its client and serial. Here it stands for one operation: the client's mark is appended
to one key, so that a command that takes effect twice leaves two marks. A read is one of that key; its value is told as
the [client, serial] of each mark. A field that has its default value is left out: a trace without reads knows of no
rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from refimpl.durable import Durable
from refimpl.entry import Append, ClientId, Command, Entry, Operation, Serial, Term
from refimpl.errors import ImpossibleRequest
from refimpl.kv import KeyValueStore
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    Message,
    ReadRequest,
    ReadResponse,
    RequestVote,
    RequestVoteResponse,
    ServerMessage,
)

Plain = dict[str, Any]
"""A JSON object; its values are whatever the trace gives, checked where they are read."""

_WRITES = "writes"
_RECEIVABLE = {kind.__name__: kind for kind in (RequestVote, RequestVoteResponse, AppendEntries, AppendEntriesResponse)}


def plain_message(message: Message) -> Plain:
    """The message as a dict: its type, then its fields; what traces do not know, operations and keys, is left out."""
    plain: Plain = {"type": type(message).__name__}
    for field in fields(message):
        value = getattr(message, field.name)
        if isinstance(message, AppendEntries) and field.name == "entries":
            plain["entries"] = [plain_entry(entry) for entry in message.entries]
        elif isinstance(message, ReadResponse) and field.name == "value":
            plain["writes"] = _writes(message.value)
        elif field.name not in ("operation", "key") and value != field.default:
            plain[field.name] = value
    return plain


def message_from(plain: Mapping[str, Any]) -> ServerMessage:
    """The message that a server can receive. Raises ImpossibleRequest for any other, or for missing fields."""
    values = {name: value for name, value in plain.items() if name != "type"}
    try:
        if plain["type"] == ClientRequest.__name__:
            client, serial = ClientId(values["source"]), Serial(values["serial"])
            return ClientRequest(**values, operation=_mark(client, serial))
        if plain["type"] == ReadRequest.__name__:
            return ReadRequest(**values, key=_WRITES)
        if plain["type"] == AppendEntries.__name__:
            values["entries"] = tuple(entry_from(entry) for entry in values["entries"])
        return _RECEIVABLE[plain["type"]](**values)
    except (KeyError, TypeError) as error:
        raise ImpossibleRequest(
            f"message {dict(plain)} ({type(error).__name__}: {error})",
            f"the fields of {', '.join(_RECEIVABLE)}, {ClientRequest.__name__} or {ReadRequest.__name__}",
            "compare the message with refimpl/messages.py",
        ) from error


def plain_entry(entry: Entry) -> Plain:
    """The entry as a dict; a no-op has client None and serial 0."""
    if entry.command is None:
        return {"term": entry.term, "client": None, "serial": 0}
    return {"term": entry.term, "client": entry.command.client, "serial": entry.command.serial}


def entry_from(plain: Mapping[str, Any]) -> Entry:
    """The entry that the dict stands for; raises KeyError for a missing key."""
    term, client, serial = Term(plain["term"]), plain["client"], Serial(plain["serial"])
    if client is None:
        return Entry(term, command=None)
    return Entry(term, Command(ClientId(client), serial, _mark(ClientId(client), serial)))


def plain_durable(state: Durable) -> Plain:
    """A durable state as a dict."""
    return {
        "current_term": state.current_term,
        "voted_for": state.voted_for,
        "log": [plain_entry(entry) for entry in state.log.entries],
        "commit_index": state.commit_index,
    }


def plain_store(store: KeyValueStore) -> list[list[Any]]:
    """The [client, serial] of every command that took effect, in that order, read back from the marks."""
    return _writes(store.read(_WRITES))


def _writes(value: str | None) -> list[list[Any]]:
    marks = (value or "").split(";")[:-1]
    pairs = [mark.rsplit(":", maxsplit=1) for mark in marks]
    return [[client, int(serial)] for client, serial in pairs]


def _mark(client: ClientId, serial: Serial) -> Operation:
    if ";" in client:
        raise ImpossibleRequest(f"client name {client!r}", "names without ';', which ends a mark", "rename the client")
    return Append(_WRITES, f"{client}:{serial};")
