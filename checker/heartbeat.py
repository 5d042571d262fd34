"""What z3 is asked, told to whoever waits: a line on the terminal while it works, a sum at the end, and all as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from checker.progress import Progress
from checker.symbolic.watch import Asked, Deadline, Heartbeat, Watch


def watch_with(progress: Progress, timeout: float | None, most: int | None, smt_out: Path | None) -> Watch:
    """A watch that tells ``progress``. ``most``: the depth at which the search ends, if it has one."""
    return Watch(Deadline(timeout), lambda beat: progress.show(lambda: line(progress, beat, most)), smt_out)


def line(progress: Progress, beat: Heartbeat, most: int | None) -> str:
    """``check, depth 7 of 20: 3 s in z3, 1,204 conflicts, 96 MiB, 21 s so far``."""
    of = "" if most is None or beat.query.depth is None else f" of {most}"
    conflicts = beat.before + (0 if beat.asked is None else beat.asked.conflicts)
    parts = [
        f"{beat.seconds:.0f} s in z3",
        f"{conflicts:,} conflicts",
        f"{beat.memory / 2**20:,.0f} MiB",
        f"{progress.seconds:.0f} s so far",
    ]
    return f"{beat.query}{of}: {', '.join(parts)}"


def asked_text(asked: Sequence[Asked]) -> str:
    """``z3 was asked 8 questions: 1.2 s, 4,153 conflicts, 69 MiB``."""
    seconds, conflicts = sum(one.seconds for one in asked), sum(one.conflicts for one in asked)
    memory = max(one.memory for one in asked) / 2**20
    questions = f"{len(asked):,} question{'s' if len(asked) != 1 else ''}"
    written = [one.file for one in asked if one.file is not None]
    where = f"; written to {written[0].parent} as SMT-LIB2" if written else ""
    return f"z3 was asked {questions}: {seconds:.1f} s, {conflicts:,} conflicts, {memory:,.0f} MiB{where}"


def asked_data(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    return [
        {
            "question": one.query.name,
            "depth": one.query.depth,
            "label": one.query.label,
            "answer": one.answer.value,
            "reason": one.reason or None,
            "seconds": round(one.seconds, 3),
            "conflicts": one.conflicts,
            "memory_bytes": one.memory,
            "file": None if one.file is None else str(one.file),
        }
        for one in asked
    ]
