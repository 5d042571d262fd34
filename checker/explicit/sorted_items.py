"""States in the order of their hashes, as items (see emit_sorted): sorted in pieces, so that a search can be ended."""

from __future__ import annotations

import ctypes
from ctypes import c_int64
from itertools import accumulate

from checker.explicit.compile import Compiled
from checker.explicit.halt import Halt
from checker.explicit.memory import Block

ITEM = 16
"""Bytes of an item."""
BUCKET = 1 << 15
"""About how many items are sorted at a time."""
_PIECE = 1 << 17
_MOST_BITS = 16
_LIBC = ctypes.CDLL(None)


class SortedItems:
    """``address``: where the items are, once they are sorted."""

    def __init__(self, compiled: Compiled, room: int, halt: Halt) -> None:
        self.compiled, self.halt = compiled, halt
        self._filled, self._spread = Block(room * ITEM), Block(room * ITEM)
        self.address = 0

    def sort(self, states: int, size: int) -> None:
        """Makes an item of each state from this address on. Raises Halted."""
        stride = 8 * self.compiled.layout.words
        for at in range(0, size, _PIECE):
            self.halt.look()
            piece = min(_PIECE, size - at)
            self.compiled.itemise(states + at * stride, piece, self._filled.address + at * ITEM)
        bits = min(_MOST_BITS, (size // BUCKET).bit_length())
        if bits == 0:
            self.address = self._filled.address
            self._sort(self.address, size)
            return
        self.address = self._spread.address
        ends = self._in_buckets(size, bits)
        for first, end in zip([0, *ends], ends, strict=False):
            self.halt.look()
            self._sort(self.address + first * ITEM, end - first)

    def _in_buckets(self, size: int, bits: int) -> list[int]:
        """Puts items together that have the same highest bits, in the order of these; where each bucket ends."""
        code, shift = self.compiled, 64 - bits
        sizes = (c_int64 * (1 << bits))()
        for at in range(0, size, _PIECE):
            self.halt.look()
            code.histogram(self._filled.address + at * ITEM, min(_PIECE, size - at), shift, ctypes.addressof(sizes))
        ends = list(accumulate(sizes))
        places = (c_int64 * (1 << bits))(0, *ends[:-1])
        for at in range(0, size, _PIECE):
            self.halt.look()
            items, piece = self._filled.address + at * ITEM, min(_PIECE, size - at)
            code.scatter(items, piece, shift, ctypes.addressof(places), self.address, size)
        return ends

    def _sort(self, items: int, count: int) -> None:
        compare = ctypes.c_void_p(self.compiled.compare_items)
        _LIBC.qsort(ctypes.c_void_p(items), ctypes.c_size_t(count), ctypes.c_size_t(ITEM), compare)

    def close(self) -> None:
        self._filled.close()
        self._spread.close()
