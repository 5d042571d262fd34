"""A server that runs in this process, on a virtual loop and a simulated disk.

It dies as by kill -9, and then its system keeps what it has written, or by a power cut: then of what was not flushed
any part may survive, as refimpl/crashes.py has it, and nobody is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import traceback
from pathlib import Path
from typing import Any

from refimpl import wal
from refimpl.ailing_directory import AilingDirectory, ailment_in
from refimpl.crashes import Crashes
from refimpl.dialling import Address
from refimpl.entry import ServerId
from refimpl.exits import Exit
from refimpl.faults import faults_named
from refimpl.life import live
from refimpl.server import Server, Settings
from refimpl.simulated_directory import Operation, SimulatedDirectory
from refimpl.simulation.chance import Chance
from refimpl.storage import Storage
from refimpl.torture.process import Orders, ServerProcess
from refimpl.torture.world import now
from refimpl.virtual.loop import VirtualLoop
from refimpl.virtual.machine import Machine
from refimpl.virtual.network import HOST, End

SECONDS_TO_START = (0.1, 0.4)
SECONDS_TO_SYNC = (0.0002, 0.003)
SEGMENT_SIZES = (1 << 12, 1 << 14, 1 << 20)


class VirtualProcess(ServerProcess):
    """`server` runs while `machine` lives."""

    def __init__(self, name: ServerId, folder: Path, orders: Orders) -> None:
        super().__init__(name, folder, orders)
        self.events: list[dict[str, Any]] = []
        self._chance = Chance(orders.seed, "process", name)
        self._disk = SimulatedDirectory(f"disk of {name}")
        self._machine: Machine | None = None
        self._life: asyncio.Task[int] | None = None
        self.server: Server | None = None
        self._killed = False
        self._dark: list[End] = []  # connections of a life that a power cut has ended

    def start(self, max_entries: int) -> None:
        assert not self.is_running, f"{self.name} is running"
        self.is_watched, self._killed = True, False
        for end in self._dark:
            end.answer()
        self._dark.clear()
        self._machine = Machine(self._seconds_to_sync, self._hear)
        orders = self.orders
        settings = Settings(
            self.name, orders.peers, Path(self.name), None, orders.timings, seed=orders.seed,
            broken=faults_named(orders.broken), max_entries=max_entries,
        )  # fmt: skip
        self._life = self._machine.run(self._live(settings))

    @property
    def is_running(self) -> bool:
        return self._life is not None and not self._killed and not self._life.done()

    @property
    def exit_code(self) -> int | None:
        if self._killed:
            return -signal.SIGKILL
        return self._life.result() if self._life is not None and self._life.done() else None

    def kill(self) -> None:
        self._forget()
        if self.is_running:
            self._killed = True
            self._lose_power()

    def pause(self) -> None:
        if self.is_running and self._machine is not None:
            self._machine.is_paused = self.paused = True

    def go_on(self) -> None:
        if self._machine is not None:
            _loop().go_on(self._machine)
        self.paused = False

    def ask_to_end(self) -> None:
        if self.server is not None and self.is_running:
            self.server.stop()

    def ended(self) -> None:
        self._forget()
        self._lose_power()

    def news(self) -> list[dict[str, Any]]:
        events, self.events = self.events, []
        return events

    @property
    def directory(self) -> SimulatedDirectory:
        return SimulatedDirectory(self._disk.name, self._disk.durable)

    async def _live(self, settings: Settings) -> int:
        await asyncio.sleep(self._seconds(SECONDS_TO_START))
        disk = _AilingDisk(self._disk, self.ailment)
        self.server = Server(settings, Address(HOST, 0), lambda: _SimulatedStorage(disk, self._chance))
        try:
            return await live(self.server)
        except Exception:
            self._tell({"event": "bug", "traceback": traceback.format_exc()})
            return Exit.INTERNAL_ERROR

    def _hear(self, record: logging.LogRecord) -> None:
        event = dict(getattr(record, "fields", None) or {"event": record.getMessage()})
        if record.exc_info:
            event["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        self._tell(event)

    def _tell(self, event: dict[str, Any]) -> None:
        self._note(event)
        self.events.append(event)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"seconds": now(), **event}, default=str) + "\n")

    def _lose_power(self) -> None:
        machine, self._machine, self.server = self._machine, None, None
        if machine is None:
            return
        # Whatever the dying program still does, it does to a disk that nobody will see again.
        self._disk = self._disk.copy()
        is_power_cut = self._chance.happens(0.5)
        if is_power_cut:
            self._disk.crash(_survivors(self._disk.unflushed, self._chance))
        self._dark += _loop().network.lose(machine, silently=is_power_cut)
        machine.die()
        _loop().go_on(machine)

    def _seconds_to_sync(self) -> float:
        match ailment_in(self.ailment):
            case ["slow", seconds]:
                return float(seconds)
        return self._seconds(SECONDS_TO_SYNC)

    def _seconds(self, bounds: tuple[float, float]) -> float:
        return self._chance.between(*(round(1e6 * bound) for bound in bounds)) / 1e6


def _survivors(unflushed: tuple[Operation, ...], chance: Chance) -> tuple[Operation, ...]:
    """Nothing, everything, some whole writes, or any crash: nearly all of them leave a part of everything."""
    match chance.between(0, 3):
        case 0:
            return ()
        case 1:
            return unflushed
        case 2:
            return tuple(operation for operation in unflushed if chance.happens(0.5))
        case _:
            crashes = Crashes(unflushed)
            return crashes[chance.below(crashes.count)]


class _AilingDisk(AilingDirectory):
    """An fsync that fails drops what it should have written, as Linux does; a slow one is the machine's affair."""

    def __init__(self, disk: SimulatedDirectory, ailment: Path) -> None:
        super().__init__(disk, ailment, sleep=lambda seconds: None)
        self._disk = disk

    def _fail_to_sync(self, name: str) -> None:
        self._disk.failing_sync = 1
        self._disk.sync(name)


class _SimulatedStorage(Storage):
    """Opened and recovered, as a real one is."""

    def __init__(self, directory: AilingDirectory, chance: Chance) -> None:
        self.directory = directory
        self.log_file, self.recovered = wal.recover(directory, chance.one_of(SEGMENT_SIZES))

    def close(self) -> None:
        """Nothing of the system was opened."""


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
