"""A client of a cluster: finds the leader, tries again with backoff, and has each command take effect once.

A client has a name of its own and numbers its commands. A retry is the same number, so that the servers recognise it
(Ongaro 2014 §6.3), wherever it arrives and however often. One command is outstanding at a time.

Where no answer comes in time a write may or may not have taken effect, and may still do so until a later write of this
client has: `NoAnswer` says just that. Reads are no commands; they go to the leader, which asks a majority whether it
still is one (§6.4).
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Mapping
from random import Random
from types import TracebackType

from refimpl import wire
from refimpl.admission import too_large
from refimpl.dialling import Address, Dialled, dial
from refimpl.entry import Append, ClientId, Delete, Operation, Put, Serial, ServerId
from refimpl.errors import ConnectionRefused, ImpossibleRequest, MalformedMessage, RefimplError
from refimpl.messages import ClientRequest, ReadRequest
from refimpl.tls import Identity

SECONDS_FOR_ONE_SERVER = 1.0
"""How long a server may be silent before another is asked."""
SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 0.5


class NoAnswer(RefimplError):
    """The time is up. The command may or may not have taken effect."""


class Unreachable(NoAnswer):
    """The time is up, and the command was never sent: it has had no effect."""


class Rejected(RefimplError):
    """The cluster does not take such a command; it has had no effect."""


class Client:
    """One session. An `async with` block closes its connections."""

    def __init__(
        self,
        servers: Mapping[ServerId, Address],
        identity: Identity | None = None,
        name: str = "client",
        timeout: float = 10.0,
        chance: Random | None = None,
    ) -> None:
        """`name` is the one in the certificate, if there is one; `timeout` is in seconds, for one command."""
        assert servers, "a cluster has a server"
        self.timeout = timeout
        self._servers = dict(servers)
        self._tls = None if identity is None else identity.dialling()
        self._name = name if identity is None else identity.name
        self._client = ClientId(f"{self._name}/{secrets.token_hex(8)}")
        self._serial = Serial(0)
        self._sent = False  # whether the current command has left for any server
        self._one_at_a_time = asyncio.Lock()
        self._chance = chance or Random()
        self._connection: Dialled | None = None
        self._connected_to: ServerId | None = None
        self._replies: asyncio.Queue[bytes | None] = asyncio.Queue()

    # Commands. Each raises NoAnswer; Rejected; ConnectionRefused or SSLError if every server turns this client away, or
    # is not who it should be, and the command was never sent. --------------------------------------------------------

    async def put(self, key: str, value: str) -> None:
        """Set the key to the value."""
        await self.perform(Put(key, value))

    async def append(self, key: str, value: str) -> None:
        """Add the value to the end of the key's value."""
        await self.perform(Append(key, value))

    async def delete(self, key: str) -> None:
        """Remove the key; it need not be there."""
        await self.perform(Delete(key))

    async def get(self, key: str) -> str | None:
        """The key's value at some moment of this call, None if it was absent."""
        return await self._perform(lambda server: ReadRequest(self._client, server, self._serial, key))

    async def perform(self, operation: Operation) -> str | None:
        """Any operation, through the log; returns the state machine's response."""
        return await self._perform(lambda server: ClientRequest(self._client, server, self._serial, operation))

    async def _perform(self, to: Callable[[ServerId], wire.Request]) -> str | None:
        reason = too_large(to(next(iter(self._servers))))
        if reason is not None:
            raise Rejected(reason, "smaller keys and values", "split it")
        async with self._one_at_a_time:
            self._serial = Serial(self._serial + 1)
            self._sent = False
            return await self._until_answered(to)

    async def status(self, server: ServerId) -> wire.Status:
        """How this server sees itself. Raises OSError, TimeoutError, ConnectionRefused, MalformedMessage."""
        async with self._one_at_a_time, asyncio.timeout(self.timeout):
            await self._connect(server)
            self._send(wire.StatusRequest())
            while True:
                reply = await self._next_reply()
                if isinstance(reply, wire.Status):
                    return reply  # others are late answers to commands that were given up

    # How -------------------------------------------------------------------------------------------------------------

    async def _until_answered(self, to: Callable[[ServerId], wire.Request]) -> str | None:
        pause, redirected = SHORTEST_PAUSE, False
        target = self._connected_to or self._another()
        refusals: set[ServerId] = set()
        last_error: Exception | None = None
        stranger: ServerId | None = None
        try:
            async with asyncio.timeout(self.timeout):
                while True:
                    leader: ServerId | None = None
                    try:
                        match await self._ask(target, to(target)):
                            case wire.Answer(response=response):
                                return response
                            case wire.Rejected(reason=reason):
                                raise Rejected(reason, "what refimpl/wire.py allows", "change the command")
                            case wire.Redirect(leader=leader):
                                stranger = leader if leader not in self._servers else None
                    except (ConnectionRefused, MalformedMessage, ssl.SSLError) as error:
                        error.add_note(f"({target} at {self._servers[target]})")
                        self._hang_up()
                        last_error = error
                        refusals.add(target)
                        if len(refusals) == len(self._servers) and not self._sent:
                            raise
                    except (OSError, TimeoutError) as error:
                        self._hang_up()
                        last_error = error
                    if leader is not None and leader != target and leader in self._servers and not redirected:
                        target, redirected = leader, True  # once; two servers may each take the other for the leader
                    else:
                        redirected = False
                        target = self._another(target)
                        await asyncio.sleep(pause * self._chance.uniform(0.5, 1))
                        pause = min(2 * pause, LONGEST_PAUSE)
        except TimeoutError:
            self._hang_up()
            said = f" (last: {str(last_error) or type(last_error).__name__})" if last_error is not None else ""
            if stranger is not None:
                said = f" (the leader is {stranger}, which is not among the servers given)"
            if self._sent:
                read = isinstance(to(target), ReadRequest)
                effect = "nothing was read" if read else "a write may or may not have taken effect"
                raise NoAnswer(
                    f"no answer in {self.timeout:g} s{said}; {effect}",
                    "an answer while a majority of the servers is up, and the leader among those given",
                    "look at the servers' status, then " + ("try again" if read else "read the key"),
                ) from None
            raise Unreachable(
                f"no server could be reached in {self.timeout:g} s{said}; nothing was sent",
                "an answer while a majority of the servers is up",
                "check the addresses, that the servers run, and that both sides use certificates or neither does",
            ) from None

    async def _ask(self, server: ServerId, request: wire.Request) -> wire.ServerReply:
        await self._connect(server)
        self._send(request)
        self._sent = True
        async with asyncio.timeout(SECONDS_FOR_ONE_SERVER):
            while True:
                reply = await self._next_reply()
                match reply:
                    case wire.Answer() | wire.Redirect() | wire.Rejected():
                        if reply.serial == self._serial:
                            return reply  # an earlier serial: the late answer to a command that was given up
                    case wire.Status():
                        pass

    async def _connect(self, server: ServerId) -> None:
        if self._connection is not None and self._connected_to == server:
            return
        self._hang_up()
        address = self._servers.get(server)
        if address is None:
            raise ImpossibleRequest(f"server {server}", f"one of {', '.join(self._servers)}", "correct the name")
        hello = wire.Hello(wire.VERSION, wire.Peer.CLIENT, self._name, server, ())
        replies: asyncio.Queue[bytes | None] = asyncio.Queue()
        async with asyncio.timeout(SECONDS_FOR_ONE_SERVER):
            self._connection = await dial(
                address, self._tls, hello, replies.put_nowait, lambda: replies.put_nowait(None)
            )
        self._connected_to, self._replies = server, replies

    def _send(self, message: wire.ClientMessage) -> None:
        assert self._connection is not None
        self._connection.write(wire.REQUEST.encode(message))

    async def _next_reply(self) -> wire.ServerReply:
        payload = await self._replies.get()
        if payload is None:
            self._hang_up()
            raise ConnectionError("the server has closed the connection")
        return wire.REPLY.decode(payload)

    def _another(self, than: ServerId | None = None) -> ServerId:
        return self._chance.choice([server for server in self._servers if server != than] or list(self._servers))

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._connected_to = None

    async def close(self) -> None:
        """Close the connection."""
        last = self._connection
        self._hang_up()
        if last is not None:
            await last.lost.wait()
        for _ in range(3):  # asyncio closes sockets, those that were given up while they were dialled, a round later
            await asyncio.sleep(0)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
