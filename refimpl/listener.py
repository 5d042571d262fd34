"""Connections that others make to a server: who they are, what they may say, and when they are cut off.

Nothing that arrives here can stop the server: what is malformed, oversized, of another version, from somebody who
cannot prove his name, or too late is answered with a Refusal if the other side could read one, logged, counted, and its
connection closed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from refimpl import wire
from refimpl.admission import refuse_foreign, too_large
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest, MalformedMessage
from refimpl.events import Events
from refimpl.keepalive import notice_death
from refimpl.messages import ClientRequest, PeerMessage, ReadRequest
from refimpl.metrics import Metrics
from refimpl.tls import names_in
from refimpl.wire import Request, ServerReply, Status, StatusRequest

MAX_CLIENTS = 1000
"""One more is refused. Peers always get in, each with one connection."""
MAX_STRANGERS = 200
"""Connections that have not said who they are. One more, and the oldest goes: whoever just opens connections, without a
name, keeps nobody out who has one and says it at once."""
MAX_LINES = 100
"""Refusals that are logged at once: whoever opens connections must not fill the disk with lines about it."""
LINES_PER_SECOND = 10
"""How many more may be logged as time goes by."""
MAX_NAME = 64
"""Letters in the name of a client, so that its sessions' names fit into a message (refimpl/entry.py)."""
SECONDS_TO_CLOSE = 1.0
"""For what is still to be sent when a connection is closed; the other side may never take it."""
SECONDS_TO_GREET = 5.0
"""For TLS and Hello together."""
MAX_UNREAD = 1 << 24
"""Bytes of answers that a client may leave unread before it is cut off."""


class Service(Protocol):
    """What a listener hands on."""

    def receive(self, message: PeerMessage) -> None: ...

    def request(self, request: Request, reply: Callable[[ServerReply], None]) -> None: ...

    def status(self) -> Status: ...


@dataclass(slots=True)
class Reception:
    """What all connections of one server share. `tls` is None where nobody has to prove anything."""

    server: ServerId
    servers: tuple[ServerId, ...]
    tls: ssl.SSLContext | None
    service: Service
    events: Events
    metrics: Metrics
    greeted: Callable[[ServerId], None]  # is told of each peer that has got in
    open: dict[Accepted, None] = field(default_factory=dict)  # in an order, so that a virtual run can be run again
    strangers: dict[Accepted, None] = field(default_factory=dict)  # the oldest first
    clients: dict[Accepted, None] = field(default_factory=dict)
    peers: dict[str, Accepted] = field(default_factory=dict)
    _lines: float = MAX_LINES  # of refusals that the log still takes
    _counted_at: float = 0.0
    _unsaid: int = 0

    def accept(self) -> Accepted:
        """A protocol for a new connection; asyncio's protocol factory."""
        return Accepted(self)

    def note_refusal(self, reason: str, **fields: object) -> None:
        """Count it, and log it, unless there are too many; the next line that is logged says how many were not."""
        self.metrics.refused(reason)
        now = asyncio.get_running_loop().time()
        self._lines = min(MAX_LINES, self._lines + (now - self._counted_at) * LINES_PER_SECOND)
        self._counted_at = now
        if self._lines < 1:
            self._unsaid += 1
            return
        self._lines -= 1
        unsaid, self._unsaid = self._unsaid, 0
        self.events.warning("refused", reason=reason, **fields, **({"unsaid": unsaid} if unsaid else {}))

    async def close(self) -> None:
        """Close them all. What was written to them goes out, if the other side takes it soon."""
        for connection in tuple(self.open):
            connection.close()
        for _ in range(round(SECONDS_TO_CLOSE / 0.01)):
            if not self.open:
                return
            await asyncio.sleep(0.01)
        for connection in tuple(self.open):
            connection.abort()
        await asyncio.sleep(0)  # asyncio closes sockets in its next round


