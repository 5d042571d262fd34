"""A visited set on disk: memory holds only what was found last, as much as the budget allows.

What is found is kept apart in memory until that is full, or the level ends. Then it is sorted and compared with all
that was found before, which lies on disk in sorted runs and is read from one end to the other; what is new becomes one
more run. So each state is still compared whole, and the counts are those of a search in memory.

The *log* of a worker is two files, the states in the order of their numbers and their parents. A run is a stretch of
the log, or of a file of its own: of states that were found before anything was on disk, or of runs that were merged.
"""

from __future__ import annotations

import ctypes
from array import array
from ctypes import Array, c_int64, c_uint32
from pathlib import Path

from checker.explicit.compile import Compiled
from checker.explicit.halt import Halt
from checker.explicit.memory import Block
from checker.explicit.records import Mapping, Records
from checker.explicit.runs import LOG, Run, Runs
from checker.explicit.sorted_items import ITEM, SortedItems
from checker.explicit.visited import LEAST_SLOTS, LOAD, Table, a_parent, refuse_more_than_can_be_numbered
from checker.explicit.worker import Word, batch_room

PIECE = 1 << 13
"""How many states are written at a time."""


class Log:
    """The states of one worker in the order of their numbers, and their parents."""

    def __init__(self, folder: Path, me: int, words: int, *, fresh: bool) -> None:
        self.states = Records(folder / f"states.{me}", 8 * words, fresh=fresh)
        self.parents = Records(folder / f"parents.{me}", 4, fresh=fresh)

    def sync(self) -> None:
        self.states.sync()
        self.parents.sync()

    def truncate(self, count: int) -> None:
        self.states.truncate(count)
        self.parents.truncate(count)

    def close(self) -> None:
        self.states.close()
        self.parents.close()


def least_budget(compiled: Compiled, box_room: int) -> int:
    """Bytes that one worker needs at the least."""
    states = 4 * max(LEAST_SLOTS, 2 * batch_room(compiled.most) + box_room)  # a table may be little more than half used
    return states * (8 * compiled.layout.words + 4 + 2 * ITEM + 16) + PIECE * (8 * compiled.layout.words + 4)


class OnDisk:
    """``budget``: bytes of memory, pages of files that the system may drop not counted."""

    def __init__(
        self,
        compiled: Compiled,
        block: Array[c_int64],
        address: int,
        budget: int,
        log: Log,
        runs: Runs,
        halt: Halt,
    ) -> None:
        self.compiled, self.block, self.words = compiled, block, compiled.layout.words
        self.log, self.runs = log, runs
        record = 8 * self.words + 4
        each, slots = record + 2 * ITEM, LEAST_SLOTS
        budget -= PIECE * record
        while 2 * slots * 8 + int(2 * slots * LOAD) * each <= budget:
            slots *= 2
        self.room = int(slots * LOAD)
        self._states, self._parents = Block(self.room * 8 * self.words), Block(self.room * 4)
        self._items = SortedItems(compiled, self.room, halt)
        self._out = (c_int64 * (PIECE * self.words))()
        self._out_parents = (c_uint32 * PIECE)()
        self._level: Mapping | None = None  # the log, as it was when the level began
        self.table = Table(compiled, block, address, halt)
        block[Word.TABLE] = block[Word.MASK] = 0
        self.table.resize(slots)
        block[Word.STATES], block[Word.PARENTS] = self._states.address, self._parents.address
        block[Word.COUNT], block[Word.ROOM] = 0, self.room

    @property
    def count(self) -> int:
        return self.log.states.count

    @property
    def bytes(self) -> int:
        return self.room * (8 * self.words + 4 + 2 * ITEM) + self.table.bytes + PIECE * (8 * self.words + 4)

    def make_room(self, more: int) -> None:
        if self.block[Word.COUNT] + more > self.block[Word.ROOM]:
            self.settle()
        assert more <= self.room

    def begin_level(self, start: int) -> None:
        if self._level is not None:
            self._level.close()
        self._level = self.log.states.map()
        self.block[Word.LEVEL] = self._level.address

    def settle(self) -> None:
        """Compares what was found with all runs, and makes a run of what is new. Raises Halted, TooManyStates,
        OSError."""
        size, log = self.block[Word.COUNT], self.log
        if not size:
            return
        self._items.sort(self._states.address, size)
        items = self._items.address
        self.runs.sift(items, size, ITEM)
        first = log.states.count
        for at in range(0, size, PIECE):
            piece, out, parents = min(PIECE, size - at), self._out, self._out_parents
            place = ctypes.addressof(out), ctypes.addressof(parents)
            store = self._states.address, size, self._parents.address
            new = self.compiled.gather(items + at * ITEM, piece, *store, *place)
            refuse_more_than_can_be_numbered(log.states.count + new, self.block[Word.WORKERS])
            log.states.append(place[0], new)
            log.parents.append(place[1], new)
        self.runs.add(Run(LOG, first, log.states.count))
        self.block[Word.COUNT] = 0
        ctypes.memset(self.block[Word.TABLE], 0, self.table.bytes)
        self.runs.merge_if_many(ctypes.addressof(self._out), PIECE)

    def sort_log(self) -> None:
        """Makes sorted runs of a log that is in no order. Little memory is needed: there are more runs then. Raises
        Halted, OSError."""
        number, size = self.runs.new_file(), self.log.states.count
        with self.log.states.mapped() as source:
            for at in range(0, size, self.room):
                self._sort_states(source + at * 8 * self.words, min(self.room, size - at), number)
        self.runs.merge_if_many(ctypes.addressof(self._out), PIECE)

    def _sort_states(self, begin: int, size: int, number: int) -> None:
        file, out = self.runs.files[number], ctypes.addressof(self._out)
        self._items.sort(begin, size)
        first = file.count
        for at in range(0, size, PIECE):
            items = self._items.address + at * ITEM
            file.append(out, self.compiled.gather(items, min(PIECE, size - at), begin, size, 0, out, 0))
        self.runs.add(Run(number, first, file.count))

    def state(self, index: int) -> tuple[int, ...]:
        return tuple(array("q", self.log.states.read(index)))

    def parent(self, index: int) -> int | None:
        return a_parent(array("I", self.log.parents.read(index))[0])

    def close(self) -> None:
        if self._level is not None:
            self._level.close()
        for memory in (self._states, self._parents, self._items, self.table, self.log, self.runs):
            memory.close()

