"""What goes through a passage, and what does not."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from refimpl.dialling import Address
from refimpl.torture.passage import Passage, State
from refimpl.torture.system_passage import SystemPassage

SECONDS = 10.0
SOON = 0.05

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Passage], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.transport.abort()


@asynccontextmanager
async def passage_to_an_echo() -> AsyncIterator[Passage]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    passage = SystemPassage(lambda: Address(*server.sockets[0].getsockname()[:2]))
    passage.open()
    try:
        yield passage
    finally:
        await passage.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)


def through(talk: Talk) -> None:
    """Let the talk take place over a passage that leads to an echo."""

    async def run() -> None:
        async with asyncio.timeout(SECONDS), passage_to_an_echo() as passage:
            reader, writer = await asyncio.open_connection(passage.address.host, passage.address.port)
            try:
                await talk(reader, writer, passage)
            finally:
                writer.transport.abort()
                await asyncio.sleep(0)

    asyncio.run(run())


async def is_silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(SOON):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def test_bytes_go_through_both_ways_and_in_order() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        sent = bytes(range(256)) * 1000
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent

    through(talk)


def test_a_cut_passage_ends_its_connections_and_takes_none_until_it_is_open() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        passage.put(State.CUT)
        assert await is_closed(reader)
        again, late = await asyncio.open_connection(passage.address.host, passage.address.port)
        assert await is_closed(again)
        late.transport.abort()
        passage.put(State.OPEN)
        again, late = await asyncio.open_connection(passage.address.host, passage.address.port)
        late.write(b"b")
        assert await again.readexactly(1) == b"b"
        late.transport.abort()

    through(talk)


def test_a_frozen_passage_delivers_late_what_it_was_given() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        passage.put(State.FROZEN)
        writer.write(b"b")
        new, other = await asyncio.open_connection(passage.address.host, passage.address.port)
        other.write(b"c")
        assert await is_silent(reader)
        assert await is_silent(new)
        passage.put(State.OPEN)
        assert await reader.readexactly(1) == b"b"
        assert await new.readexactly(1) == b"c"
        other.transport.abort()

    through(talk)


def test_what_a_frozen_passage_holds_is_lost_when_it_is_cut() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        passage.put(State.FROZEN)
        writer.write(b"a")
        await asyncio.sleep(0)
        passage.put(State.CUT)
        assert await is_closed(reader)

    through(talk)


def test_a_slow_passage_takes_its_time_and_drops_end_connections() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        clock = asyncio.get_running_loop().time
        passage.delay = 0.05
        begun = clock()
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        assert clock() - begun >= 0.1  # there and back
        passage.drop()
        assert await is_closed(reader)

    through(talk)


@pytest.mark.parametrize("end", [b"", b"said before the end"])
def test_who_hangs_up_is_hung_up_on_after_what_he_said(end: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage) -> None:
        writer.write(end)
        if end:
            assert await reader.readexactly(len(end)) == end
        writer.write_eof()
        assert await is_closed(reader)

    through(talk)


def test_a_passage_that_leads_nowhere_hangs_up() -> None:
    async def run() -> None:
        passage = SystemPassage(lambda: None)
        passage.open()
        reader, writer = await asyncio.open_connection(passage.address.host, passage.address.port)
        assert await is_closed(reader)
        writer.transport.abort()
        await passage.close()

    asyncio.run(run())


def test_a_passage_that_is_closed_while_it_is_dialled_leaves_nothing_open() -> None:
    async def run() -> None:
        for turns in range(6):  # of the loop, between the connection and the end: one of them hits the moment
            passage = SystemPassage(lambda: Address("127.0.0.1", 1))
            passage.open()
            with socket.create_connection((passage.address.host, passage.address.port)):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await passage.close()
                await asyncio.sleep(0)

    asyncio.run(run())
    gc.collect()  # what is not closed says so when it goes
