"""A search's files: where it goes when memory is used up, and the checkpoints that it leaves, to go on from.

One is left at the end of a level, if the next level would end too late for it, and when the search has gone to disk: to
sort what was in memory and to begin the level again takes long, and a kill meanwhile shall not cost all of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from checker.explicit.checkpoint import FILE, FORMAT, Saved, WorkerSaved, save
from checker.explicit.errors import CheckpointError
from checker.explicit.store import Counters
from checker.explicit.visited import InMemory, OverBudget
from checker.explicit.visited_disk import Log, OnDisk
from checker.explicit.worker import Word

if TYPE_CHECKING:
    from checker.explicit.levels import Levels


class Doing(Enum):
    """What files are written or read for."""

    SPILL = "states went to disk"
    CHECKPOINT = "a checkpoint was written"
    RECOVERY = "a checkpoint was read"


def is_due(since: float, last_level: float, interval: float) -> bool:
    """Whether a checkpoint is to be left at the end of a level: the next level may take as long as the last did, and
    end when more than ``interval`` has passed ``since`` the checkpoint before. All in seconds."""
    return since + last_level >= interval


class Disk:
    """The files of one search. They are made when they are first needed."""

    def __init__(self, levels: Levels, memory: ExitStack) -> None:
        self.levels, self.memory = levels, memory
        self.logs: list[Log] = []
        self.folder: Path | None = levels.room.checkpoint or levels.room.recover
        self.began = self.saved = self.level_ended = time.monotonic()
        self.seconds = 0.0  # that the search had taken before it was taken up again
        self.used = False  # memory was not enough
        self.doing = Doing.SPILL

    def _open(self, *, fresh: bool = True) -> Path:
        if self.folder is None:
            self.folder = Path(self.memory.enter_context(TemporaryDirectory(prefix="model-check-")))
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.logs:
            if fresh:  # of a search that was begun anew: what it left speaks of logs that are overwritten now
                for stale in (self.folder / FILE, *self.folder.glob("sorted.*.*")):
                    stale.unlink(missing_ok=True)
            words = self.levels.code.layout.words
            for me in range(len(self.levels.workers)):
                self.logs.append(Log(self.folder, me, words, fresh=fresh))
                self.memory.callback(self.logs[-1].close)
        return self.folder

    def take_over(self, counts: list[int], counters: list[Counters]) -> None:
        """Puts the first so many states of each worker on disk, and its counters back."""
        for worker, count, counted in zip(self.levels.workers, counts, counters, strict=True):
            worker.restore(counted)
            if isinstance(worker.visited, InMemory):
                worker.block[Word.COUNT] = count  # all of them first: what is counted holds if the disk fails meanwhile
        folder = self._open()

        def move(i: int) -> None:
            worker = self.levels.workers[i]
            if isinstance(worker.visited, InMemory):
                worker.write_log(self.logs[i], counts[i], sync=False)
                worker.go_to_disk(self.logs[i], folder, kept=self.levels.room.checkpoint is not None)
                worker.visited.begin_level(self.levels.starts[i])

        self.levels.at_once(move)
        self.used = True

    def leave_checkpoint(self) -> None:
        """At the end of a level, if it is time. Raises OSError."""
        now, room = time.monotonic(), self.levels.room
        last, self.level_ended = now - self.level_ended, now
        if room.checkpoint is not None and is_due(now - self.saved, last, room.interval):
            self.write_checkpoint(self.levels.found.levels)

    def write_checkpoint(self, searched: Sequence[int]) -> None:
        """``searched``: how many states the levels have that were searched in full. Raises OSError."""
        levels = self.levels
        self.doing = Doing.CHECKPOINT
        folder = self._open()
        levels.at_once(self._flush)
        workers = []
        for i, worker in enumerate(levels.workers):
            runs = list(worker.visited.runs.runs) if isinstance(worker.visited, OnDisk) else []
            workers.append(WorkerSaved(worker.count, levels.starts[i], worker.counters(), runs))
        seconds = self.seconds + time.monotonic() - self.began
        saved = Saved(
            FORMAT,
            levels.code.key,
            levels.violations.only,
            levels.code.layout.encode(levels.first),
            levels.code.layout.capacity,
            list(searched),
            dict(levels.reached),
            dict(levels.violations.places),
            levels.deadlock,
            seconds,
            self.used,
            workers,
        )
        save(folder, saved)
        for worker in levels.workers:
            if isinstance(worker.visited, OnDisk):
                worker.visited.runs.remove_unused()
        self.doing = Doing.SPILL
        self.saved = time.monotonic()

    def _flush(self, i: int) -> None:
        """All that a checkpoint will speak of is on disk. Raises Halted, OSError."""
        worker, log = self.levels.workers[i], self.logs[i]
        worker.write_log(log, worker.count, sync=True)
        log.sync()
        if isinstance(worker.visited, OnDisk):
            worker.visited.runs.sync()

    def _recall(self, i: int, saved: Saved, folder: Path) -> None:
        """Raises CheckpointError, OverBudget, Halted, OSError."""
        worker = self.levels.workers[i]
        if saved.on_disk:
            worker.resume_on_disk(self.logs[i], folder, saved.workers[i].runs)
        else:
            worker.read_log(self.logs[i])

    def failed(self, error: OSError) -> str:
        """What was being done, and where."""
        return f"while {self.doing.value}: {error.filename or self.folder}: {error.strerror or error}"

    def take_up(self, saved: Saved) -> None:
        """Goes on where a checkpoint was left. Raises CheckpointError, MemoryError, OSError."""
        self.doing = Doing.RECOVERY
        levels = self.levels
        asked = levels.violations.only, levels.code.layout.encode(levels.first)
        if saved.key != levels.code.key or (saved.only, saved.first) != asked:
            raise CheckpointError(
                f"{levels.room.recover}: a checkpoint of another search; recover with the spec, model and options that "
                "it was made with, on a machine of the same kind"
            )
        if saved.broken and not levels.violations.go_on:
            raise CheckpointError(
                f"{levels.room.recover}: this search went on after a violation; recover with --continue, too"
            )
        folder = self._open(fresh=False)
        for i, (worker, kept) in enumerate(zip(levels.workers, saved.workers, strict=True)):
            if min(self.logs[i].states.count, self.logs[i].parents.count) < kept.count:
                raise CheckpointError(f"{folder}: the log of worker {i} is shorter than {FILE} says; search anew")
            self.logs[i].truncate(kept.count)
            worker.restore(kept.counters)
            levels.starts[i] = kept.start
        if saved.on_disk and levels.room.memory is None:
            raise CheckpointError(f"{folder}: this search is on disk; say with --memory how much memory it may take")
        try:
            levels.at_once(lambda i: self._recall(i, saved, folder))
            self.used = saved.on_disk
        except OverBudget as full:
            levels.refuse_more_memory(full)
            self.take_over([kept.count for kept in saved.workers], [kept.counters for kept in saved.workers])
        for worker, start in zip(levels.workers, levels.starts, strict=True):
            worker.visited.begin_level(start)
        levels.found.levels.extend(saved.levels)
        self.seconds = saved.seconds
        for goal, place in saved.reached.items():
            levels.reach(goal, place)
        for name, place in saved.broken.items():
            levels.violations.add(name, place)
        self.doing = Doing.SPILL
        if saved.deadlock is not None:  # a worker may have met one since whose run is longer
            levels.meet_deadlock(saved.deadlock)
