"""The explicit engine, asked and answered in this package's terms. Importing this module does not import llvmlite."""

from __future__ import annotations

from dataclasses import replace

from checker.checking import Checked
from checker.explicit.errors import CheckpointError, ExplicitError, NotEncodable, TooLittleMemory
from checker.explicit.search import Explored, Now, Room, Stopped, available, explore
from checker.parallel import default_workers
from checker.progress import Progress
from checker.question import Question
from checker.searching import Search
from checker.verdict import Exit, Stop
from spec.grains import step_names
from spec.state import Label

INTERVAL = 30.0
"""Seconds between two checkpoints, at the least."""


def check_explicit(question: Question, search: Search) -> Checked:
    """The whole space within the bounds, or ``max_steps`` labels deep; up to symmetry where the spec allows."""
    if not available():
        raise Stop(
            Exit.USAGE,
            "the explicit engine needs llvmlite, which is not installed; pip install 'raftproof[native]', or take "
            "--engine symbolic (z3) or --engine reference (small models)",
        )
    start, prefix = question.start(search.scenario)
    with Progress("check") as progress:
        try:
            found = explore(
                question.system,
                start=start,
                max_steps=search.max_steps,
                only=question.only,
                timeout=search.timeout,
                workers=search.workers or default_workers(),
                progress=lambda now: progress.say(line(now, search.max_steps)),
                symmetry=search.symmetry,
                stop_at_deadlock=search.deadlock,
                room=Room(search.memory, search.checkpoint or search.recover, search.recover, INTERVAL),
                fingerprints=search.fingerprints,
            )
        except (CheckpointError, TooLittleMemory) as reason:
            raise Stop(Exit.USAGE, str(reason)) from reason
        except NotEncodable as reason:
            others = "--engine symbolic or --engine reference"
            raise Stop(Exit.USAGE, f"the explicit engine cannot compile this spec: {reason}; take {others}") from reason
        except ExplicitError as error:
            raise Stop(Exit.ENGINES_DISAGREE, f"the explicit engine failed: {error}") from error
    return _judged(question, found, prefix, search)


def line(now: Now, max_steps: int | None) -> str:
    """How far the search is, in a line. How long it will take can be known in the last level only."""
    parts = [
        f"check: depth {now.depth}",
        f"{now.rate:,.0f} states generated/s",
        f"{now.distinct:,} distinct states",
        f"{now.queue:,} on the queue",
        f"{now.bytes / 2**20:,.0f} MiB",
        f"{now.seconds:.0f} s so far",
    ]
    left = now.level_seconds_left
    if max_steps is not None and now.depth == max_steps and left is not None:
        parts.append(f"last level, {left:.0f} s left")
    return ", ".join(parts)


def _judged(question: Question, found: Explored, prefix: tuple[Label, ...], search: Search) -> Checked:
    checked = Checked(
        engine="explicit",
        code=Exit.HOLDS,
        depth=len(found.levels) - 1,
        prefix=len(prefix),
        complete=found.complete,
        generated=found.generated,
        distinct=found.distinct,
        queue=found.queue,
        levels=found.levels,
        cuts=found.cuts,
        taken=found.taken,
        symmetry=found.symmetry,
        on_disk=found.on_disk,
        collision_probability=found.collision_probability,
        workers=found.workers,
        search_seconds=found.seconds["search"],
    )
    if found.violation is not None:
        checked.depth = len(found.violation.labels)
        checked.labels = prefix + found.violation.labels
        checked.violated = found.violation.property
        checked.message = found.violation.message
        checked.code = Exit.EVALUATION_ERROR if found.violation.property is None else Exit.SAFETY
    elif search.deadlock and found.deadlock is not None:
        checked.depth = len(found.deadlock)
        checked.labels = prefix + found.deadlock
        checked.message = "deadlock: nothing is enabled"
        checked.code = Exit.DEADLOCK
    elif found.stopped is not None:
        checked.code = Exit.INTERRUPTED if found.stopped is Stopped.INTERRUPTED else Exit.INCONCLUSIVE
        checked.reason = f"{found.stopped.value}: {found.reason}" if found.reason else found.stopped.value
        checked.depth = max(0, len(found.levels) - 2)  # the last level was not finished
        folder = search.checkpoint or search.recover
        if folder is not None:
            again = replace(search, checkpoint=None, recover=None, workers=None)
            words = question.command("check", *again.words(), "--recover", str(folder))
            checked.reason += f"; go on with: {words}"
    elif found.complete:
        checked.never_taken = tuple(name for name in step_names(question.system) if name not in found.taken)
        goals = (p.name for p in question.system.sometimes if p.name not in found.reached)
        checked.unreached = tuple(goals) if question.only is None else ()
        checked.code = Exit.NOT_REACHED if checked.unreached else Exit.HOLDS
    return checked
