"""Connections that we make: to another server, as a server or as a client.

`Address` is where somebody listens; `dial` connects, proves who we are, checks who they are, and says Hello.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from refimpl import wire
from refimpl.errors import ConnectionRefused, ImpossibleRequest, MalformedMessage
from refimpl.keepalive import notice_death
from refimpl.tls import names_in

SECONDS_TO_CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> Address:
        """From HOST:PORT; an IPv6 host stands in brackets. Raises ImpossibleRequest."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise ImpossibleRequest(f"address {text!r}", "HOST:PORT, the port 0 to 65535", "correct the address")
        try:
            host.encode("idna")  # as the resolver will, which is no place to find this out
        except UnicodeError as error:
            raise ImpossibleRequest(f"address {text!r}: {error}", "the name of a host", "correct it") from error
        return Address(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Dialled(asyncio.Protocol):
    """A connection that we made. After the handshake each payload goes to `take`."""

    def __init__(self, take: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self.greeting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.writable = True
        self._frames = wire.FrameReader()
        self._take = take
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self.resumed: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        notice_death(transport)

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._frames.feed(data):
                if not self.greeting.done():
                    self._frames.limit = wire.MAX_FRAME
                    self.greeting.set_result(payload)
                else:
                    self._take(payload)
        except MalformedMessage as error:
            if not self.greeting.done():
                self.greeting.set_exception(error)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.greeting.done():
            secure = self._transport is not None and self._transport.get_extra_info("sslcontext") is not None
            why = error or ("no reason given" if secure else "perhaps it wants a certificate")
            self.greeting.set_exception(ConnectionError(f"closed before a welcome ({why})"))
            self.greeting.exception()  # whoever dialled may have given up
        self._transport = None
        self.lost.set()
        self._closed()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.resumed()

    def write(self, data: bytes) -> None:
        """Send a frame; nothing if the connection has ended."""
        if self._transport is not None:
            self._transport.write(data)

    def refuse_name_but(self, name: str, tls: ssl.SSLContext | None) -> None:
        """Raises ConnectionRefused if the other side has proved another name: to TLS, S1 and s1 are the same."""
        if tls is None or self._transport is None:
            return
        proven = names_in(self._transport.get_extra_info("peercert"))
        if name not in proven:
            raise ConnectionRefused(
                f"a certificate for {', '.join(sorted(proven)) or 'nobody'}", f"one for {name}", "correct the address"
            )

    def close(self) -> None:
        """Hang up at once; `lost` is set when that has happened. Whoever dials waits for answers, not for farewells."""
        if self._transport is not None:
            self._transport.abort()


async def dial(
    address: Address, tls: ssl.SSLContext | None, hello: wire.Hello, take: Callable[[bytes], None],
    closed: Callable[[], None],
) -> Dialled:  # fmt: skip
    """A connection on which the other side has welcomed us. Raises ConnectionRefused, MalformedMessage, OSError.

    `closed` is called once the connection has ended; also if that is before the welcome.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(SECONDS_TO_CONNECT):
        _, connection = await loop.create_connection(
            lambda: Dialled(take, closed),
            address.host,
            address.port,
            ssl=tls,
            server_hostname=None if tls is None else hello.destination,
        )
        try:
            connection.refuse_name_but(hello.destination, tls)
            connection.write(wire.HELLO.encode(hello))
            reply = wire.REPLY_TO_HELLO.decode(await connection.greeting)
            match reply:
                case wire.Welcome(version, server):
                    if (version, server) != (wire.VERSION, hello.destination):
                        raise ConnectionRefused(
                            f"{server} with version {version} of the protocol at {address}",
                            f"{hello.destination} with version {wire.VERSION}",
                            "correct the address, or run the same release everywhere",
                        )
                case wire.Refusal(_, reason):
                    raise ConnectionRefused(
                        f"{hello.destination} at {address} refused us: {reason}", "what it asks for", "see its log"
                    )
        except BaseException:
            connection.greeting.cancel()
            connection.close()
            raise
    return connection
