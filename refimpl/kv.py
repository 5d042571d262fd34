"""The state machine: a key-value store in which each client's command takes effect once (Ongaro 2014 §6.3).

A client that got no answer sends its command again, and both copies may become committed entries. The store keeps
a session for each client, with the highest serial it has applied, and lets a later copy pass without effect. It is
volatile: a restart builds it again from the log (§3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.entry import Append, ClientId, Delete, Entry, Get, Operation, Put, Serial
from refimpl.faults import Fault


@dataclass(frozen=True, slots=True)
class Session:
    """The latest command of a client that was applied, and what the store responded to it."""

    serial: Serial
    response: str | None


class KeyValueStore:
    """Keys, values and sessions: a function of the entries applied, in order, and of nothing else."""

    __slots__ = ("_broken", "sessions", "values")

    def __init__(self, broken: frozenset[Fault] = frozenset()) -> None:
        self.values: dict[str, str] = {}
        self.sessions: dict[ClientId, Session] = {}
        self._broken = broken

    def apply(self, entry: Entry) -> str | None:
        """Let a committed entry take effect, at most once for its client and serial.

        Returns the response: the value for Get (None if the key is absent), None otherwise. A copy of the latest
        command gets the response of the first copy. A copy of an older one gets None; its client has gone on to a
        later serial, so nobody waits for it (one outstanding command per client).
        """
        command = entry.command
        if command is None:
            return None
        session = self.sessions.get(command.client)
        last_serial = Serial(0) if session is None else session.serial
        if session is not None and command.serial <= last_serial and Fault.NO_DEDUP not in self._broken:
            return session.response if command.serial == last_serial else None
        response = self._perform(command.operation)
        self.sessions[command.client] = Session(max(last_serial, command.serial), response)
        return response

    def read(self, key: str) -> str | None:
        """The key's value, None if it is absent, after what has been applied so far (§6.4)."""
        return self.values.get(key)

    def _perform(self, operation: Operation) -> str | None:
        match operation:
            case Put(key, value):
                self.values[key] = value
                return None
            case Append(key, value):
                self.values[key] = self.values.get(key, "") + value
                return None
            case Delete(key):
                self.values.pop(key, None)
                return None
            case Get(key):
                return self.values.get(key)
