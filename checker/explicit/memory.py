"""A block of memory that grows in place: address space is reserved, pages are taken as they are first written.

Nothing is copied to make room, and no Python object stands for a state. Huge pages, where the system has them, save
most of the waits that random access to gigabytes costs.
"""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress

PAGE = 1 << 21
"""Blocks are multiples of a huge page."""
_LEAST = 1 << 26
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Block:
    """``address`` is where it begins; it changes only when the reserved space is used up. All is zero at first."""

    def __init__(self, reserve: int) -> None:
        self._map: mmap.mmap | None = None
        self.address = self.size = 0
        self._reserve(reserve)

    def _reserve(self, size: int) -> None:
        """As much as there may be, or less where the system grants no more (a limit on address space)."""
        size = max(_LEAST, -(-size // PAGE) * PAGE)
        while True:
            try:
                flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
                self._map = mmap.mmap(-1, size, flags=flags)
                break
            except OSError as refusal:
                if size == _LEAST:
                    raise MemoryError("no address space for more states") from refusal
                size = max(_LEAST, size // 2)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without huge pages is only slower
                self._map.madvise(mmap.MADV_HUGEPAGE)
        self.address, self.size = ctypes.addressof(ctypes.c_char.from_buffer(self._map)), size

    def make_room(self, size: int) -> None:
        """Room for at least so many bytes. Raises MemoryError."""
        if size <= self.size:
            return
        old, address, had = self._map, self.address, self.size
        self._reserve(max(size, 2 * self.size))
        if self.size < size:
            raise MemoryError("no address space for more states")
        ctypes.memmove(self.address, address, had)
        if old is not None:
            old.close()

    def forget(self) -> None:
        """Gives all pages back; the block is zero again."""
        assert self._map is not None
        self._map.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        self._map, self.address, self.size = None, 0, 0
