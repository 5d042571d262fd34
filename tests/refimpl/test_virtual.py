"""The virtual loop, its network and its machines keep asyncio's promises, and take no time."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from refimpl.virtual.logs import logs_of_machines
from refimpl.virtual.loop import VirtualLoop
from refimpl.virtual.machine import MACHINE, Machine
from refimpl.virtual.network import HIGH, HOST

LATENCY = 0.001


def run(main: Callable[[VirtualLoop], Awaitable[Any]]) -> Any:
    async def body() -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return await main(loop)

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(lambda: LATENCY)) as runner:
        return runner.run(body())


def machine(disk_seconds: float = 0.0) -> Machine:
    return Machine(lambda: disk_seconds, lambda record: None)


class Talker(asyncio.Protocol):
    """Writes down what happens to it."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def eof_received(self) -> None:
        self.heard.append("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self.heard.append("lost" if error is None else type(error).__name__)

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")


async def pair(loop: VirtualLoop, at: Machine | None = None) -> tuple[Talker, Talker]:
    """Who dialled, and who was dialled, which is a program of that machine."""
    there: list[Talker] = []

    def accept() -> Talker:
        there.append(Talker())
        return there[-1]

    async def listen() -> int:
        listener = await loop.create_server(accept, HOST, 0)
        return listener.getsockname()[1]

    port = await (listen() if at is None else at.run(listen()))
    _, here = await loop.create_connection(Talker, HOST, port)
    assert isinstance(here, Talker)
    while not there:
        await asyncio.sleep(LATENCY)
    return here, there[0]


def test_an_hour_of_sleep_takes_no_time_and_each_wakes_in_turn() -> None:
    woken: list[tuple[str, float]] = []

    async def main(loop: VirtualLoop) -> None:
        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((name, loop.time()))

        await asyncio.gather(sleeper("late", 3600), sleeper("early", 60), sleeper("also early", 60))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        assert loop.time() == 3605

    begun = time.monotonic()
    run(main)
    assert woken == [("early", 60), ("also early", 60), ("late", 3600)]
    assert time.monotonic() - begun < 60


def test_when_everybody_waits_for_somebody_else_that_is_said() -> None:
    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run(lambda loop: loop.create_future())


def test_what_a_thread_would_do_is_done_after_the_disks_time() -> None:
    async def main(loop: VirtualLoop) -> None:
        async def program() -> tuple[int, float]:
            with pytest.raises(ZeroDivisionError):
                await asyncio.to_thread(lambda: 1 // 0)
            return await asyncio.to_thread(lambda: 6 * 7), loop.time()

        assert await machine(disk_seconds=0.5).run(program()) == (42, 1.0)
        assert await asyncio.to_thread(lambda: MACHINE.get()) is None

    run(main)


def test_a_thread_that_nobody_waits_for_any_more_does_nothing() -> None:
    done: list[str] = []

    async def main(loop: VirtualLoop) -> None:
        task = machine(disk_seconds=1.0).run(asyncio.to_thread(lambda: done.append("fsync")))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.sleep(5)

    run(main)
    assert done == []


# Connections ----------------------------------------------------------------------------------------------------------


def test_bytes_arrive_in_order_and_a_little_later() -> None:
    async def main(loop: VirtualLoop) -> None:
        here, there = await pair(loop)
        for number in range(100):
            here.transport.write(b"%d" % number)
        assert there.heard == []
        there.transport.write(b"answer")
        await asyncio.sleep(2 * LATENCY)
        assert there.heard == [b"%d" % number for number in range(100)]
        assert here.heard == [b"answer"]

    run(main)


@pytest.mark.parametrize(
    ("end", "there_hears"),
    [
        (lambda transport: transport.close(), [b"last", "eof", "lost"]),
        (lambda transport: transport.write_eof(), [b"last", "eof", "lost"]),
        (lambda transport: transport.abort(), [b"last", "eof", "lost"]),
    ],
)
def test_how_one_side_ends_is_how_the_other_learns_of_it(
    end: Callable[[asyncio.Transport], None], there_hears: list[object]
) -> None:
    async def main(loop: VirtualLoop) -> None:
        here, there = await pair(loop)
        here.transport.write(b"last")
        end(here.transport)
        here.transport.write(b"not sent")
        await asyncio.sleep(1)
        assert there.heard == there_hears
        assert here.heard[-1] == "lost"
        assert not loop.network.ends

    run(main)


def test_nobody_is_where_nobody_listens_any_more() -> None:
    async def main(loop: VirtualLoop) -> None:
        listener = await loop.create_server(Talker, HOST, 0)
        with pytest.raises(OSError, match="address already in use"):
            await loop.create_server(Talker, *listener.getsockname())
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Talker, *listener.getsockname())

    run(main)


def test_who_does_not_read_makes_the_other_pause() -> None:
    async def main(loop: VirtualLoop) -> None:
        here, there = await pair(loop)
        there.transport.pause_reading()
        here.transport.write(bytes(HIGH))
        assert (here.heard, here.transport.get_write_buffer_size()) == ([], 0)
        here.transport.write(b"more")
        assert (here.heard, here.transport.get_write_buffer_size()) == (["pause"], 4)
        await asyncio.sleep(1)
        assert there.heard == []
        there.transport.resume_reading()
        await asyncio.sleep(1)
        assert there.heard == [bytes(HIGH), b"more"]
        assert here.heard == ["pause", "resume"]

    run(main)


# Machines -------------------------------------------------------------------------------------------------------------


def test_a_paused_machine_does_later_what_it_would_have_done_and_its_system_goes_on() -> None:
    async def main(loop: VirtualLoop) -> None:
        stopped, beats = machine(), list[float]()

        async def program() -> None:
            while True:
                await asyncio.sleep(1)
                beats.append(loop.time())

        stopped.run(program())
        here, there = await pair(loop, stopped)
        stopped.is_paused = True
        here.transport.write(b"one")
        await asyncio.sleep(10)
        _, later = await loop.create_connection(Talker, HOST, here.transport.get_extra_info("peername")[1])
        assert isinstance(later, Talker)
        later.transport.write(b"two")
        await asyncio.sleep(1)
        assert (beats, there.heard) == ([], [])
        loop.go_on(stopped)
        await asyncio.sleep(0.5)
        assert there.heard == [b"one"]
        assert len(beats) == 1
        assert beats[0] > 11
        stopped.die()

    run(main)


def test_a_dead_machine_is_silent_and_its_connections_are_reset() -> None:
    logged: list[str] = []

    async def main(loop: VirtualLoop) -> None:
        killed, ends = Machine(lambda: 0.0, lambda record: logged.append(record.getMessage())), list[str]()

        async def program() -> None:
            logging.getLogger("here").info("alive")
            try:
                await asyncio.sleep(100)
            finally:
                logging.getLogger("here").info("dying")
                ends.append("end")
                asyncio.get_running_loop().create_task(asyncio.sleep(100))  # is cancelled, too

        killed.run(program())
        here, there = await pair(loop, killed)
        here.transport.write(b"on its way")
        loop.network.lose(killed)
        killed.die()
        there.transport.write(b"of the dead")
        await asyncio.sleep(1)
        assert (here.heard, there.heard) == (["ConnectionResetError"], [])
        assert ends == ["end"]
        assert not killed.tasks
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Talker, HOST, here.transport.get_extra_info("peername")[1])

    with logs_of_machines("here"):
        run(main)
    assert logged == ["alive"]


