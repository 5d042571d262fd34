"""One port through which one party dials another, so that a harness can cut, freeze, slow or drop what goes through.

Bytes are carried, never interpreted, so TLS goes through as well. A *cut* passage ends its connections and takes no
new ones. A *frozen* one holds everything back and delivers it late, once it is open again: what a network does that
loses packets for a while.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum

from refimpl.dialling import Address

CHUNK = 1 << 16
MAX_HELD = 256
"""Chunks that a slow or frozen passage holds in one direction before it reads no more."""


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class State(Enum):
    OPEN = "open"
    FROZEN = "frozen"
    CUT = "cut"


class Passage(ABC):
    """From `open` to `close`. `target` says where it leads at the moment, None for nowhere."""

    def __init__(self, target: Callable[[], Address | None]) -> None:
        self.delay = 0.0  # seconds, each way
        self._target = target
        self._state = State.OPEN
        self._passable = asyncio.Event()
        self._passable.set()
        self._carrying: dict[asyncio.Task[None], None] = {}

    @abstractmethod
    def open(self) -> None:
        """Listen on a port that is free, in the loop that runs."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Whom to dial."""

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
        for task in tuple(self._carrying):
            task.cancel()

    async def close(self) -> None:
        """Be gone, with all connections."""
        tasks = tuple(self._carrying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, accept: Callable[[], Awaitable[Streams]], close: Callable[[], None] = lambda: None) -> None:
        """Carry what comes through a connection; `close` is called at the end, however that comes."""
        task = asyncio.create_task(self._carry_for(accept))
        self._carrying[task] = None

        def end(task: asyncio.Task[None]) -> None:
            del self._carrying[task]
            close()

        task.add_done_callback(end)

    async def _carry_for(self, accept: Callable[[], Awaitable[Streams]]) -> None:
        with suppress(OSError):  # whoever hangs up has nothing more to say
            reader, writer = await accept()
            try:
                await self._carry(reader, writer)
            finally:
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
            there_writer.transport.abort()  # first: a second `drop` may cancel what is waited for here
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

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
                try:
                    data = await reader.read(CHUNK)
                except OSError:
                    data = b""  # that a connection was reset is news, too, which comes late
                await held.put((clock() + self.delay, data))
                if not data:
                    break
            await delivering
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
