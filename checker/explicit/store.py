"""One worker of a search: what the compiled code knows of it, and the boxes for what it finds of others' states."""

from __future__ import annotations

import ctypes
from ctypes import Array, c_int64
from dataclasses import dataclass
from pathlib import Path

from checker.explicit.compile import Compiled
from checker.explicit.errors import TooLittleMemory
from checker.explicit.halt import Halt
from checker.explicit.runs import Run, Runs
from checker.explicit.visited import Fingerprints, InMemory, Visited
from checker.explicit.visited_disk import Log, OnDisk, least_budget
from checker.explicit.worker import NO_PARENT, Word, batch_room

BOX_BYTES = 1 << 22
"""About how much one worker sends another between two rounds."""
WRITTEN = 1 << 26
"""Bytes of states that are written or read at a time."""
PADDING = 32  # words


@dataclass(frozen=True, slots=True)
class Counters:
    """What a worker has counted: the words of its block that count, and its arrays."""

    block: tuple[int, ...]
    context: tuple[int, ...]
    taken: tuple[int, ...]


COUNTED = (
    Word.GENERATED,
    Word.DEADLOCK,
    Word.BROKEN,
    Word.BROKEN_AT,
    Word.BROKEN_LABEL,
    Word.FEWEST,
    Word.MOST,
)


def _apart(words: int) -> Array[c_int64]:
    """An array that shares no cache line with another worker's: these are written all the time."""
    return (c_int64 * words).from_buffer((c_int64 * (words + 2 * PADDING))(), 8 * PADDING)


