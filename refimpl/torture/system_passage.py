"""A passage between sockets of the operating system."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from refimpl.dialling import Address
from refimpl.torture.passage import Passage

PAUSE = 0.1


class SystemPassage(Passage):
    """On loopback."""

    def __init__(self, target: Callable[[], Address | None]) -> None:
        super().__init__(target)
        self._listener: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._listening = asyncio.create_task(self._listen(self._listener))

    @property
    def address(self) -> Address:
        assert self._listener is not None, "the passage is open"
        return Address(*self._listener.getsockname())

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await super().close()
        if self._listener is not None:
            self._listener.close()
        await asyncio.sleep(0)  # asyncio closes sockets in its next round

    async def _listen(self, listener: socket.socket) -> None:
        # Not asyncio's server: closed at the wrong moment, that one forgets a connection which it has just accepted.
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE)  # too many files are open, say; who dials waits
            else:
                # Close it, if its task is cancelled before it begins; otherwise it is closed already.
                self._take(partial(asyncio.open_connection, sock=connection), connection.close)
