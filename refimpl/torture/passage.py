"""One port through which one party dials another, so that a harness can cut, freeze, slow or drop what goes through.

Bytes are carried, never interpreted, so TLS goes through as well. A *cut* passage ends its connections and takes no
new ones. A *frozen* one holds everything back and delivers it late, once it is open again: what a network does that
loses packets for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from refimpl.dialling import Address

CHUNK = 1 << 16
MAX_HELD = 256
"""Chunks that a slow or frozen passage holds in one direction before it reads no more."""


class State(Enum):
    OPEN = "open"
    FROZEN = "frozen"
    CUT = "cut"


class Passage:
    """From `open` to `close`. `target` says where it leads at the moment, None for nowhere."""

    def __init__(self, target: Callable[[], Address | None]) -> None:
        self.delay = 0.0  # seconds, each way
        self._target = target
        self._state = State.OPEN
        self._passable = asyncio.Event()
        self._passable.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a port of the system's choice."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def address(self) -> Address:
        """Whom to dial."""
        assert self._server is not None, "the passage is open"
        return Address(*self._server.sockets[0].getsockname()[:2])

    def put(self, state: State) -> None:
        """Change what happens to bytes from now on."""
        self._state = state
        if state is State.CUT:
            self.drop()
        if state is State.FROZEN:
            self._passable.clear()
        else:
            self._passable.set()

    def drop(self) -> None:
        """End all connections that go through; what was on the way is lost."""
        for task in self._carrying:
            task.cancel()

    async def close(self) -> None:
        """Be gone, with all connections."""
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._carrying)
        self.drop()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        # Whoever hangs up or is cut off has nothing more to say; asyncio would report a cancelled handler as an error.
        with suppress(OSError, asyncio.CancelledError):
            try:
                await self._carry(reader, writer)
            finally:
                self._carrying.discard(task)
                writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passable.wait()
        target = self._target()
        if target is None or self._state is State.CUT:
            return
        there_reader, there_writer = await asyncio.open_connection(target.host, target.port)
        pumps = [
            asyncio.create_task(self._pump(reader, there_writer)),
            asyncio.create_task(self._pump(there_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            there_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one of the ends is gone and what it had sent is delivered."""
        clock = asyncio.get_running_loop().time
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_HELD)

        async def deliver() -> None:
            while True:
                due, data = await held.get()
                await asyncio.sleep(max(0.0, due - clock()))
                await self._passable.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            while not delivering.done():
                data = await reader.read(CHUNK)
                await held.put((clock() + self.delay, data))
                if not data:
                    break
            await delivering
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
