"""Connections between programs in one virtual loop: streams whose bytes arrive in order and a little later.

What asyncio promises of transports holds here, too. Who sends to somebody that does not read is told to pause. Bytes
that were written together may arrive apart. The connections of a program that dies are reset; those of a host without
power are silent, until what is sent to it has waited too long, or it is back and knows nothing of them.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from refimpl.virtual.machine import MACHINE, Machine

HOST = "127.0.0.1"
HIGH, LOW = 1 << 18, 1 << 16
"""Bytes that nobody has read, from which a sender is to pause, and to which until he may go on."""
FIRST_PORT = 1024
SECONDS_ALIVE = 25.0
"""Without a word, after which a system finds that the other one is gone (refimpl/keepalive.py)."""
SECONDS_UNDELIVERED = 10.0
"""The same for something that it has sent."""


class Network:
    """All listeners and connections of a loop.

    `latency`: seconds that the next bytes are on their way. `cut`: after how many of so many bytes they are torn apart,
    0 for not at all.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, latency: Callable[[], float], cut: Callable[[int], int]
    ) -> None:
        self.loop = loop
        self.latency = latency
        self.cut = cut
        self.ends: dict[End, None] = {}
        self._listeners: dict[int, Listener] = {}
        self._port = FIRST_PORT

    def listen(self, factory: Callable[[], asyncio.Protocol], host: str = HOST, port: int = 0) -> Listener:
        """Port 0 is one that nobody uses. Raises OSError."""
        if port == 0:
            port = self._port = self._port + 1
        if port in self._listeners:
            raise OSError(errno.EADDRINUSE, "address already in use")
        listener = self._listeners[port] = Listener(self, factory, host, port)
        return listener

    async def connect(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Raises ConnectionRefusedError where nobody listens. A paused machine's system answers in its stead."""
        await asyncio.sleep(self.latency())
        listener = self._listeners.get(port)
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {host}:{port}")
        protocol = factory()
        near, far = End(self, copy_context(), port), End(self, listener.context, port)
        near.peer, far.peer, near.protocol = far, near, protocol
        self.loop.call_soon(far.accept, listener.factory, context=far.context)
        protocol.connection_made(near)
        return near, protocol

    def end(self) -> None:
        """With the loop: nobody has to close what is left."""
        for end in self.ends:
            end.was_left()

    def forget(self, listener: Listener) -> None:
        if self._listeners.get(listener.port) is listener:
            del self._listeners[listener.port]

    def lose(self, machine: Machine, silently: bool = False) -> list[End]:
        """It listens no more, and its connections are reset; it hears nothing of that. Or they are silent, and are
        returned: `End.answer` lets its host say that it knows nothing of them."""
        for listener in tuple(self._listeners.values()):
            if listener.context.get(MACHINE) is machine:
                self.forget(listener)
        lost = [end for end in self.ends if end.context.get(MACHINE) is machine]
        for end in lost:
            end.vanish(silently)
        return lost


class Listener:
    """What `create_server` returns."""

    def __init__(self, network: Network, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        self.factory = factory
        self.host = host
        self.port = port
        self.context = copy_context()
        self._network = network

    @property
    def sockets(self) -> tuple[Listener, ...]:
        return (self,)

    def getsockname(self) -> tuple[str, int]:
        return self.host, self.port

    def close(self) -> None:
        self._network.forget(self)

    async def wait_closed(self) -> None:
        """It is closed at once."""

    async def __aenter__(self) -> Listener:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()


class End(asyncio.Transport):
    """One side of a connection."""

    peer: End
    protocol: asyncio.Protocol

    def __init__(self, network: Network, context: Context, port: int) -> None:
        super().__init__({"peername": (HOST, port), "socket": _NoSocket()})
        self.context = context
        self._network = network
        self._arrival = 0.0  # of what was sent last
        self._unread = 0  # bytes sent that the peer's program has not taken
        self._told_to_pause = False
        self._inbox: list[bytes | None] = []  # while reading is paused; None is the end
        self._reads = True
        self._ended = False  # nothing more is sent
        self._closing = False
        self._is_gone = False
        self._is_dark = False
        network.ends[self] = None

    def accept(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """On the machine that listens."""
        if not self._is_gone:
            self.protocol = factory()
            self.protocol.connection_made(self)

    # What programs do -------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended or not data:
            return
        self._unread += len(data)
        cut = self._network.cut(len(data))
        for piece in (data[:cut], data[cut:]):
            if piece:
                self._send(self.peer._take, bytes(piece))
        if self._unread > HIGH and not self._told_to_pause:
            self._told_to_pause = True
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        if not self._ended:
            self._ended = True
            self._send(self.peer._take, None)

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.write_eof()
        self._leave()

    def abort(self) -> None:
        if not self._is_gone and self._inbox:
            self._ended = True
            self._send(self.peer._reset)  # as the system says it for whoever leaves bytes unread
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reads = False

    def resume_reading(self) -> None:
        if not self._reads:
            self._reads = True
            self._network.loop.call_soon(self._read_on, context=self.context)

    def is_reading(self) -> bool:
        return self._reads

    def get_write_buffer_size(self) -> int:
        return max(0, self._unread - HIGH)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """They are the network's."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    # What the network does --------------------------------------------------------------------------------------------

    def vanish(self, silently: bool) -> None:
        """The machine has died."""
        if self._is_gone:
            return
        self._is_gone = self._closing = self._ended = True
        del self._network.ends[self]
        if silently:
            self._is_dark = True
            self._network.loop.call_later(SECONDS_ALIVE, self.peer._reset, context=self.peer.context)
        else:
            self._send(self.peer._reset)

    def was_left(self) -> None:
        """The loop has ended."""
        self._closing = self._ended = True

    def answer(self) -> None:
        """The host has power again: to what still comes it says that there is no such connection."""
        self._is_dark = False

    def _send(self, arrive: Callable[..., None], *what: object) -> None:
        loop = self._network.loop
        # Never two at one moment: a heap would not say which was first.
        self._arrival = max(loop.time() + self._network.latency(), self._arrival + 1e-9)
        loop.call_at(self._arrival, arrive, *what, context=self.peer.context)

    def _take(self, data: bytes | None) -> None:
        if self._is_gone and data is not None:
            if self._is_dark:  # not acknowledged, until the sender's system gives up
                self._network.loop.call_later(SECONDS_UNDELIVERED, self.peer._reset, context=self.peer.context)
            else:
                self._send(self.peer._reset)
        if self._closing:
            return
        self._inbox.append(data)
        self._read_on()

    def _read_on(self) -> None:
        while self._inbox and self._reads and not self._closing:
            data = self._inbox.pop(0)
            try:
                if data is None:
                    if not self.protocol.eof_received():
                        self.close()
                else:
                    self.peer._was_read(len(data))
                    self.protocol.data_received(data)
            except Exception as error:  # as asyncio does it
                self._network.loop.call_exception_handler({"message": "a protocol failed", "exception": error})
                self.abort()

    def _was_read(self, length: int) -> None:
        self._unread -= length
        if self._told_to_pause and self._unread <= LOW and not self._is_gone:
            self._told_to_pause = False
            self._network.loop.call_soon(self._tell_to_go_on, context=self.context)

    def _tell_to_go_on(self) -> None:
        if not self._is_gone and not self._told_to_pause:
            self.protocol.resume_writing()

    def _reset(self) -> None:
        self._closing = self._ended = True
        self._be_gone(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _leave(self) -> None:
        if not self._closing:
            self._closing = True
            self._network.loop.call_soon(self._be_gone, None, context=self.context)

    def _be_gone(self, error: Exception | None) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        del self._network.ends[self]
        if hasattr(self, "protocol"):  # or else nobody has accepted it yet
            self.protocol.connection_lost(error)


class _NoSocket:
    """There are no options to set."""

    def setsockopt(self, *options: Any) -> None:
        pass
