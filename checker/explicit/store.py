"""The memory of one worker: its store of states, visited set, parents and outboxes, grown between rounds.

The compiled code never allocates; it says that it needs room and is called again.
"""

from __future__ import annotations

import ctypes
from ctypes import Array, c_int64, c_uint32

from checker.explicit.compile import Compiled
from checker.explicit.emit_search import NO_PARENT, Word, batch_room
from checker.explicit.memory import Block, physical

LOAD = 0.7
"""How full the visited set may be."""
BOX_BYTES = 1 << 22
"""About how much one worker sends another between two rounds."""
PADDING = 32  # words
MOST_STATES = NO_PARENT - 1


def _apart(words: int) -> Array[c_int64]:
    """An array that shares no cache line with another worker's: these are written all the time."""
    return (c_int64 * words).from_buffer((c_int64 * (words + 2 * PADDING))(), 8 * PADDING)


class Worker:
    """One owner of states. Use it as a context manager: it frees what it holds."""

    def __init__(self, compiled: Compiled, me: int, workers: int) -> None:
        self.compiled, self.words = compiled, compiled.layout.words
        self.block = _apart(len(Word))
        self.address = ctypes.addressof(self.block)
        records = batch_room(compiled.most)
        self.buffer = (c_int64 * (records * (self.words + 1)))()
        self.hashes = (c_int64 * (2 * records))()
        self.context = _apart(compiled.context_words)
        self.taken = _apart(len(compiled.kinds))
        self.boxes = _apart(2 * workers)
        self.box_room = max(2 * records, BOX_BYTES // (8 * (self.words + 2))) if workers > 1 else 0
        self._box_memory = [
            (c_int64 * (self.box_room * (self.words + 2)))() for other in range(workers if workers > 1 else 0)
        ]
        for other, memory in enumerate(self._box_memory):
            self.boxes[2 * other] = ctypes.addressof(memory)
        self._states, self._parents = Block(physical()), Block(physical() // 8)
        self._table: Block | None = None
        self.running = False  # in the level that is being expanded
        self.event: int | None = None  # mask of broken invariants where the cursor is; 0: an evaluation failed
        self.failed: tuple[int, int] | None = None  # the first state, and its label, whose evaluation failed
        self.reached: dict[int, tuple[int, int]] = {}  # goals, in the level that is being checked
        block = self.block
        block[Word.BUFFER] = ctypes.addressof(self.buffer)
        block[Word.HASHES] = ctypes.addressof(self.hashes)
        block[Word.CONTEXT] = ctypes.addressof(self.context)
        block[Word.TAKEN] = ctypes.addressof(self.taken)
        block[Word.BOXES] = ctypes.addressof(self.boxes)
        block[Word.BOX_ROOM] = self.box_room
        block[Word.DEADLOCK] = -1
        block[Word.ME], block[Word.WORKERS] = me, workers
        self.make_room(max(1024, 2 * records))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for memory in (self._states, self._parents, self._table):
            if memory is not None:
                memory.close()

    @property
    def count(self) -> int:
        return self.block[Word.COUNT]

    @property
    def bytes(self) -> int:
        """What the states take, with their parents and their part of the visited set."""
        return self.count * (8 * self.words + 4) + 8 * (self.block[Word.MASK] + 1)

    def make_room(self, more: int) -> None:
        """Room for at least so many further states. Raises MemoryError."""
        block = self.block
        if block[Word.COUNT] + more <= block[Word.ROOM]:
            return
        size = 1024
        while size * LOAD < block[Word.COUNT] + more:
            size *= 2
        room = int(size * LOAD)
        if room * block[Word.WORKERS] > MOST_STATES:
            raise MemoryError("more states than 32 bits can number")
        self._states.make_room(room * 8 * self.words)
        self._parents.make_room(room * 4)
        block[Word.STATES], block[Word.PARENTS] = self._states.address, self._parents.address
        old, slots = self._table, block[Word.MASK] + 1
        table = Block(8 * size)
        block[Word.TABLE], block[Word.ROOM], block[Word.MASK] = table.address, room, size - 1
        self._table = table
        if old is not None:
            self.compiled.rehash(self.address, old.address, slots)
            old.close()

    def state(self, index: int) -> tuple[int, ...]:
        address = self._states.address + index * 8 * self.words
        return tuple((c_int64 * self.words).from_address(address))

    def parent(self, index: int) -> int | None:
        found = c_uint32.from_address(self._parents.address + 4 * index).value
        return None if found == NO_PARENT else found

    def absorb(self, other: Worker) -> None:
        """Stores what another worker found for this one."""
        me = self.block[Word.ME]
        size = other.boxes[2 * me + 1]
        if size:
            self.make_room(size)
            self.compiled.absorb(self.address, other.boxes[2 * me], size)
            other.boxes[2 * me + 1] = 0

    def put(self, words: tuple[int, ...]) -> None:
        """Stores a first state, if it is this worker's."""
        record = (c_int64 * (self.words + 2))()
        record[2:] = list(words)
        record[0], record[1] = self.compiled.hash_of(ctypes.addressof(record) + 16), NO_PARENT
        if (record[0] % (1 << 32) * self.block[Word.WORKERS]) >> 32 == self.block[Word.ME]:
            self.compiled.absorb(self.address, ctypes.addressof(record), 1)
