"""What a harness says to a server whose timers and effects it holds, and what the server answers.

The two talk over a pair of connected sockets that the harness made and the server inherited: nobody else can reach it,
and a server whose harness is gone reads its end and stops. The frames are those of refimpl/wire.py. The server speaks
first (`Listening`); then each request has one reply, in order.

Messages between servers do not go this way. A server sends them over its own sockets, and what arrives there waits
until the harness asks for `TakeDelivery`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refimpl.wire import Codec

MAX_CONTROL = 1 << 24
"""Bytes of a request or reply: an observation holds a whole log."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """The election timer fires."""


@dataclass(frozen=True, slots=True)
class SendEntries:
    """It is time to send the peer an AppendEntries."""

    peer: str


@dataclass(frozen=True, slots=True)
class TakeDelivery:
    """Take the message that the harness has sent to the server's socket, as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Make durable what was written."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Let the state machine apply the next committed entry."""


@dataclass(frozen=True, slots=True)
class AnswerClient:
    """Answer the client that has waited longest and whose entry is applied."""


@dataclass(frozen=True, slots=True)
class Observe:
    """Say what can be seen of this server."""


@dataclass(frozen=True, slots=True)
class LetThrough:
    """Of the frames written and not flushed, let the first `keep` reach the files, and if `torn` half of the next one:
    the server is about to be killed."""

    keep: int
    torn: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """Forget everything and start from this folder, as a new process would."""

    folder: str


Request = Campaign | SendEntries | TakeDelivery | Flush | Apply | AnswerClient | Observe | LetThrough | Begin


@dataclass(frozen=True, slots=True)
class Listening:
    """The server has recovered and takes connections at this port of the loopback interface."""

    port: int


@dataclass(frozen=True, slots=True)
class Performed:
    """It is done; for it messages were given to the network, in this order: their types and destinations."""

    sent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """The fields of refimpl/observation.py."""

    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The server cannot do what is asked, or will not: the parts of an ImpossibleRequest or ProtocolViolation."""

    error: str
    found: str
    allowed: str
    remedy: str


Reply = Listening | Performed | Observed | Refused

REQUEST = Codec[Request](
    MAX_CONTROL, Campaign, SendEntries, TakeDelivery, Flush, Apply, AnswerClient, Observe, LetThrough, Begin
)
REPLY = Codec[Reply](MAX_CONTROL, Listening, Performed, Observed, Refused)
