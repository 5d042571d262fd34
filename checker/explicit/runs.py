"""The sorted runs of one worker's states on disk: read from one end to the other, merged when there are many.

A run is a stretch of the log, or of a file of its own. A file that no run is in any more is removed, but not before the
next checkpoint has been left: the last one speaks of it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes import c_int64
from dataclasses import dataclass
from pathlib import Path

from checker.explicit.compile import Compiled
from checker.explicit.errors import CheckpointError
from checker.explicit.halt import Halt
from checker.explicit.records import Records

LOG = 0
MOST_RUNS = 32
MERGED = 24
"""The smallest ones: a state is copied again only when its run has become one of many as large."""
_SIFTED = 1 << 16
"""States that are compared at a time."""


@dataclass(frozen=True, slots=True)
class Run:
    """Sorted states: ``first`` to ``last`` (not included) of a file, by its number, or of the log."""

    file: int
    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first


def name_of(me: int, file: int) -> str:
    return f"states.{me}" if file == LOG else f"sorted.{me}.{file}"


class Runs:
    """``kept``: there may be a checkpoint that speaks of the files."""

    def __init__(self, compiled: Compiled, log: Records, folder: Path, me: int, halt: Halt, *, kept: bool) -> None:
        self.compiled, self.folder, self.me, self.halt, self.kept = compiled, folder, me, halt, kept
        self.runs: list[Run] = []
        self.files = {LOG: log}
        self.unused: list[Records] = []
        self._last_file = LOG
        self.most = MOST_RUNS

    def resume(self, runs: list[Run]) -> None:
        """As they were when a checkpoint was left. What was written afterwards is removed. Raises CheckpointError."""
        self.runs = list(runs)
        ends: dict[int, int] = {}
        for run in runs:
            ends[run.file] = max(run.last, ends.get(run.file, 0))
        for number, end in ends.items():
            if number != LOG:
                self._open(number, fresh=False)
            if self.files[number].count < end:
                raise CheckpointError(f"{self.files[number].path}: shorter than the checkpoint says; search anew")
        for path in self.folder.glob(f"sorted.{self.me}.*"):
            if path not in {file.path for file in self.files.values()}:
                path.unlink()

    def new_file(self) -> int:
        """The number of a file for further runs."""
        self._last_file += 1
        self._open(self._last_file, fresh=True)
        return self._last_file

    def _open(self, number: int, *, fresh: bool) -> None:
        record = 8 * self.compiled.layout.words
        self._last_file = max(number, self._last_file)
        self.files[number] = Records(self.folder / name_of(self.me, number), record, fresh=fresh)

    @contextmanager
    def _mapped(self) -> Iterator[dict[int, int]]:
        with ExitStack() as mappings:
            yield {number: mappings.enter_context(file.mapped()) for number, file in self.files.items()}

    def sift(self, items: int, size: int, item: int) -> None:
        """Marks the items, of so many bytes each, whose states are in a run. Raises Halted."""
        stride = 8 * self.compiled.layout.words
        with self._mapped() as addresses:
            for run in self.runs:
                passed = 0
                for first in range(run.first, run.last, _SIFTED):
                    self.halt.look()
                    states, length = addresses[run.file] + first * stride, min(_SIFTED, run.last - first)
                    passed += self.compiled.sift(items + passed * item, size - passed, states, length)
                    if passed == size:
                        break

    def add(self, run: Run) -> None:
        if run.length:
            self.runs.append(run)

    def merge_if_many(self, out: int, room: int) -> None:
        """``out``: memory for so many states. Raises Halted."""
        if len(self.runs) <= self.most:
            return
        by_length = sorted(self.runs, key=lambda run: run.length)
        few, rest = by_length[:MERGED], by_length[MERGED:]
        try:
            number = self.new_file()
            self._merge(few, self.files[number], out, room)
        except OSError:  # no room for what only makes the search faster: it goes on with more runs
            self.most *= 2
            self._give_up(self._last_file)
            return
        self.runs = [*rest, Run(number, 0, self.files[number].count)]
        in_use = {LOG, *(run.file for run in self.runs)}
        self.unused += [self.files.pop(old) for old in list(self.files) if old not in in_use]
        if not self.kept:
            self.remove_unused()

    def _give_up(self, number: int) -> None:
        file = self.files.pop(number, None)
        if file is not None:
            file.close()
            file.path.unlink(missing_ok=True)

    def _merge(self, runs: list[Run], file: Records, out: int, room: int) -> None:
        stride = 8 * self.compiled.layout.words
        with self._mapped() as addresses:
            heads = (c_int64 * (3 * len(runs)))()
            for i, run in enumerate(runs):
                begin = addresses[run.file] + run.first * stride
                heads[3 * i : 3 * i + 3] = [begin, run.length, self.compiled.hash_of(begin)]
            while merged := self.compiled.merge(ctypes.addressof(heads), len(runs), out, room):
                self.halt.look()
                file.append(out, merged)

    def sync(self) -> None:
        """Raises OSError."""
        for number, file in self.files.items():
            if number != LOG:  # which others see to
                file.sync()

    def remove_unused(self) -> None:
        """Once no checkpoint speaks of them."""
        for file in self.unused:
            file.close()
            file.path.unlink(missing_ok=True)
        self.unused.clear()

    def close(self) -> None:
        for file in (*self.files.values(), *self.unused):
            file.close()
