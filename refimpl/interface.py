"""What goes into the core and what comes out of it: inputs, roles, and the effects of one step as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refimpl.durable import Record
from refimpl.entry import ClientId, Index, Serial, ServerId, Term
from refimpl.faults import Fault
from refimpl.messages import Message, ServerMessage
from refimpl.reads import NO_READS, Read, Reads


@dataclass(frozen=True, slots=True)
class Config:
    """Who this server is, and the cluster, itself included. `broken` is empty outside tests of a checker.

    `max_entries` is how many entries an AppendEntries carries at most. One, as in the spec, is enough for the
    protocol; a server on a network sends more, so that a round trip pays for many.
    """

    server: ServerId
    servers: tuple[ServerId, ...]
    broken: frozenset[Fault] = frozenset()
    max_entries: int = 1

    def __post_init__(self) -> None:
        assert self.server in self.servers, "a server is a member of its cluster"
        assert self.max_entries >= 1, "a leader sends entries"
        assert len(set(self.servers)) == len(self.servers), "servers have different names"

    @property
    def peers(self) -> tuple[ServerId, ...]:
        return tuple(server for server in self.servers if server != self.server)


# Inputs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ElectionTimeout:
    """No leader was heard for an election timeout (§3.4)."""


@dataclass(frozen=True, slots=True)
class Replicate:
    """It is time to send the peer an AppendEntries: something is new, or a heartbeat is due."""

    peer: ServerId


@dataclass(frozen=True, slots=True)
class Receive:
    """A message has arrived from the network."""

    message: ServerMessage


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything that the core has asked to persist so far is on disk."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The state machine has applied the entry at last_applied + 1.

    `session` is the entry's client with the highest serial applied for it, None for a no-op.
    """

    index: Index
    session: tuple[ClientId, Serial] | None


Input = ElectionTimeout | Replicate | Receive | Flushed | Applied


# Roles: what a server knows only in that role, so that it cannot outlive the role -----------------------------------


@dataclass(frozen=True, slots=True)
class Waiter:
    """A client that waits until the entry at `index`, appended in `term`, is applied."""

    client: ClientId
    serial: Serial
    index: Index
    term: Term


@dataclass(frozen=True, slots=True)
class Follower:
    """Answers others and starts nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Asks for votes in its current term."""

    votes_granted: frozenset[ServerId]


@dataclass(frozen=True, slots=True)
class Leader:
    """Owns the log of its current term. The mappings have a key for every server, the leader itself included.

    match_index of the leader itself is how far its own log is flushed: it is the leader's vote in the count of
    copies (§10.2.1). `waiters` holds those whose entry is not yet applied, in the order of their entries; `no_op_index`
    is the place of the first entry of the term.
    """

    next_index: Mapping[ServerId, Index]
    match_index: Mapping[ServerId, Index]
    no_op_index: Index
    waiters: tuple[Waiter, ...] = ()
    reads: Reads = NO_READS


Role = Follower | Candidate | Leader


# Output ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """What the shell has to do after a step, in this order.

    persist: write this record to the log file; no fsync is asked for by itself.
    send: hand these to the network at once.
    send_after_sync: hand these to the network once everything persisted so far, this step's record included, is on
      disk; at once if it already is. They are promises that a crash must not break.
    abandon: drop every queued answer; this server is no longer the leader that owed them.
    apply: queue these indices for the state machine, in order; perform each and report it with Applied.
    answer: queue answers to these clients; their entries are applied.
    read: look these keys up in the state machine, as it is now, and answer at once: nothing durable changes.
    """

    persist: Record | None = None
    send: tuple[Message, ...] = ()
    send_after_sync: tuple[Message, ...] = ()
    abandon: bool = False
    apply: tuple[Index, ...] = ()
    answer: tuple[Waiter, ...] = ()
    read: tuple[Read, ...] = ()
