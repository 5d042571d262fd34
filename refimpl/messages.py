"""What servers and clients say to each other (Ongaro 2014, Figure 3.1 and §6.3).

Remote procedure calls are split into a request and a response message, because either can be lost on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from refimpl.entry import NO_ROUND, ClientId, Entry, Index, Operation, Round, Serial, ServerId, Term


@dataclass(frozen=True, slots=True)
class RequestVote:
    """A candidate asks for a vote and says how up-to-date its log is (§3.4, §3.6.1)."""

    source: ServerId
    destination: ServerId
    term: Term
    last_log_index: Index
    last_log_term: Term


@dataclass(frozen=True, slots=True)
class RequestVoteResponse:
    """The answer to RequestVote; `term` is the voter's, for a candidate that is behind."""

    source: ServerId
    destination: ServerId
    term: Term
    vote_granted: bool


@dataclass(frozen=True, slots=True)
class AppendEntries:
    """A leader sends entries (one, unless configured otherwise) and its commit index; none: a heartbeat (§3.5).

    `round` is the leader's latest round of reads (§6.4).
    """

    source: ServerId
    destination: ServerId
    term: Term
    prev_log_index: Index
    prev_log_term: Term
    entries: tuple[Entry, ...]
    leader_commit: Index
    round: Round = NO_ROUND


@dataclass(frozen=True, slots=True)
class AppendEntriesResponse:
    """The answer to AppendEntries.

    `index` is the last index that is known to match the leader's log if `success`, and the follower's last index
    otherwise: a hint that spares the leader from stepping back through a gap entry by entry (§3.5, last paragraphs).
    The success carries the index because responses may arrive late, doubled and out of order. `round` is that of a
    request of the response's own term, NO_ROUND of any other: the follower knew of no later term when it answered a
    message that left in that round of that term (§6.4).
    """

    source: ServerId
    destination: ServerId
    term: Term
    success: bool
    index: Index
    round: Round = NO_ROUND


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A client asks the server that it takes for the leader to perform an operation; a retry has the same serial."""

    source: ClientId
    destination: ServerId
    serial: Serial
    operation: Operation


@dataclass(frozen=True, slots=True)
class ClientResponse:
    """The command with this serial has taken effect, once, and will not be lost."""

    source: ServerId
    destination: ClientId
    serial: Serial


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A client asks the server that it takes for the leader for the value of a key, without an entry (§6.4)."""

    source: ClientId
    destination: ServerId
    serial: Serial
    key: str


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """The value of the key, None if absent, at some moment between this read's request and its response."""

    source: ServerId
    destination: ClientId
    serial: Serial
    value: str | None


PeerMessage = RequestVote | RequestVoteResponse | AppendEntries | AppendEntriesResponse
"""What carries a term."""
ServerMessage = PeerMessage | ClientRequest | ReadRequest
"""What a server may receive."""
Message = ServerMessage | ClientResponse | ReadResponse