class Accepted(asyncio.Protocol):
    """One connection, from its first byte to its last."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._transport: asyncio.Transport | None = None  # None again once nothing more is to be said
        self._socket: asyncio.Transport | None = None
        self._frames = wire.FrameReader()
        self._take: Callable[[bytes], None] = self._take_hello
        self._name = ""
        self._address = "unknown"
        self._deadline: asyncio.TimerHandle | None = None
        self._securing: asyncio.Task[None] | None = None
        self._early = b""

    # What asyncio calls ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = self._socket = transport
        notice_death(transport)
        host, port = transport.get_extra_info("peername")[:2]
        self._address = f"{host}:{port}"
        self._reception.open[self] = None
        self._reception.metrics.connections(1)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(SECONDS_TO_GREET, self._refuse, "slow", "no Hello in time")
        self._reception.strangers[self] = None
        if self._reception.tls is not None:
            transport.pause_reading()  # not a byte of plain text is looked at
            self._securing = loop.create_task(self._secure(transport, self._reception.tls))
        if len(self._reception.strangers) > MAX_STRANGERS:
            oldest = next(iter(self._reception.strangers))
            oldest._refuse("crowd", f"more than {MAX_STRANGERS} connections without a Hello")

    def data_received(self, data: bytes) -> None:
        if self._securing is not None:
            self._early += data  # decrypted already, before `_secure` has heard that TLS is up
            return
        try:
            for payload in self._frames.feed(data):
                if self._transport is None:
                    return
                self._take(payload)
        except MalformedMessage as error:
            self._refuse("malformed", str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self.close()
        self._reception.open.pop(self, None)

    def abort(self) -> None:
        """Be done at once."""
        if self._socket is not None:
            self._socket.abort()

    def close(self) -> None:
        """Stop reading, let what was written go out, and be done."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        if self._securing is not None:
            self._securing.cancel()
        self._reception.strangers.pop(self, None)
        self._reception.clients.pop(self, None)
        if self._reception.peers.get(self._name) is self:
            del self._reception.peers[self._name]
        transport.close()
        asyncio.get_running_loop().call_later(SECONDS_TO_CLOSE, self.abort)
        self._reception.metrics.connections(-1)

    # The handshake --------------------------------------------------------------------------------------------------

    async def _secure(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """TLS by hand, not by asyncio's listener, which says nothing of those who fail."""
        secured = None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=SECONDS_TO_GREET
            )
        except (OSError, EOFError) as error:  # ssl.SSLError is an OSError
            self._securing = None
            self._refuse("unauthenticated", f"TLS failed: {str(error) or type(error).__name__}", tell=False)
        finally:  # also where `close` has given up waiting
            self._securing = None
            if secured is None:
                transport.abort()
                self._reception.open.pop(self, None)  # asyncio tells nobody that a connection ended before TLS was up
        if secured is None:
            return
        if self._transport is None:
            transport.abort()
            return
        self._transport = secured
        self.data_received(self._early)

    def _take_hello(self, payload: bytes) -> None:
        reception = self._reception
        hello = wire.read_hello(payload)
        refusal = _why_not(hello, reception) or self._why_not_named(hello.name)
        if refusal is not None:
            self._refuse(*refusal)
            return
        assert self._deadline is not None
        self._deadline.cancel()
        self._name = hello.name
        del reception.strangers[self]
        match hello.peer:
            case wire.Peer.SERVER:
                self._take, self._frames.limit = self._take_from_server, wire.MAX_FRAME
                before = reception.peers.get(hello.name)
                reception.peers[hello.name] = self
                if before is not None:
                    before.close()  # a server has one link to us; it knows better than we do that it has ended
            case wire.Peer.CLIENT:
                self._take, self._frames.limit = self._take_from_client, wire.MAX_REQUEST
                reception.clients[self] = None
        self._write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, reception.server)))
        if hello.peer is wire.Peer.SERVER:
            reception.events.info("accepted", peer=hello.name, address=self._address)
            reception.greeted(ServerId(hello.name))

    def _why_not_named(self, name: str) -> tuple[str, str] | None:
        if self._reception.tls is None:
            return None
        assert self._transport is not None
        proven = names_in(self._transport.get_extra_info("peercert"))
        if name in proven:
            return None
        return "unauthenticated", f"{name!r} with a certificate for {', '.join(sorted(proven)) or 'nobody'}"

    # Afterwards -------------------------------------------------------------------------------------------------------

    def _take_from_server(self, payload: bytes) -> None:
        message = wire.PEER.decode(payload)
        refuse_foreign(message, self._name, self._reception.server)
        self._reception.service.receive(message)

    def _take_from_client(self, payload: bytes) -> None:
        message = wire.REQUEST.decode(payload)
        match message:
            case ClientRequest() | ReadRequest():
                refuse_foreign(message, self._name, self._reception.server)
                reason = too_large(message)
                if reason is not None:
                    self._reply(wire.Rejected(message.source, message.serial, reason))
                    return
                self._reception.service.request(message, self._reply)
            case StatusRequest():
                self._reply(self._reception.service.status())

    def _reply(self, reply: ServerReply) -> None:
        self._reception.metrics.request(type(reply).__name__.lower())
        try:
            data = wire.REPLY.encode(reply)
        except ImpossibleRequest as error:  # a value that has grown by Append beyond what a frame holds
            assert isinstance(reply, wire.Answer)
            data = wire.REPLY.encode(wire.Rejected(reply.client, reply.serial, f"the answer is too large: {error}"))
        self._write(data)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return  # the client has gone; it will ask again if it wants to know
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_UNREAD:
            self._reception.note_refusal("unread", address=self._address, name=self._name)
            transport.abort()
            self.close()

    def _refuse(self, reason: str, detail: str, tell: bool = True) -> None:
        self._reception.note_refusal(reason, detail=detail, address=self._address, name=self._name or None)
        if tell and self._take == self._take_hello and self._securing is None:
            self._write(wire.REPLY_TO_HELLO.encode(wire.Refusal(wire.VERSION, detail[:1000])))
        self.close()


def _why_not(hello: wire.Hello, reception: Reception) -> tuple[str, str] | None:
    """The reason to refuse somebody, with its detail; None to welcome him."""
    if hello.version != wire.VERSION:
        return "version", f"version {hello.version} of the protocol; this server speaks {wire.VERSION}"
    if hello.destination != reception.server:
        return "misdirected", f"looking for {hello.destination}; this is {reception.server}"
    match hello.peer:
        case wire.Peer.SERVER:
            if hello.name == reception.server or hello.name not in reception.servers:
                return "unknown", f"server {hello.name!r}; the others here are {', '.join(reception.servers)}"
            if frozenset(hello.servers) != frozenset(reception.servers):
                return "cluster", f"a cluster of {', '.join(hello.servers)}; ours is {', '.join(reception.servers)}"
        case wire.Peer.CLIENT:
            if not 0 < len(hello.name) <= MAX_NAME or "/" in hello.name:
                return "unknown", f"client {hello.name!r}; a name has 1 to {MAX_NAME} letters, and no '/'"
            if len(reception.clients) >= MAX_CLIENTS:
                return "crowd", f"more than {MAX_CLIENTS} clients"
    return None
