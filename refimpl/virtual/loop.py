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
from contextvars import Context, copy_context
from typing import Any
from weakref import WeakKeyDictionary

from refimpl.virtual.machine import MACHINE, Machine
from refimpl.virtual.network import Listener, Network


class VirtualLoop(asyncio.BaseEventLoop):
    """Give it to `asyncio.Runner(loop_factory=…)`. `latency` and `cut` are those of its network.

    `strays` are errors of callbacks and tasks that belong to no machine: the watcher's own.
    """

    # Of asyncio.BaseEventLoop, which has no other way to be given a clock.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int

    def __init__(self, latency: Callable[[], float], cut: Callable[[int], int] = lambda length: 0) -> None:
        super().__init__()
        self._now = 0.0
        self.network = Network(self, latency, cut)
        self.strays: list[str] = []
        self._machines: WeakKeyDictionary[asyncio.Future[Any], Machine] = WeakKeyDictionary()  # of tasks
        self._holding: dict[Machine, None] = {}
        self._is_thawed = False
        self._signals: dict[int, Any] = {}
        self.set_task_factory(self._noted)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def go_on(self, machine: Machine) -> None:
        """Let a paused machine do what it would have done."""
        machine.is_paused = False
        self._ready.extend(machine.held)
        machine.held.clear()
        self._holding.pop(machine, None)

    def thaw(self) -> None:
        """Nobody is paused any more: what is left is to end."""
        self._is_thawed = True
        for machine in tuple(self._holding):
            self.go_on(machine)

    def close(self) -> None:
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        self._signals.clear()
        self.network.end()
        super().close()

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
            if machine is not None and machine.is_paused and not self._is_thawed:
                machine.held.append(handle)
                self._holding[machine] = None
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
        before = signal.signal(sig, lambda number, frame: callback(*args))
        self._signals.setdefault(sig, before)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As inherited, in the name of the machine whose callback or task has failed."""
        handle, task = context.get("handle"), context.get("task") or context.get("future")
        where = copy_context()
        if handle is not None:
            where = handle._context.copy()  # a copy, for it may be the one that runs
        elif task is not None:
            where.run(MACHINE.set, self._machines.get(task))
        # asyncio's own streams complain of a handler that is cancelled, as all are at the end.
        if where.get(MACHINE) is None and not isinstance(context.get("exception"), asyncio.CancelledError):
            self.strays.append(f"{context.get('message')}: {context.get('exception')!r}")
        where.run(super().default_exception_handler, context)

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
    ) -> Listener:
        return self.network.listen(protocol_factory, host, port)

    def _noted(
        self, loop: asyncio.AbstractEventLoop, program: Any, context: Context | None = None, **more: Any
    ) -> Any:
        """A new task; its machine knows of it."""
        task: asyncio.Task[Any] = asyncio.Task(program, loop=loop, context=context, **more)
        machine = MACHINE.get() if context is None else context.get(MACHINE)
        if machine is not None:
            self._machines[task] = machine
            machine.tasks[task] = None
            task.add_done_callback(lambda task: machine.tasks.pop(task, None))
            if machine.is_dead:
                task.cancel()
        return task
