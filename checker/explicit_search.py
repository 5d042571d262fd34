"""The explicit engine, asked and answered in this package's terms. Importing this module does not import llvmlite."""

from __future__ import annotations

from checker.checking import Checked
from checker.explicit.errors import ExplicitError
from checker.explicit.search import Now, Stopped, available, explore
from checker.parallel import default_workers
from checker.progress import Progress
from checker.question import Question
from checker.verdict import Exit, Stop


def check_explicit(
    question: Question, max_steps: int | None, timeout: float | None, scenario: str | None, *, symmetry: bool = False
) -> Checked:
    """The whole space within the bounds, or ``max_steps`` labels deep. ``symmetry``: up to it where the spec allows."""
    if not available():
        raise Stop(
            Exit.USAGE,
            "the explicit engine needs llvmlite, which is not installed; pip install 'raftproof[native]', or take "
            "--engine reference",
        )
    start, prefix = question.start(scenario)
    with Progress("check", unit="distinct states") as progress:

        def report(now: Now) -> None:
            progress(now.distinct, f"depth {now.depth}, {now.queue:,} on the queue, {now.bytes / 2**20:,.0f} MiB")

        try:
            found = explore(
                question.system,
                start=start,
                max_steps=max_steps,
                only=question.only,
                timeout=timeout,
                workers=default_workers(),
                progress=report,
                symmetry=symmetry,
            )
        except ExplicitError as error:
            raise Stop(Exit.ENGINES_DISAGREE, f"the explicit engine failed: {error}") from error
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
        symmetry=found.symmetry,
    )
    if found.violation is not None:
        checked.labels = prefix + found.violation.labels
        checked.violated = found.violation.property
        checked.message = found.violation.message
        checked.code = Exit.EVALUATION_ERROR if found.violation.property is None else Exit.SAFETY
    elif found.stopped is not None:
        checked.code = Exit.INTERRUPTED if found.stopped is Stopped.INTERRUPTED else Exit.INCONCLUSIVE
        checked.reason = found.stopped.value
        checked.depth = max(0, len(found.levels) - 2)  # the last level was not finished
    elif found.complete:
        checked.never_taken = tuple(r.name for r in question.system.rules if r.name not in found.taken)
        goals = (p.name for p in question.system.sometimes if p.name not in found.reached)
        checked.unreached = tuple(goals) if question.only is None else ()
        checked.code = Exit.NOT_REACHED if checked.unreached else Exit.HOLDS
    return checked
