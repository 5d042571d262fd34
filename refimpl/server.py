"""A server of a cluster on a network: a replica, its driver, a listener, and a link to each peer.

`Server` runs in whatever event loop starts it, so that several can live in one process; `refimpl/commands/serve.py`
makes a process of one. When the disk fails or is full the server stops: it has promised things that it cannot keep, and
a restart reads what the disk holds. What it has answered is on a majority of disks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from random import Random
from types import TracebackType

from refimpl import wire
from refimpl.dialling import Address
from refimpl.driver import Driver, Timings
from refimpl.entry import ServerId
from refimpl.errors import CannotListen, ImpossibleRequest
from refimpl.events import Events
from refimpl.faults import Fault
from refimpl.held import HeldDriver
from refimpl.interface import Config
from refimpl.links import Link
from refimpl.listener import Reception
from refimpl.messages import PeerMessage
from refimpl.metrics import Endpoint, Metrics
from refimpl.ownership import claim
from refimpl.replica import Replica
from refimpl.storage import Storage
from refimpl.tls import Identity, refuse_names


@dataclass(frozen=True, slots=True)
class Settings:
    """One server. `identity` None means that nobody has to prove who he is: on loopback only.

    For tests: `lossy` lets kill -9 lose what was not flushed (refimpl/lossy_directory.py); `ailment` is the file that
    says what ails the disk (refimpl/ailing_directory.py); with a `harness` the server does nothing of its own accord
    (refimpl/held.py). `max_entries`: how many entries a message carries at most.
    """

    server: ServerId
    peers: Mapping[ServerId, Address]
    data: Path
    identity: Identity | None
    timings: Timings = field(default_factory=Timings)
    metrics: Address | None = None
    seed: int | None = None
    broken: frozenset[Fault] = frozenset()
    lossy: bool = False
    harness: socket.socket | None = None
    ailment: Path | None = None
    max_entries: int = wire.MAX_ENTRIES

    @property
    def servers(self) -> tuple[ServerId, ...]:
        """All of the cluster, in an order that all of them agree on."""
        return tuple(sorted((self.server, *self.peers)))


class Server:
    """An `async with` block recovers from the disk, listens and links; `run` is its life, `stop` ends it."""

    def __init__(
        self, settings: Settings, listen: Address | socket.socket, open_storage: Callable[[], Storage] | None = None
    ) -> None:
        """`open_storage` None: in the folder of the settings, on a disk of this machine.

        Raises ImpossibleRequest for names that cannot be, and settings that would expose an open server.
        """
        refuse_names(settings.server, *settings.peers)
        if settings.identity is None:
            _refuse_beyond_loopback(*settings.peers.values(), listen)
        self.settings = settings
        self.events = Events(settings.server)
        self.metrics = Metrics()
        self._listen = listen
        self._open_storage = open_storage or partial(Storage, settings.data, settings.lossy, settings.ailment)
        self._tasks: list[asyncio.Task[None]] = []
        self._endpoint: Endpoint | None = None

    async def __aenter__(self) -> Server:
        """Raises WalDamaged, DiskError, ImpossibleRequest, CannotListen."""
        settings = self.settings
        # Of its own for each server: with the same timeouts they would stand against each other for ever.
        chance = Random(None if settings.seed is None else f"{settings.seed} {settings.server}")
        tls = None if settings.identity is None else settings.identity.listening()  # before anything is written
        with ExitStack() as undo:
            self._storage = self._open_storage()
            undo.callback(self._storage.close)
            if settings.harness is None:
                claim(self._storage.directory, settings.server, settings.servers)
            recovered = self._storage.recovered
            self.events.info(
                "recovered",
                term=recovered.current_term,
                entries=recovered.log.last_index,
                commit_index=recovered.commit_index,
            )
            self.driver = self._driver(chance)
            self.metrics.show(self.driver.status)
            self._reception = Reception(
                settings.server,
                settings.servers,
                tls,
                self.driver,
                self.events,
                self.metrics,
                lambda peer: self._links[peer].hurry(),
            )
            self._links = {peer: self._link(peer, chance) for peer in settings.peers}
            if settings.metrics is not None:
                self._endpoint = self._serve_metrics(settings.metrics)
                undo.callback(self._endpoint.close)
            self._listener = await self._listen_there()
            undo.pop_all()
        self.events.info(
            "listening",
            address=str(self.address),
            secure=tls is not None,
            metrics=None if self._endpoint is None else str(self._endpoint.address),
            servers=settings.servers,
        )
        return self

    async def run(self) -> None:
        """Serve until `stop` is called. Raises DiskError and WalPoisoned when the disk has failed."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(link.run()) for link in self._links.values()]
        await self.driver.run()

    def stop(self) -> None:
        """Finish what is in hand, then let `run` return."""
        self.driver.stop()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()
        await self._reception.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()
        if self._endpoint is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._endpoint.close)
        self._storage.close()
        self.events.info("stopped")

    @property
    def address(self) -> Address:
        """Where it listens, as the system has it."""
        host, port = self._listener.sockets[0].getsockname()[:2]
        return Address(host, port)

    def _driver(self, chance: Random) -> Driver | HeldDriver:
        settings, storage = self.settings, self._storage
        if settings.harness is not None:
            config = Config(settings.server, settings.servers, settings.broken)  # one entry a message, as in the spec
            return HeldDriver(config, storage, self._send, settings.harness, lambda: self.address.port)
        config = Config(settings.server, settings.servers, settings.broken, settings.max_entries)
        replica = Replica(config, storage.log_file, storage.recovered)
        return Driver(replica, self._send, settings.timings, chance, self.events, self.metrics)

    def _send(self, message: PeerMessage) -> None:
        self._links[message.destination].send(message)

    def _link(self, peer: ServerId, chance: Random) -> Link:
        settings = self.settings
        hello = wire.Hello(wire.VERSION, wire.Peer.SERVER, settings.server, peer, settings.servers)
        tls = None if settings.identity is None else settings.identity.dialling()
        return Link(hello, settings.peers[peer], tls, chance, self.events, self.metrics)

    async def _listen_there(self) -> asyncio.Server:
        loop, listen = asyncio.get_running_loop(), self._listen
        if isinstance(listen, socket.socket):
            return await loop.create_server(self._reception.accept, sock=listen)
        try:
            return await loop.create_server(self._reception.accept, listen.host, listen.port)
        except OSError as error:
            raise CannotListen(f"listening at {listen}", error) from error

    def _serve_metrics(self, address: Address) -> Endpoint:
        try:
            return Endpoint(address.host, address.port, self.metrics, self.driver.status)
        except OSError as error:
            raise CannotListen(f"metrics at {address}", error) from error


def _refuse_beyond_loopback(*places: Address | socket.socket) -> None:
    for place in places:
        host = place.getsockname()[0] if isinstance(place, socket.socket) else place.host
        try:
            is_loopback = host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ImpossibleRequest(
                f"a server without certificates at {host}",
                "loopback addresses (127.0.0.1, ::1, localhost) for a cluster without certificates",
                "give it certificates: python -m refimpl certificates --help",
            )
