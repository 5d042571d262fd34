"""Independent pieces of work on several processes: a plain function of a piece, and its results in the order of pieces.

The processes are forked, so what the function closes over need not travel; only results do. Ctrl-C is the parent's: it
ends the others. With one worker, or where there is no fork, the work is done here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_work: Callable[[int], Any] | None = None


def default_workers() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(function: Callable[[Piece], Result], pieces: Sequence[Piece], workers: int) -> Iterator[Result]:
    """``function`` of each piece. An exception in a worker is raised here."""
    global _work
    if workers <= 1 or len(pieces) <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, pieces)
        return
    _work = lambda number: function(pieces[number])  # noqa: E731 - inherited by the fork, so it needs no name
    context = multiprocessing.get_context("fork")
    with context.Pool(min(workers, len(pieces)), initializer=_leave_interrupts_to_the_parent) as pool:
        yield from pool.imap(_call, range(len(pieces)))


def _call(number: int) -> Any:
    assert _work is not None
    return _work(number)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def chunks(items: Sequence[Piece], size: int) -> list[Sequence[Piece]]:
    """Neighbours stay together: runs that begin alike are cheap to replay together."""
    return [items[at : at + size] for at in range(0, len(items), size)]
