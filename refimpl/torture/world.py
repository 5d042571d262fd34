"""Where servers run and what is between them: this machine, or a virtual one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from refimpl.dialling import Address
from refimpl.entry import ServerId
from refimpl.torture.passage import Passage
from refimpl.torture.process import Orders, ServerProcess


class World(Protocol):
    """Makes what a cluster is built of."""

    @property
    def process(self) -> Callable[[ServerId, Path, Orders], ServerProcess]: ...

    @property
    def passage(self) -> Callable[[Callable[[], Address | None]], Passage]: ...


def now() -> float:
    """Seconds, of this world's clock."""
    return asyncio.get_running_loop().time()


def nanoseconds() -> int:
    """The same clock."""
    return round(now() * 1e9)
