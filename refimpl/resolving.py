"""Names of hosts are looked up by the system, in threads, and a resolver that does not answer must hold up no end.

asyncio waits for its threads when a program ends, and so does Python: SIGTERM took as long as the resolver did.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

MAX_WAITING = 32
"""Threads. One more call fails: the resolver does not answer, and will be asked again."""


class Forsaken(ThreadPoolExecutor):
    """For `loop.set_default_executor`: a thread for each call, for which nobody waits at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Raises OSError where there are too many already."""
        if not self._places.acquire(blocking=False):
            raise OSError(errno.EAGAIN, "the resolver of host names does not answer")
        done: Future[Any] = Future()

        def perform() -> None:
            try:
                if done.set_running_or_notify_cancel():
                    done.set_result(fn(*args, **kwargs))
            except BaseException as error:
                done.set_exception(error)
            finally:
                self._places.release()

        try:
            threading.Thread(target=perform, name="resolver", daemon=True).start()
        except RuntimeError as error:  # the system has no more
            self._places.release()
            raise OSError(errno.EAGAIN, str(error)) from error
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is nothing to wait for."""
