"""Progress on the terminal: what runs, how far it is, its rate and, where the end is known, an ETA.

One line on standard error, rewritten at most four times a second; nothing at all where standard error is no terminal,
so that a pipe or a log gets the report only.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType


class OutOfTime(Exception):
    """The deadline of a part of a run has passed."""


class Progress:
    """A part of a run: ``with Progress("replay", total) as progress: progress(done)``.

    ``deadline``: in the terms of time.monotonic; a call after it raises OutOfTime.
    """

    def __init__(self, what: str, total: int | None = None, unit: str = "", deadline: float | None = None) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.deadline = deadline
        self.started = time.monotonic()
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, remark: str = "") -> None:
        self.tell(lambda: self.line(done, self.seconds, remark))

    def tell(self, line: Callable[[], str]) -> None:
        """Like a call, for a part of which nobody knows how much is left. Raises OutOfTime."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime
        self.show(line)

    def show(self, line: Callable[[], str]) -> None:
        """Says the line, if one is due."""
        now = time.monotonic()
        if self._live and now - self.started > 1 and now - self._shown > 0.25:
            self.say(line())

    def say(self, line: str) -> None:
        """Shows a line in place of the one before; no longer than the terminal is wide, for a line that wraps could not
        be taken back."""
        if self._live:
            self._shown = time.monotonic()
            wide = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[2K{line[: wide - 1]}")
            sys.stderr.flush()

    def stay(self, line: str) -> None:
        """Says what is not to be taken back: the lines that follow come below it."""
        if self._live:
            sys.stderr.write(f"\r\x1b[2K{line}\n")
            sys.stderr.flush()

    def line(self, done: int, elapsed: float, remark: str = "") -> str:
        """``replay: 512 of 1,532 traces, 180/s, 6 s left``."""
        rate = done / elapsed if elapsed > 0 else 0.0
        of = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.what}: {done:,}{of} {self.unit}".rstrip(), f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        if self.total is not None and rate > 0:
            parts.append(f"{max(0, self.total - done) / rate:.0f} s left")
        else:
            parts.append(f"{elapsed:.0f} s so far")
        return ", ".join(parts + ([remark] if remark else []))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
