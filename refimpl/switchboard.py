"""The network of a replay on real processes: every message travels over sockets, and is held in between.

Servers are told that their peers listen at the switchboard. What a server sends to a peer arrives here, through the
handshake and the frames of refimpl/wire.py, and is handed to the caller. A message is delivered by dialling its
destination in the name of its source, a server or a client, once for as long as the destination lives.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from refimpl import wire
from refimpl.entry import ServerId
from refimpl.messages import PeerMessage, ServerMessage

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0
"""Seconds for one step of a handshake, on a machine that has other work."""


Sent = PeerMessage | wire.Answer
"""What a server sends; an answer to a client says who that is."""


class NotReached(Exception):
    """A connection was refused, or ended, or the other side did not say in time who it is."""


@dataclass(slots=True, eq=False)
class _Line:
    """A connection; `server` is the process at its other end."""

    end: socket.socket
    server: ServerId
    frames: wire.FrameReader = field(default_factory=wire.FrameReader)
    waiting: deque[bytes] = field(default_factory=deque)

    def read(self) -> bool:
        """Take what has come; False at the end of the connection. Raises MalformedMessage."""
        try:
            data = self.end.recv(1 << 16)
        except ConnectionResetError:  # the process was killed
            return False
        self.waiting += self.frames.feed(data)
        return bool(data)

    def first(self) -> bytes:
        """The first payload of a handshake. Raises NotReached, MalformedMessage."""
        try:
            while not self.waiting:
                if not self.read():
                    raise NotReached("the connection ended in the handshake")
        except TimeoutError as error:
            raise NotReached(f"no handshake in {PATIENCE:g} s") from error
        return self.waiting.popleft()


class Switchboard:
    """Stands between these servers. What its sockets bring may raise MalformedMessage or NotReached in any call."""

    def __init__(self, servers: Iterable[ServerId]) -> None:
        self._servers = tuple(servers)
        self._selector = selectors.DefaultSelector()
        self._from: dict[tuple[str, str], _Line] = {}  # source, destination: the source has dialled
        self._to: dict[tuple[str, str], _Line] = {}  # source, destination: dialled here in the source's name
        self._arrived: dict[ServerId, list[Sent]] = {server: [] for server in self._servers}
        self._listeners = {server: socket.create_server((LOOPBACK, 0)) for server in self._servers}
        for server, listener in self._listeners.items():
            self._selector.register(listener, selectors.EVENT_READ, server)

    def address_of(self, server: ServerId) -> str:
        """Where the others believe this server to listen."""
        return f"{LOOPBACK}:{self._listeners[server].getsockname()[1]}"

    def sent_by(self, server: ServerId, number: int, deadline: float) -> list[Sent]:
        """What this server has sent, to whomever, once that is `number` messages; more, if more has come. `deadline` is
        a time of time.monotonic. Raises TimeoutError."""
        self._take_what_comes(0)
        while len(self._arrived[server]) < number:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._take_what_comes(left)
        found, self._arrived[server] = self._arrived[server], []
        return found

    def is_silent(self) -> bool:
        """Whether everything that has come was asked for."""
        self._take_what_comes(0)
        return not any(self._arrived.values())

    def deliver(self, message: ServerMessage, port: int) -> None:
        """Send the message to its destination, which listens at this port."""
        line = self._to.get((message.source, message.destination)) or self._dial(message, port)
        frame = wire.REQUEST.encode(message) if isinstance(message, wire.Request) else wire.PEER.encode(message)
        try:
            line.end.sendall(frame)
        except OSError as error:
            raise NotReached(f"{message.destination} ended the connection from {message.source}: {error}") from error

    def forget(self, server: ServerId) -> None:
        """The server is dead: end its connections. What it sent and nobody has asked for is lost."""
        for lines in (self._from, self._to):
            for line in [line for line in lines.values() if line.server == server]:
                self._drop(line)
        self._arrived[server].clear()

    def close(self) -> None:
        for line in [*self._from.values(), *self._to.values()]:
            self._drop(line)
        for listener in self._listeners.values():
            listener.close()
        self._selector.close()

    # Connections ------------------------------------------------------------------------------------------------------

    def _take_what_comes(self, seconds: float) -> None:
        """Waits so long for the first."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, _Line):
                self._take(key.data)
            else:
                self._accept(key.data)

    def _accept(self, destination: ServerId) -> None:
        end, _ = self._listeners[destination].accept()
        end.settimeout(PATIENCE)
        line = _Line(end, destination)
        try:
            hello = wire.HELLO.decode(line.first())
            line.server = ServerId(hello.name)
            end.sendall(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, destination)))
        except (NotReached, OSError):
            end.close()  # it was killed, or grew tired of waiting for us; then it keeps what it has, and dials again
            return
        except BaseException:
            end.close()
            raise
        line.frames.limit = wire.MAX_FRAME
        self._keep(self._from, (hello.name, destination), line)

    def _dial(self, message: ServerMessage, port: int) -> _Line:
        client = isinstance(message, wire.Request)
        hello = wire.Hello(
            wire.VERSION,
            wire.Peer.CLIENT if client else wire.Peer.SERVER,
            message.source,
            message.destination,
            () if client else self._servers,
        )
        try:
            end = socket.create_connection((LOOPBACK, port), PATIENCE)
        except OSError as error:
            raise NotReached(f"{message.destination} takes no connection at port {port}: {error}") from error
        line = _Line(end, message.destination)
        try:
            end.sendall(wire.HELLO.encode(hello))
            reply = wire.REPLY_TO_HELLO.decode(line.first())
            if isinstance(reply, wire.Refusal):
                raise NotReached(f"{message.destination} refuses {message.source}: {reply.reason}")
        except BaseException:
            end.close()
            raise
        line.frames.limit = wire.MAX_FRAME
        self._keep(self._to, (message.source, message.destination), line)
        return line

    def _keep(self, lines: dict[tuple[str, str], _Line], pair: tuple[str, str], line: _Line) -> None:
        if pair in lines:
            self._drop(lines[pair])
        lines[pair] = line
        self._selector.register(line.end, selectors.EVENT_READ, line)
        self._decode(line)

    def _take(self, line: _Line) -> None:
        if line.end.fileno() < 0:
            return  # dropped by what came just before
        goes_on = line.read()
        self._decode(line)
        if not goes_on:
            self._drop(line)

    def _decode(self, line: _Line) -> None:
        while line.waiting:
            message = self._message(line, line.waiting.popleft())
            if message is not None:
                self._arrived[line.server].append(message)

    def _message(self, line: _Line, payload: bytes) -> Sent | None:
        """None for what the spec has no message for: that a server sends a client elsewhere."""
        if line in self._from.values():
            return wire.PEER.decode(payload)
        match wire.REPLY.decode(payload):
            case wire.Answer() as answer:
                return answer
            case wire.Redirect() | wire.Rejected() | wire.Status():
                return None

    def _drop(self, line: _Line) -> None:
        self._selector.unregister(line.end)
        line.end.close()
        for lines in (self._from, self._to):
            for pair in [pair for pair, one in lines.items() if one is line]:
                del lines[pair]
