"""What is asked of z3, and who hears of it: every question goes through a :class:`Watch`, so that none is silent.

A watch knows the deadline, keeps a record of each question (answer, seconds, conflicts, memory), tells a listener when
one is put, while z3 is at it, and when it is answered, and writes it as SMT-LIB2 where that was asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from checker.symbolic.errors import GaveUp

PULSE = 0.5
"""Seconds between two signs of life while z3 is at one question."""


class Deadline:
    """A point in time that a search must not pass; ``None`` seconds: no such point."""

    def __init__(self, seconds: float | None = None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self.end is None else self.end - time.monotonic()

    def check(self) -> None:
        left = self.left()
        if left is not None and left <= 0:
            raise GaveUp("timeout")


class Answer(Enum):
    """In the words of SMT-LIB."""

    SATISFIABLE = "sat"
    UNSATISFIABLE = "unsat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Query:
    """One question to z3. ``task``: what it is asked for ("check", "reach", "consecution", …). ``asks``: the question,
    to be answered by "sat: yes" and "unsat: no". ``depth``: of how many labels; ``label``: of which rule or action."""

    task: str
    asks: str
    depth: int | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """``reach-depth-007-crash``: for a file, and to tell questions apart."""
        parts = [self.task] + ([] if self.depth is None else [f"depth-{self.depth:03}"])
        return "-".join(parts + ([] if self.label is None else [self.label]))

    def __str__(self) -> str:
        depth = "" if self.depth is None else f", depth {self.depth}"
        return f"{self.task}{depth}{'' if self.label is None else f', {self.label}'}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is answered. ``seconds``, ``conflicts``: z3's, for it alone. ``memory``: the bytes that z3 had at
    its end. ``file``: where it was written."""

    query: Query
    answer: Answer
    reason: str
    seconds: float
    conflicts: int
    memory: int
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``query`` has been with z3 for ``seconds``; ``asked``: it is answered now. ``before``: the conflicts of all
    questions before it."""

    query: Query
    seconds: float
    memory: int
    before: int
    asked: Asked | None = None


Listener: TypeAlias = Callable[[Heartbeat], None]
"""Called in the thread that asks, and while z3 is at a question in another one: it must only print."""


@dataclass(slots=True)
class Watch:
    """``smt_out``: the folder for the questions. ``asked``: all that were answered, in order."""

    deadline: Deadline = field(default_factory=Deadline)
    listener: Listener | None = None
    smt_out: Path | None = None
    asked: list[Asked] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)

    @property
    def conflicts(self) -> int:
        return sum(asked.conflicts for asked in self.asked)

    @property
    def refuted(self) -> int:
        """The depth of the last question that was answered by "no"; -1: of none."""
        depths = (asked.query.depth for asked in reversed(self.asked) if asked.answer is Answer.UNSATISFIABLE)
        return next((depth for depth in depths if depth is not None), -1)

    @property
    def satisfied(self) -> int:
        """The depth of the last question that was answered by "yes"; -1: of none."""
        depths = (asked.query.depth for asked in reversed(self.asked) if asked.answer is Answer.SATISFIABLE)
        return next((depth for depth in depths if depth is not None), -1)

    @contextmanager
    def listening(self, query: Query, memory: Callable[[], int]) -> Iterator[None]:
        """Signs of life while the block runs."""
        listener = self.listener
        if listener is None:
            yield
            return
        began, before, ended = time.monotonic(), self.conflicts, threading.Event()

        def pulse() -> None:
            while not ended.wait(PULSE):
                listener(Heartbeat(query, time.monotonic() - began, memory(), before))

        listener(Heartbeat(query, 0.0, memory(), before))
        thread = threading.Thread(target=pulse, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def note(self, asked: Asked) -> None:
        before = self.conflicts
        self.asked.append(asked)
        if self.listener is not None:
            self.listener(Heartbeat(asked.query, asked.seconds, asked.memory, before, asked))

    def file_for(self, query: Query) -> Path | None:
        """Where the question is to be written; a second one of the same name gets a number."""
        if self.smt_out is None:
            return None
        count = self._names[query.name] = self._names.get(query.name, 0) + 1
        return self.smt_out / f"{query.name}{f'-{count}' if count > 1 else ''}.smt2"
