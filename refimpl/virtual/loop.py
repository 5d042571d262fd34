"""An event loop whose clock jumps to whatever is due next: programs that wait for seconds take no time, and two runs
that draw the same chances are the same.

Files, sockets and threads of the system are not part of it: what a program would do in a thread is done in the loop,
as long after as the machine's disk takes, and connections are those of `network.py`. Processor time is free.
"""

from __future__ import annotations

import asyncio
import heapq
import signal
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from refimpl.virtual.machine import MACHINE, Machine
from refimpl.virtual.network import Listener, Network


class VirtualLoop(asyncio.BaseEventLoop):
    """Give it to `asyncio.Runner(loop_factory=…)`. `latency`: seconds that the next bytes are on their way."""

    # Of asyncio.BaseEventLoop, which has no other way to be given a clock.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int

    def __init__(self, latency: Callable[[], float]) -> None:
        super().__init__()
        self._now = 0.0
        self.network = Network(self, latency)
        self.set_task_factory(_noted)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def go_on(self, machine: Machine) -> None:
        """Let a paused machine do what it would have done."""
        machine.is_paused = False
        self._ready.extend(machine.held)
        machine.held.clear()

    # What asyncio asks of a loop --------------------------------------------------------------------------------------

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._take_first()
        if not ready:
            if not scheduled:
                raise RuntimeError("nothing will ever happen: everybody waits for somebody else")
            self._now = max(self._now, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._now:
            ready.append(self._take_first())
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            machine = handle._context.get(MACHINE)  # type: ignore[attr-defined]
            if machine is not None and machine.is_paused:
                machine.held.append(handle)
            else:
                handle._run()

    def _take_first(self) -> asyncio.TimerHandle:
        handle = heapq.heappop(self._scheduled)
        handle._scheduled = False  # type: ignore[attr-defined]
        self._timer_cancelled_count -= handle._cancelled
        return handle

    def _write_to_self(self) -> None:
        """Nothing sleeps, so nothing has to be woken."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do it in this thread, as long after as the machine's disk takes."""
        done = self.create_future()

        def perform() -> None:
            if done.done():
                return  # given up
            try:
                done.set_result(func(*args))
            except Exception as error:
                done.set_exception(error)

        machine = MACHINE.get()
        self.call_later(0.0 if machine is None else machine.disk_seconds(), perform)
        return done

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        signal.signal(sig, lambda number, frame: callback(*args))

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
    ) -> Listener:
        return self.network.listen(protocol_factory, host, port)


def _noted(loop: asyncio.AbstractEventLoop, program: Any, context: Context | None = None, **more: Any) -> Any:
    """A new task; its machine knows of it."""
    task: asyncio.Task[Any] = asyncio.Task(program, loop=loop, context=context, **more)
    machine = MACHINE.get() if context is None else context.get(MACHINE)
    if machine is not None:
        machine.tasks[task] = None
        task.add_done_callback(lambda task: machine.tasks.pop(task, None))
        if machine.is_dead:
            task.cancel()
    return task
