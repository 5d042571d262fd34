"""Servers in this process, on loopback sockets that the system has chosen, with their logs in a temporary folder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from refimpl import wire
from refimpl.client import Client
from refimpl.dialling import Address, Dialled, dial
from refimpl.driver import Timings
from refimpl.entry import ServerId
from refimpl.messages import ClientRequest, PeerMessage
from refimpl.server import Server, Settings
from refimpl.tls import Identity
from refimpl.torture import virtual_world

TIMINGS = Timings(election_timeout=0.15, heartbeat=0.03)
SECONDS = 20.0
"""Until something that must happen has not; generous, for the machine may be busy."""

Result = TypeVar("Result")


def run(test: Coroutine[Any, Any, Result]) -> Result:
    """Run the body of a test, which must end in time."""
    return asyncio.run(asyncio.wait_for(test, 2 * SECONDS))


def run_virtually(test: Coroutine[Any, Any, Result]) -> Result:
    """The same where all waiting is by the clock: it takes no time, and is exact."""
    return virtual_world.run_virtually(asyncio.wait_for(test, 3600), seed=1)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for the condition; TimeoutError if it does not come."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)


class Servers:
    """s1, s2, … An `async with` block starts them and leaves none behind."""

    def __init__(
        self, folder: Path, size: int = 3, certificates: Path | None = None, metrics: Address | None = None
    ) -> None:
        self.folder = folder
        self.metrics = metrics
        self.certificates = certificates
        self.names = tuple(ServerId(f"s{number}") for number in range(1, size + 1))
        self.running: dict[ServerId, tuple[Server, asyncio.Task[None]]] = {}
        sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in self.names}
        self.addresses = {name: Address(*listener.getsockname()) for name, listener in sockets.items()}
        self._sockets: dict[ServerId, socket.socket] = sockets

    async def start(self, name: ServerId) -> Server:
        identity = None if self.certificates is None else Identity(name, self.certificates)
        peers = {peer: address for peer, address in self.addresses.items() if peer != name}
        settings = Settings(name, peers, self.folder / name, identity, TIMINGS, self.metrics, seed=1)
        server = Server(settings, self._sockets.pop(name, None) or self.addresses[name])
        await server.__aenter__()
        self.running[name] = (server, asyncio.create_task(server.run()))
        return server

    async def stop(self, name: ServerId) -> None:
        """As after SIGTERM."""
        server, life = self.running.pop(name)
        server.stop()
        await life
        await server.__aexit__(None, None, None)

    async def kill(self, name: ServerId) -> None:
        """In the middle of whatever it does."""
        server, life = self.running.pop(name)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await server.__aexit__(None, None, None)

    async def leader(self) -> ServerId:
        """Wait until a majority follows one."""
        found: list[ServerId] = []

        def agreed() -> bool:
            seen = [server.driver.status() for server, _ in self.running.values()]
            for status in seen:
                followers = [one for one in seen if one.leader == status.server and one.term == status.term]
                if status.role == "leader" and len(followers) > len(self.names) // 2:
                    found.append(status.server)
                    return True
            return False

        await until(agreed)
        return found[0]

    def server(self, name: ServerId) -> Server:
        return self.running[name][0]

    def client(self, **options: Any) -> Client:
        identity = None if self.certificates is None else Identity("client", self.certificates)
        return Client(self.addresses, identity, **options)

    async def dial(self, name: ServerId, hello: wire.Hello | None = None) -> Talk:
        """A connection by hand; unless told otherwise, a client's, without TLS."""
        hello = hello or wire.Hello(wire.VERSION, wire.Peer.CLIENT, "client", name, ())
        received: asyncio.Queue[bytes | None] = asyncio.Queue()
        connection = await dial(
            self.addresses[name], None, hello, received.put_nowait, lambda: received.put_nowait(None)
        )
        return Talk(connection, received)

    async def __aenter__(self) -> Servers:
        for name in self.names:
            await self.start(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in tuple(self.running):
            await self.kill(name)
        for listener in self._sockets.values():
            listener.close()


class Talk:
    """What goes over one connection."""

    def __init__(self, connection: Dialled, received: asyncio.Queue[bytes | None]) -> None:
        self._connection = connection
        self._received = received

    def send(self, message: ClientRequest | wire.StatusRequest) -> None:
        self.write(wire.REQUEST.encode(message))

    def send_as_peer(self, message: PeerMessage) -> None:
        self.write(wire.PEER.encode(message))

    def write(self, data: bytes) -> None:
        self._connection.write(data)

    async def reply(self) -> wire.ServerReply | None:
        """The next one; None when the server has closed."""
        async with asyncio.timeout(SECONDS):
            payload = await self._received.get()
        return None if payload is None else wire.REPLY.decode(payload)

    async def close(self) -> None:
        self._connection.close()
        await asyncio.sleep(0)
