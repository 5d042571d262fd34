"""Whose code runs: each task and callback belongs to the machine in whose context it was made.

A *paused* machine does nothing until it goes on, and then in the order in which it would have been. Of a *dead* one the
tasks are cancelled; whatever they still do on their way out reaches nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

MACHINE: ContextVar[Machine | None] = ContextVar("machine", default=None)
"""None: whoever watches."""


class Machine:
    """From its start to its end; a restart is another one."""

    def __init__(self, disk_seconds: Callable[[], float], log: Callable[[logging.LogRecord], None]) -> None:
        """`disk_seconds`: how long its next fsync takes. `log` is given what its programs log, while it lives."""
        self.disk_seconds = disk_seconds
        self.log = log
        self.is_paused = False
        self.is_dead = False
        self.held: list[asyncio.Handle] = []  # what a paused machine would have done
        self.tasks: dict[asyncio.Task[Any], None] = {}

    def run(self, program: Any) -> asyncio.Task[Any]:
        """Start a coroutine on this machine."""
        context = copy_context()
        context.run(MACHINE.set, self)
        return asyncio.get_running_loop().create_task(program, context=context)

    def die(self) -> None:
        """Without another word: its connections and its disk are the caller's to see to."""
        self.is_dead = True
        for task in tuple(self.tasks):
            task.cancel()