class Worker:
    """One owner of states. Use it as a context manager: it frees what it holds."""

    def __init__(self, compiled: Compiled, me: int, workers: int, budget: int, halt: Halt) -> None:
        """``budget``: bytes of memory for all that it holds. Raises TooLittleMemory."""
        self.compiled, self.words = compiled, compiled.layout.words
        self.block = _apart(len(Word))
        self.address = ctypes.addressof(self.block)
        records = batch_room(compiled.most)
        self.buffer = (c_int64 * (records * (self.words + 1)))()
        self.hashes = (c_int64 * (2 * records))()
        self.context = _apart(compiled.context_words)
        self.taken = _apart(len(compiled.kinds))
        self.boxes = _apart(2 * workers)
        box = min(BOX_BYTES, budget // (16 * workers))
        self.box_room = max(2 * records, box // (8 * (self.words + 2))) if workers > 1 else 0
        self._box_memory = {
            other: (c_int64 * (self.box_room * (self.words + 2)))() for other in range(workers) if other != me
        }
        for other, memory in self._box_memory.items():
            self.boxes[2 * other] = ctypes.addressof(memory)
        self.apart = sum(map(ctypes.sizeof, (self.buffer, self.hashes, *self._box_memory.values())))
        self.running = False  # in the level that is being expanded
        self.event: int | None = None  # mask of broken invariants where the cursor is; 0: an evaluation failed
        self.failed: int | None = None  # the first state of which a label's evaluation failed
        self.failures = 0  # how many such states the level has: how many labels lead out of them is not known
        # Where the search goes on: states of this level that broke invariants (a mask) which none had broken before,
        # and those from which a step broke action invariants.
        self.broken_at: list[tuple[int, int]] = []
        self.broken_from: list[tuple[int, int]] = []
        self.reached: dict[int, tuple[int, int]] = {}  # goals, in the level that is being checked
        block = self.block
        block[Word.BUFFER] = ctypes.addressof(self.buffer)
        block[Word.HASHES] = ctypes.addressof(self.hashes)
        block[Word.CONTEXT] = ctypes.addressof(self.context)
        block[Word.TAKEN] = ctypes.addressof(self.taken)
        block[Word.BOXES] = ctypes.addressof(self.boxes)
        block[Word.BOX_ROOM] = self.box_room
        block[Word.DEADLOCK] = -1
        block[Word.FEWEST] = compiled.most
        block[Word.ME], block[Word.WORKERS] = me, workers
        self.budget, self.halt = budget - self.apart, halt  # for states
        if self.budget < least_budget(compiled, self.box_room):
            least = workers * (self.apart + least_budget(compiled, self.box_room)) // 2**20 + 1
            raise TooLittleMemory(
                f"a search of this system needs at least {least} MiB of memory; found: {workers * budget // 2**20} MiB "
                "(--memory, or what this machine can spare)"
            )
        kind = Fingerprints if compiled.fingerprints else InMemory
        self.visited: Visited = kind(compiled, self.block, self.address, self.budget, halt)
        self.make_room(max(1024, 2 * records))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.visited.close()

    @property
    def count(self) -> int:
        return self.visited.count

    @property
    def bytes(self) -> int:
        """What the states take in memory, with their parents and their part of the visited set. ``apart``: what the
        worker holds besides, mostly boxes."""
        return self.visited.bytes

    def make_room(self, more: int) -> None:
        """Room for at least so many further states. Raises MemoryError, OverBudget."""
        self.visited.make_room(more)

    def state(self, index: int) -> tuple[int, ...] | None:
        return self.visited.state(index)

    def parent(self, index: int) -> int | None:
        return self.visited.parent(index)

    def note_broken_step(self) -> None:
        """A step broke action invariants: they are not looked at any more in this level. A failed evaluation stays to
        be found when the level is done."""
        if self.block[Word.BROKEN] < 0:
            self.block[Word.RETURN_IF_BROKEN] = 0
        else:
            self.broken_from.append((self.block[Word.BROKEN_AT], self.block[Word.BROKEN]))
            self.block[Word.HEEDED] &= ~self.block[Word.BROKEN]
            self.block[Word.BROKEN] = 0

    # ------------------------------------------------------------------------------- counters, and disk

    def counters(self) -> Counters:
        return Counters(tuple(self.block[word] for word in COUNTED), tuple(self.context), tuple(self.taken))

    def restore(self, counters: Counters) -> None:
        """Counts as it did then; what it has found for others is forgotten."""
        for word, value in zip(COUNTED, counters.block, strict=True):
            self.block[word] = value
        self.context[:] = list(counters.context)
        self.taken[:] = list(counters.taken)
        for box in range(self.block[Word.WORKERS]):
            self.boxes[2 * box + 1] = 0

    def write_log(self, log: Log, count: int, *, sync: bool) -> None:
        """Appends to the log what of the first ``count`` states it does not have. ``sync``: and sees that the disk has
        it, bit by bit, so that nobody waits long for that. Raises Halted, OSError."""
        if isinstance(self.visited, InMemory):
            stride, piece = 8 * self.words, max(1, WRITTEN // (8 * self.words))
            for at in range(log.states.count, count, piece):
                self.halt.look()
                more = min(piece, count - at)
                log.states.append(self.visited.states.address + at * stride, more)
                log.parents.append(self.visited.parents.address + at * 4, more)
                if sync:
                    log.sync()

    def go_to_disk(self, log: Log, folder: Path, *, kept: bool) -> None:
        """What is in the log becomes the visited set; memory is used for what will be found next. ``kept``: there may
        be a checkpoint. Raises Halted, OSError."""
        self.visited.close()
        disk = self._on_disk(log, folder, kept)
        self.visited = disk
        disk.sort_log()

    def resume_on_disk(self, log: Log, folder: Path, runs: list[Run]) -> None:
        """Raises CheckpointError, OSError."""
        self.visited.close()
        disk = self._on_disk(log, folder, kept=True)
        self.visited = disk
        disk.runs.resume(runs)

    def _on_disk(self, log: Log, folder: Path, kept: bool) -> OnDisk:
        runs = Runs(self.compiled, log.states, folder, self.block[Word.ME], self.halt, kept=kept)
        return OnDisk(self.compiled, self.block, self.address, self.budget, log, runs, self.halt)

    def read_log(self, log: Log) -> None:
        """Takes the states of a log into memory. Raises OverBudget, Halted."""
        memory, count, stride = self.visited, log.states.count, 8 * self.words
        assert isinstance(memory, InMemory)
        memory.make_room(max(1024, 2 * batch_room(self.compiled.most)) + count)
        piece = max(1, WRITTEN // stride)
        with log.states.mapped() as states, log.parents.mapped() as parents:
            for at in range(0, count, piece):
                self.halt.look()
                more = min(piece, count - at)
                ctypes.memmove(memory.states.address + at * stride, states + at * stride, more * stride)
                ctypes.memmove(memory.parents.address + at * 4, parents + at * 4, more * 4)
                self.compiled.recall(self.address, at, at + more)
        self.block[Word.COUNT] = count

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
