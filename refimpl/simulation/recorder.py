"""The record of a run: a hash over every step, and the last steps in words."""

from __future__ import annotations

import hashlib
from collections import deque

from refimpl.interface import Candidate, Follower, Leader
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    ClientResponse,
    Message,
    ReadRequest,
    ReadResponse,
    RequestVote,
    RequestVoteResponse,
)
from refimpl.simulation.events import Arrival, ClientTurn, Event, Heal, Strike
from refimpl.simulation.host import Host

LAST = 30
"""How many steps are shown when a promise is broken."""


class Recorder:
    """Two runs with the same hash have taken the same steps to the same states."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=LAST)
        self._hash = hashlib.blake2b(digest_size=16)

    def step(self, number: int, now: int, event: Event, host: Host | None) -> None:
        state = "" if host is None else f": {described_host(host)}"
        line = f"{number} at {now / 1000:.3f} ms, {described(event)}{state}"
        self.last.append(line)
        self._hash.update(line.encode())

    def file(self, contents: bytes) -> None:
        """Let the hash depend on what a disk holds at the end, too."""
        self._hash.update(contents)

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()


def described(event: Event) -> str:
    match event:
        case Arrival(message):
            return f"{message.source} → {message.destination} {_described_message(message)}"
        case ClientTurn(client, serial, attempt):
            return f"{client} turn {serial}.{attempt}"
        case Strike(misfortune):
            return f"strike: {misfortune.value}"
        case Heal(partition):
            return f"partition {partition} heals"
        case _:
            return f"{event.server} {type(event).__name__}"


def described_host(host: Host) -> str:
    """The server's state in a few words."""
    if not host.node.is_up:
        return f"{host.name} is down"
    raft = host.node.raft
    match raft.role:
        case Leader():
            role = "leads"
        case Candidate():
            role = "campaigns in"
        case Follower():
            role = f"follows (vote {raft.voted_for}) in"
    log = raft.log
    return (
        f"{host.name} {role} term {raft.current_term}, {log.last_index} entries to term {log.last_term}, "
        f"commit {raft.commit_index}, applied {raft.last_applied}, {len(host.node.unflushed_ends)} unflushed"
    )


def _described_message(message: Message) -> str:
    match message:
        case AppendEntries():
            return (
                f"AppendEntries term {message.term}, {len(message.entries)} after {message.prev_log_index} of term "
                f"{message.prev_log_term}, commit {message.leader_commit}"
            )
        case AppendEntriesResponse():
            return f"{'success' if message.success else 'refusal'} term {message.term}, index {message.index}"
        case RequestVote():
            return f"RequestVote term {message.term}, log to {message.last_log_index} of term {message.last_log_term}"
        case RequestVoteResponse():
            return f"{'vote' if message.vote_granted else 'no vote'} term {message.term}"
        case ClientRequest():
            return f"request {message.serial}: {message.operation}"
        case ClientResponse():
            return f"answer {message.serial}"
        case ReadRequest():
            return f"read {message.serial} of {message.key}"
        case ReadResponse():
            return f"value {message.serial}: {message.value}"