def test_the_error_of_a_program_is_its_machines_and_that_of_nobody_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []
    forgotten: list[asyncio.Task[None]] = []

    class Stumbles(Talker):
        def data_received(self, data: bytes) -> None:
            raise LookupError("in a protocol")

    def stumble(where: str) -> None:
        raise LookupError(where)

    async def program(loop: VirtualLoop) -> None:
        loop.call_later(1, stumble, "in a callback")
        forgotten.append(loop.create_task(asyncio.to_thread(stumble, "in a task")))
        await asyncio.sleep(2)

    async def main(loop: VirtualLoop) -> None:
        failing = Machine(lambda: 0.0, lambda record: heard.append(str(record.exc_info and record.exc_info[1])))

        async def listen() -> int:
            return (await loop.create_server(Stumbles, HOST, 0)).getsockname()[1]

        _, here = await loop.create_connection(Talker, HOST, await failing.run(listen()))
        assert isinstance(here, Talker)
        here.transport.write(b"said")
        await failing.run(program(loop))
        forgotten.clear()
        gc.collect()
        assert here.heard == ["eof", "lost"], "as asyncio does it"
        assert sorted(heard) == ["in a callback", "in a protocol", "in a task"]
        assert loop.strays == []
        failing.die()
        loop.call_soon(stumble, "of the watcher")
        await asyncio.sleep(1)
        assert len(loop.strays) == 1
        assert "of the watcher" in loop.strays[0]

    with logs_of_machines("asyncio"):
        run(main)


def test_what_a_host_without_power_is_sent_ends_when_it_has_waited_or_the_host_is_back() -> None:
    async def main(loop: VirtualLoop) -> None:
        for back_after, lost_after in ((3.0, 3.0), (None, 10.0)):
            off = machine()
            here, _ = await pair(loop, off)
            dark = loop.network.lose(off, silently=True)
            off.die()
            begun = loop.time()
            if back_after is not None:
                loop.call_later(back_after, lambda dark=dark: [end.answer() for end in dark])
            while not here.heard:
                here.transport.write(b"heartbeat")
                await asyncio.sleep(0.1)
            assert here.heard == ["ConnectionResetError"]
            assert lost_after <= loop.time() - begun <= lost_after + 0.5
        off = machine()
        here, _ = await pair(loop, off)
        loop.network.lose(off, silently=True)
        await asyncio.sleep(24)
        assert here.heard == [], "who says nothing learns nothing"
        await asyncio.sleep(2)
        assert here.heard == ["ConnectionResetError"]

    run(main)


def test_what_is_written_together_may_arrive_apart() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        here, there = await pair(loop)
        here.transport.write(b"abcdef")
        await asyncio.sleep(1)
        assert there.heard == [b"ab", b"cdef"]
        assert here.transport.get_write_buffer_size() == 0

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(lambda: LATENCY, lambda length: length // 3)) as runner:
        runner.run(body())
