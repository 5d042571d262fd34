"""A link to a peer that is not there, and addresses as people write them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from refimpl import dialling, links, wire
from refimpl.address_book import FILE, AddressBook, parse_servers
from refimpl.dialling import Address
from refimpl.entry import Entry, Index, ServerId, Term
from refimpl.errors import ImpossibleRequest
from refimpl.events import Events
from refimpl.links import Link
from refimpl.messages import AppendEntries, PeerMessage
from refimpl.metrics import Metrics
from refimpl.resolving import MAX_WAITING, Forsaken
from tests.refimpl.servers import SECONDS, run, run_virtually, until

S1, S2 = ServerId("s1"), ServerId("s2")


def message(number: int, entries: int = 0) -> PeerMessage:
    return AppendEntries(S1, S2, Term(number), Index(0), Term(0), (Entry(Term(0), None),) * entries, Index(0))


def queued(link: Link) -> list[int]:
    payloads = (data[wire.HEADER.size :] for data in link._queue)
    return [wire.PEER.decode(payload).term for payload in payloads]


@pytest.fixture
def link() -> Link:
    hello = wire.Hello(wire.VERSION, wire.Peer.SERVER, S1, S2, (S1, S2))
    return Link(hello, Address("127.0.0.1", 1), None, Random(1), Events("s1"), Metrics())


@asynccontextmanager
async def running(
    link: Link, peer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
) -> AsyncIterator[None]:
    """The link dials somebody who does so."""
    async with await asyncio.start_server(peer, "127.0.0.1", 0) as listening:
        link._address = Address(*listening.sockets[0].getsockname())
        life = asyncio.create_task(link.run())
        try:
            yield
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await asyncio.sleep(0.01)


def test_a_link_that_is_down_keeps_the_latest_messages(link: Link) -> None:
    for number in range(links.MAX_MESSAGES + 10):
        link.send(message(number))
    assert queued(link) == list(range(10, links.MAX_MESSAGES + 10))
    assert link._metrics.registry.get_sample_value("messages_dropped_total", {"queue": "link"}) == 10


def test_a_link_that_is_down_keeps_no_more_bytes_than_allowed(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_QUEUED", 2 * len(wire.PEER.encode(message(1, entries=30))))
    for number in range(1, 5):
        link.send(message(number, entries=30))
    assert queued(link) == [3, 4]
    assert link._queued == sum(len(data) for data in link._queue)


def test_a_peer_that_welcomes_and_hangs_up_is_dialled_ever_less_often(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one of two processes that were started as the same server, each of which takes the other's place."""
    monkeypatch.setattr(links, "SHORTEST_PAUSE", 0.02)
    dialled: list[float] = []

    async def body() -> None:
        now = asyncio.get_running_loop().time

        def welcome_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(now())
            writer.write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S2)))
            writer.close()

        async with running(link, welcome_and_hang_up):
            await until(lambda: len(dialled) == 7)

    run_virtually(body())
    # Six pauses of 0.02, 0.04, … 0.64 s, each at least half as long: half a second, however quick the machine is.
    assert dialled[-1] - dialled[0] >= 0.5


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:1", Address("localhost", 1)), ("[::1]:65535", Address("::1", 65535)), ("h:0", Address("h", 0))],
)
def test_an_address_reads_back_as_it_is_written(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "localhost", ":1", "h:", "h:x", "h:65536", "h:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ImpossibleRequest, match="HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["s1", "=h:1", "s1=h:1,s1=h:2", "s1=h"])
def test_what_names_no_servers_is_refused(text: str) -> None:
    with pytest.raises(ImpossibleRequest, match="HOST:PORT"):
        parse_servers(text)


def test_an_address_book_reads_back_as_it_was_written(tmp_path: Path) -> None:
    for certificates in (None, tmp_path / "certificates"):
        book = AddressBook({S1: Address("127.0.0.1", 1), S2: Address("::1", 2)}, certificates)
        book.write(tmp_path)
        assert AddressBook.read(tmp_path) == book
    (tmp_path / FILE).write_text('{"servers": {"s1": "nowhere"}}')
    with pytest.raises(ImpossibleRequest):
        AddressBook.read(tmp_path)


