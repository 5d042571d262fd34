"""The links of a server to its peers: each dials until it is through, and then carries what is to be sent one way.

A link promises nothing, as Raft demands nothing: what does not fit into its queue is dropped, the oldest first, because
what is said last is worth most. It dials again after a pause that doubles up to a limit, varied by chance so that
servers that lost each other together do not all come back at the same moment; and at once when the peer has dialled.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from random import Random

from refimpl import wire
from refimpl.dialling import Address, Dialled, dial
from refimpl.errors import RefimplError
from refimpl.events import Events
from refimpl.messages import PeerMessage
from refimpl.metrics import Metrics

MAX_QUEUED = 1 << 23
"""Bytes, of frames that wait for a link."""
MAX_MESSAGES = 64
"""So that a peer that comes back has not to read the heartbeats of an hour."""
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to dial."""


class Link:
    """To one peer, from `run` until its task is cancelled."""

    def __init__(
        self, hello: wire.Hello, address: Address, tls: ssl.SSLContext | None, chance: Random, events: Events,
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._hello = hello
        self._address = address
        self._tls = tls
        self._chance = chance
        self._events = events
        self._metrics = metrics
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._connection: Dialled | None = None
        self._hurried = asyncio.Event()
        self._may_hurry_at = 0.0
        self._begun = 0.0  # the connection

    def hurry(self) -> None:
        """The peer is there: do not wait any longer. A leader is quiet to a follower that has come back until its link
        is up, and must not be for an election timeout. Not more often than a link is tried anyway: two servers whose
        connections end at once would otherwise wake each other without a pause."""
        now = asyncio.get_running_loop().time()
        if now < self._may_hurry_at:
            return
        self._may_hurry_at = now + LONGEST_PAUSE
        self._hurried.set()
        if self._connection is not None and now - self._begun > LONGEST_PAUSE:
            self._connection.close()  # older than the peer's: after a power cut there is nobody at its other end

    def send(self, message: PeerMessage) -> None:
        """Send it, or keep it for later, or drop it."""
        data = wire.PEER.encode(message)
        if self._connection is not None and self._connection.writable:
            self._connection.write(data)
            return
        self._queue.append(data)
        self._queued += len(data)
        while self._queued > MAX_QUEUED or len(self._queue) > MAX_MESSAGES:
            self._queued -= len(self._queue.popleft())
            self._metrics.dropped("link")

    async def run(self) -> None:
        """Keep the link up."""
        pause, last_error, now = SHORTEST_PAUSE, "", asyncio.get_running_loop().time
        while True:
            lost = asyncio.Event()
            try:
                self._connection = await dial(self._address, self._tls, self._hello, _take_nothing, lost.set)
                self._connection.resumed = self._send_queued
                last_error, self._begun = "", now()
                self._events.info("linked", peer=self._hello.destination, address=str(self._address))
                self._send_queued()
                await lost.wait()
                self._events.info("unlinked", peer=self._hello.destination)
                if now() - self._begun > LONGEST_PAUSE:  # not for a peer that welcomes us and hangs up, again and again
                    pause = SHORTEST_PAUSE
            except (RefimplError, OSError, TimeoutError) as error:
                text = str(error) or type(error).__name__
                if text != last_error:  # once, not each time: a peer may be down for days
                    last_error = text
                    self._events.warning(
                        "cannot_link", peer=self._hello.destination, address=str(self._address), error=last_error
                    )
            finally:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause * self._chance.uniform(0.5, 1)):
                    await self._hurried.wait()
            self._hurried.clear()
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send_queued(self) -> None:
        while self._queue and self._connection is not None and self._connection.writable:
            data = self._queue.popleft()
            self._queued -= len(data)
            self._connection.write(data)


def _take_nothing(payload: bytes) -> None:
    """A server answers on a link of its own."""
