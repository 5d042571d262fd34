"""A passage between the connections of a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from refimpl.dialling import Address
from refimpl.torture.passage import Passage
from refimpl.virtual.loop import VirtualLoop
from refimpl.virtual.network import Listener


class VirtualPassage(Passage):
    """On the loop that runs."""

    def __init__(self, target: Callable[[], Address | None]) -> None:
        super().__init__(target)
        self._listener: Listener | None = None

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._listener = loop.network.listen(self._accept)

    @property
    def address(self) -> Address:
        assert self._listener is not None, "the passage is open"
        return Address(*self._listener.getsockname())

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await super().close()

    def _accept(self) -> asyncio.Protocol:
        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async def accepted() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                return reader, writer

            self._take(accepted, writer.transport.abort)

        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), take)
