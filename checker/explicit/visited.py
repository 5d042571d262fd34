"""The visited set of one worker: the states that it owns, with their parents; in memory, or by fingerprint only.

The compiled code reads and writes it through a worker's words. It never allocates: it says that it needs room, and is
called again. States are numbered in the order in which they were found.
"""

from __future__ import annotations

from ctypes import Array, c_int64, c_uint32
from typing import Protocol

from checker.explicit.compile import Compiled
from checker.explicit.halt import Halt
from checker.explicit.memory import Block
from checker.explicit.worker import NO_PARENT, Word

LOAD = 0.7
"""How full the hash table may be."""
MOST_STATES = NO_PARENT - 1
LEAST_SLOTS = 1024
REHASHED = 1 << 18
"""Slots that move to a larger table at a time."""


class OverBudget(Exception):
    """The states need more memory than the search was given."""


class TooManyStates(Exception):
    """They have more numbers than there are: no memory helps."""


class Visited(Protocol):
    """``count``: states found, but for those that a search on disk has yet to compare. ``bytes``: what they take in
    memory."""

    @property
    def count(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    def make_room(self, more: int) -> None:
        """Room for so many further states. Raises MemoryError, OverBudget, TooManyStates."""

    def begin_level(self, start: int) -> None:
        """The states from ``start`` on are the level that will be expanded."""

    def settle(self) -> None:
        """All that was found is compared and counted. Raises Halted, TooManyStates, OSError."""

    def state(self, index: int) -> tuple[int, ...] | None:
        """The words of a state; None if only its fingerprint is left."""

    def parent(self, index: int) -> int | None: ...

    def close(self) -> None: ...


class Table:
    """The hash table of a worker: it doubles, and never looks at a state for it."""

    def __init__(self, compiled: Compiled, block: Array[c_int64], address: int, halt: Halt) -> None:
        self.compiled, self.block, self.address, self.halt = compiled, block, address, halt
        self._memory: Block | None = None

    @property
    def bytes(self) -> int:
        return 0 if self._memory is None else 8 * (self.block[Word.MASK] + 1)

    def resize(self, size: int) -> None:
        """``size``: a power of two. Raises Halted."""
        if self._memory is not None and size == self.block[Word.MASK] + 1:
            return
        old, slots = self._memory, self.block[Word.MASK] + 1
        self._memory = Block(8 * size)
        self.block[Word.TABLE], self.block[Word.MASK] = self._memory.address, size - 1
        if old is not None:
            try:
                for at in range(0, slots, REHASHED):
                    self.halt.look()
                    self.compiled.rehash(self.address, old.address + 8 * at, min(REHASHED, slots - at))
            finally:
                old.close()

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()


def slots_for(states: int) -> int:
    """How large a table must be for so many states."""
    size = LEAST_SLOTS
    while int(size * LOAD) < states:
        size *= 2
    return size


class InMemory:
    """All states, whole. ``budget``: bytes, of which it takes no more."""

    def __init__(
        self, compiled: Compiled, block: Array[c_int64], address: int, budget: int, halt: Halt
    ) -> None:
        self.block, self.words = block, compiled.layout.words
        self.compiled, self.address = compiled, address
        self.budget = budget
        self._record = 8 * self.words + 4
        most = budget // self._record  # with so much address space nothing has to be moved to where there is more
        self.states, self.parents = Block(most * 8 * self.words), Block(most * 4)
        self.table = Table(compiled, block, address, halt)

    @property
    def count(self) -> int:
        return self.block[Word.COUNT]

    @property
    def bytes(self) -> int:
        return self.count * self._record + self.table.bytes

    def make_room(self, more: int) -> None:
        block = self.block
        needed = block[Word.COUNT] + more
        if needed <= block[Word.ROOM]:
            return
        refuse_more_than_can_be_numbered(needed, block[Word.WORKERS])
        size = slots_for(needed)
        growing = self.table.bytes if self.table.bytes != 8 * size else 0  # while entries move to the new table
        numbers = MOST_STATES // block[Word.WORKERS]
        room = min(int(size * LOAD), numbers, (self.budget - 8 * size - growing) // self._record)
        if room < needed:
            raise OverBudget
        self.states.make_room(room * 8 * self.words)
        self.parents.make_room(room * 4)
        block[Word.STATES] = block[Word.LEVEL] = self.states.address
        block[Word.PARENTS] = self.parents.address
        self.table.resize(size)
        block[Word.ROOM] = room

    def begin_level(self, start: int) -> None:
        pass

    def settle(self) -> None:
        pass

    def state(self, index: int) -> tuple[int, ...]:
        return words_at(self.states.address, index, self.words)

    def parent(self, index: int) -> int | None:
        return parent_at(self.parents.address, index)

    def close(self) -> None:
        for memory in (self.states, self.parents, self.table):
            memory.close()


class Fingerprints:
    """A hash of 64 bits for each state, and whole states of two levels: what is left can be wrong, rarely."""

    def __init__(
        self, compiled: Compiled, block: Array[c_int64], address: int, budget: int, halt: Halt
    ) -> None:
        self.block, self.words, self.budget = block, compiled.layout.words, budget
        most = budget // 12  # as above
        self.hashes, self.parents = Block(most * 8), Block(most * 4)
        self.level, self.following = Block(budget), Block(budget)
        self.table = Table(compiled, block, address, halt)
        self.start = self.end = 0  # of the level that is being expanded

    @property
    def count(self) -> int:
        return self.block[Word.COUNT]

    @property
    def bytes(self) -> int:
        return self.count * 12 + self.table.bytes + (self.count - self.start) * 8 * self.words

    def make_room(self, more: int) -> None:
        block = self.block
        needed = block[Word.COUNT] + more
        if needed <= block[Word.ROOM]:
            return
        refuse_more_than_can_be_numbered(needed, block[Word.WORKERS])
        size = slots_for(needed)
        growing = self.table.bytes if self.table.bytes != 8 * size else 0  # while entries move to the new table
        numbers, whole = MOST_STATES // block[Word.WORKERS], 8 * self.words
        room = min(int(size * LOAD), numbers, (self.budget - 8 * size - growing + self.start * whole) // (12 + whole))
        if room < needed:
            raise OverBudget
        self.hashes.make_room(room * 8)
        self.parents.make_room(room * 4)
        self.following.make_room((room - self.end) * 8 * self.words)
        block[Word.FINGERPRINTS], block[Word.PARENTS] = self.hashes.address, self.parents.address
        self._point()
        self.table.resize(size)
        block[Word.ROOM] = room

    def begin_level(self, start: int) -> None:
        self.level, self.following = self.following, self.level
        self.following.forget()  # else it would hold the pages of the largest level so far
        self.start, self.end = start, self.count
        self.following.make_room((self.block[Word.ROOM] - self.end) * 8 * self.words)
        self._point()

    def _point(self) -> None:
        """To where state 0 would be, if each level's memory began with it."""
        self.block[Word.LEVEL] = self.level.address - self.start * 8 * self.words
        self.block[Word.STATES] = self.following.address - self.end * 8 * self.words

    def settle(self) -> None:
        pass

    def state(self, index: int) -> None:
        return None

    def fingerprint(self, index: int) -> int:
        return int(c_int64.from_address(self.hashes.address + 8 * index).value)

    def parent(self, index: int) -> int | None:
        return parent_at(self.parents.address, index)

    def close(self) -> None:
        for memory in (self.hashes, self.parents, self.level, self.following, self.table):
            memory.close()


def refuse_more_than_can_be_numbered(states: int, workers: int) -> None:
    """Raises TooManyStates: a parent is a number and its owner, together in 32 bits, and one is no state's."""
    if states > MOST_STATES // workers:
        raise TooManyStates("more than 32 bits can number")


def words_at(states: int, index: int, words: int) -> tuple[int, ...]:
    return tuple((c_int64 * words).from_address(states + index * 8 * words))


def parent_at(parents: int, index: int) -> int | None:
    return a_parent(c_uint32.from_address(parents + 4 * index).value)


def a_parent(number: int) -> int | None:
    return None if number == NO_PARENT else number