def test_a_peer_that_says_nothing_at_all_is_logged(
    link: Link, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stopped process, a firewall that swallows packets: dialling ends with a TimeoutError, which has no text."""
    monkeypatch.setattr(dialling, "SECONDS_TO_CONNECT", 0.05)
    caplog.set_level(logging.WARNING)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def body() -> None:
        async with running(link, say_nothing):
            await asyncio.sleep(0.5)

    run_virtually(body())
    [said] = [record.fields for record in caplog.records if record.getMessage() == "cannot_link"]  # type: ignore[attr-defined]
    assert said["error"]


def test_a_peer_that_reads_nothing_fills_the_queue_and_gets_it_in_order_once_it_reads(link: Link) -> None:
    received: list[int] = []
    may_read = asyncio.Event()

    async def body() -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            frames = wire.FrameReader(wire.MAX_FRAME)
            writer.write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S2)))
            await may_read.wait()
            while data := await reader.read(1 << 20):
                received.extend(
                    wire.PEER.decode(payload).term for payload in frames.feed(data) if b"AppendEntries" in payload[:20]
                )
            writer.close()

        link.send(message(1))  # before there is a link
        async with running(link, slow):
            await until(lambda: link._connection is not None)
            number = 1
            while len(link._queue) < 5:
                number += 1
                link.send(message(number, entries=20_000))
                await asyncio.sleep(0)
            may_read.set()
            await until(lambda: len(received) == number)
            assert received == list(range(1, number + 1))
            assert (len(link._queue), link._queued) == (0, 0)

    run_virtually(body())


def test_a_link_that_has_held_is_soon_tried_again(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "LONGEST_PAUSE", 0.4)
    dialled: list[float] = []

    async def body() -> None:
        now = asyncio.get_running_loop().time
        ended: list[float] = []

        async def hold_the_sixth(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(now())
            writer.write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S2)))
            if len(dialled) == 6:
                await asyncio.sleep(0.6)
            ended.append(now())
            writer.close()

        async with running(link, hold_the_sixth):
            await until(lambda: len(dialled) >= 7)
        assert ended[4] + 0.2 <= dialled[5], "by then the longest pause"
        assert dialled[6] - ended[5] < 0.2, "and then the shortest again"

    run_virtually(body())


def test_the_pause_has_a_limit(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(links, "LONGEST_PAUSE", 0.05)
    dialled: list[None] = []

    async def body() -> None:
        def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(None)
            writer.close()

        async with running(link, refuse):
            await asyncio.sleep(1.5)

    run_virtually(body())
    assert len(dialled) > 10  # 8 if the pause doubled for ever


def test_a_resolver_that_does_not_answer_holds_up_no_end() -> None:
    never = threading.Event()

    async def body() -> None:
        asyncio.get_running_loop().set_default_executor(Forsaken())
        assert await asyncio.to_thread(lambda: 6 * 7) == 42
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.to_thread(never.wait)

    program = threading.Thread(target=lambda: asyncio.run(body()), daemon=True)
    program.start()
    program.join(SECONDS)
    never.set()
    assert not program.is_alive()


def test_more_lookups_than_a_resolver_answers_fail_and_a_link_tries_again(link: Link) -> None:
    never = threading.Event()

    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Forsaken())
        waiting = [asyncio.create_task(asyncio.to_thread(never.wait)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="the resolver of host names does not answer"):
            await asyncio.to_thread(never.wait)
        link._address = Address("a.host.with.a.name", 1)
        life = asyncio.create_task(link.run())
        await asyncio.sleep(0.2)
        assert not life.done()
        never.set()
        life.cancel()
        await asyncio.gather(life, *waiting, return_exceptions=True)

    run(body())


def test_a_peer_that_dials_again_and_again_is_not_dialled_without_a_pause(link: Link) -> None:
    """As two servers are to each other whose connections something in between resets."""
    dialled: list[float] = []

    async def body() -> None:
        def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(asyncio.get_running_loop().time())
            link.hurry()
            writer.close()

        async with running(link, refuse):
            await asyncio.sleep(60)

    run_virtually(body())
    assert 60 <= len(dialled) <= 160


def test_a_link_older_than_the_peers_is_made_anew_when_the_peer_dials(link: Link) -> None:
    """After a power cut nobody is at its other end, and nothing says so before something is sent and lost."""
    dialled: list[float] = []

    async def body() -> None:
        async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(asyncio.get_running_loop().time())
            writer.write(wire.REPLY_TO_HELLO.encode(wire.Welcome(wire.VERSION, S2)))
            await reader.read()
            await reader.read()
            writer.close()

        async with running(link, welcome):
            await asyncio.sleep(60)
            link.hurry()
            await asyncio.sleep(0.1)
            assert len(dialled) == 2
            assert 60 <= dialled[1] <= 60.01
            link.hurry()  # as the peer's may be made anew by this one's
            await asyncio.sleep(60)
            assert len(dialled) == 2

    run_virtually(body())
