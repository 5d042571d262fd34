"""Names of hosts are looked up by the system, in threads, and a resolver that does not answer must hold up no end.

asyncio waits for its threads when a program ends, and so does Python: SIGTERM took as long as the resolver did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Forsaken(ThreadPoolExecutor):
    """For `loop.set_default_executor`: a thread for each call, for which nobody waits at the end."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()

        def perform() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(fn(*args, **kwargs))
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=perform, name="resolver", daemon=True).start()
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is nothing to wait for."""
