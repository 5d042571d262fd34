"""How messages travel between processes: frames, the handshake, and what is refused.

A frame, integers little-endian:

    offset  size  field
    0       4     length of the payload in bytes
    4       4     CRC32C of the payload
    8       *     payload: [kind, message] in MessagePack

The dialling side sends Hello, the listening side Welcome, or Refusal before it closes; then frames flow both ways. Each
direction has a codec of its own with the kinds of message that may travel there, so that a client cannot play a server.

Decoding is strict: a payload is accepted only if encoding its message gives the same bytes, so that there is one
spelling of each message and no unknown field passes unread. The checksum is for broken software between the two sides,
which TCP's own would let through; who the other side is, TLS says (refimpl/tls.py).

Errors: `ImpossibleRequest` says that we would have sent what may not be sent, `MalformedMessage` that the other side
has. After the latter nothing in that stream can be believed, so the connection ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import google_crc32c
import msgspec

from refimpl.entry import ClientId, Index, Serial, ServerId, Term
from refimpl.errors import ImpossibleRequest, MalformedMessage
from refimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ClientRequest,
    PeerMessage,
    ReadRequest,
    RequestVote,
    RequestVoteResponse,
)

VERSION = 1
"""Of everything below; the two sides of a connection must have the same."""
MAX_KEY = 1 << 10
MAX_VALUE = 1 << 16
"""Bytes of UTF-8 in one command."""
MAX_ENTRIES = 64
"""In one AppendEntries: so many of the largest commands fit into a frame, and into a record of the log file."""
MAX_HELLO = 1 << 12
"""Bytes of payload from somebody who has not said who he is."""
MAX_REQUEST = MAX_KEY + MAX_VALUE + (1 << 10)
"""Bytes of payload from a client."""
MAX_FRAME = (MAX_ENTRIES + 1) * MAX_REQUEST
"""Bytes of payload from a server."""
MAX_NUMBER = 1 << 53
"""Terms, indices and serials; beyond it a server could not count on."""

HEADER = struct.Struct("<II")

# The handshake ------------------------------------------------------------------------------------------------------


class Peer(Enum):
    """What the dialling side is. A server sends nothing back on a connection that another server has dialled."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who dials, and whom he believes to have reached. A server names its cluster: two servers that count a majority
    among different members must not count on each other. A client leaves `servers` empty."""

    version: int
    peer: Peer
    name: str
    destination: ServerId
    servers: tuple[ServerId, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The listening side agrees."""

    version: int
    server: ServerId


@dataclass(frozen=True, slots=True)
class Refusal:
    """The listening side does not, and will close."""

    version: int
    reason: str


# Answers to clients -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """The command with this serial has taken effect, once, and will not be lost; `response` is the state machine's, or
    the value that was read."""

    client: ClientId
    serial: Serial
    response: str | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """This server does not lead, or leads no more: ask the leader, if one is known. The command, sent again with its
    serial, takes effect once, whether or not its first copy does."""

    client: ClientId
    serial: Serial
    leader: ServerId | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """This request was not taken up, here or anywhere, and will not be if it is sent again as it is."""

    client: ClientId
    serial: Serial
    reason: str


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A client asks any server how it is."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a server sees itself. `match_index` is a leader's, of the others."""

    server: ServerId
    servers: tuple[ServerId, ...]
    role: str
    term: Term
    leader: ServerId | None
    last_index: Index
    commit_index: Index
    last_applied: Index
    match_index: dict[ServerId, Index]


Request = ClientRequest | ReadRequest
"""What a client asks of the leader."""
ClientMessage = Request | StatusRequest
"""What a client may send."""
ServerReply = Answer | Redirect | Rejected | Status
"""What a server may send to a client."""

# Frames -------------------------------------------------------------------------------------------------------------


def frame(payload: bytes, limit: int) -> bytes:
    """The frame that carries the payload. Raises ImpossibleRequest if it is larger than the other side takes."""
    if len(payload) > limit:
        raise ImpossibleRequest(
            f"a message of {len(payload)} bytes", f"at most {limit}", "send a smaller key or value, or less at once"
        )
    return HEADER.pack(len(payload), google_crc32c.value(payload)) + payload


class FrameReader:
    """Cuts a stream of bytes into payloads. `limit` may be raised once the other side is known."""

    def __init__(self, limit: int = MAX_HELLO) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads that are whole with this data. Raises MalformedMessage; the stream is worth nothing then."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEADER.size:
                length, checksum = HEADER.unpack_from(self._buffer, start)
                if not 0 < length <= self.limit:
                    raise MalformedMessage(
                        f"a frame of {length} bytes", f"1 to {self.limit} bytes", "find out who speaks another protocol"
                    )
                end = start + HEADER.size + length
                if end > len(self._buffer):
                    return
                payload = bytes(self._buffer[start + HEADER.size : end])
                if google_crc32c.value(payload) != checksum:
                    raise MalformedMessage(
                        "a frame whose checksum is wrong", "frames that arrive as sent", "look for what changes bytes"
                    )
                start = end
                yield payload
        finally:
            del self._buffer[:start]


# Codecs -------------------------------------------------------------------------------------------------------------

Kind = TypeVar("Kind")
_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])


class Codec(Generic[Kind]):
    """What may travel in one direction: kinds of message, dataclasses with different names, in frames of a size."""

    def __init__(self, limit: int, *kinds: type[Kind]) -> None:
        self.limit = limit
        self._decoders = {kind.__name__: msgspec.msgpack.Decoder(kind) for kind in kinds}

    def encode(self, message: Kind) -> bytes:
        """The message's frame. Raises ImpossibleRequest if it is too large."""
        name = type(message).__name__
        assert name in self._decoders, f"{name} does not travel in this direction"
        return frame(_ENCODER.encode((name, message)), self.limit)

    def decode(self, payload: bytes, strict: bool = True) -> Kind:
        """The message that a frame carried; not strict: whatever else is in it. Raises MalformedMessage."""
        try:
            name, body = _ENVELOPE.decode(payload)
            message = self._decoders[name].decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError) as error:
            raise MalformedMessage(
                f"a payload that is no message here ({type(error).__name__}: {str(error)[:200]})",
                f"one of {', '.join(self._decoders)}",
                "find out who speaks another version",
            ) from None
        if strict and _ENCODER.encode((name, message)) != payload:
            raise MalformedMessage(
                f"{name} in an unusual spelling, or with more than its fields",
                "the bytes that refimpl/wire.py encodes",
                "find out who speaks another version",
            )
        return message




HELLO = Codec[Hello](MAX_HELLO, Hello)
REPLY_TO_HELLO = Codec[Welcome | Refusal](MAX_HELLO, Welcome, Refusal)
PEER = Codec[PeerMessage](MAX_FRAME, RequestVote, RequestVoteResponse, AppendEntries, AppendEntriesResponse)
REQUEST = Codec[ClientMessage](MAX_REQUEST, ClientRequest, ReadRequest, StatusRequest)
REPLY = Codec[ServerReply](MAX_FRAME, Answer, Redirect, Rejected, Status)


def read_hello(payload: bytes) -> Hello:
    """The Hello of a payload, also one of another version that says more than ours. Raises MalformedMessage."""
    hello = HELLO.decode(payload, strict=False)
    return hello if hello.version != VERSION else HELLO.decode(payload)
