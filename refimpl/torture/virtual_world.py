"""Servers, network, disks and time in this process, all chance from one seed: hours in minutes, and the same again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from refimpl.events import LOGGER
from refimpl.simulation.chance import Chance
from refimpl.torture.virtual_passage import VirtualPassage
from refimpl.torture.virtual_process import VirtualProcess
from refimpl.virtual.logs import logs_of_machines
from refimpl.virtual.loop import VirtualLoop

MICROSECONDS_ON_THE_WAY = (50, 500)

Result = TypeVar("Result")


class VirtualWorld:
    """A World."""

    process = VirtualProcess
    passage = VirtualPassage


def run_virtually(main: Coroutine[Any, Any, Result], seed: int) -> Result:
    """What `asyncio.run` is to this machine. Raises RuntimeError after errors that nobody else has heard of."""
    chance, cuts = Chance(seed, "network"), Chance(seed, "cuts")

    def latency() -> float:
        return chance.between(*MICROSECONDS_ON_THE_WAY) / 1e6

    def cut(length: int) -> int:
        return cuts.below(length) if cuts.happens(0.25) else 0

    loop = VirtualLoop(latency, cut)

    async def whole() -> Result:
        try:
            return await main
        finally:
            loop.thaw()

    program = whole()
    try:
        with logs_of_machines(LOGGER.name, "asyncio"), asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(program)
    finally:
        program.close()  # where an interrupt came before its begin
        main.close()
    if loop.strays:
        raise RuntimeError(f"the harness has a bug: {loop.strays[0]}")
    return result
