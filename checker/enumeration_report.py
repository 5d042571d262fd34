"""What was enumerated, of what, by which engine and how fast; and how many there are up to what makes no difference."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from checker.enumeration import Enumerated
from checker.heartbeat import asked_text
from checker.job import MainJob
from checker.reduction import Counts, UpTo
from spec.counting import OTHER


def print_enumerated(console: Console, job: MainJob) -> None:
    console.print(f"enumerated by the {job.first_engine} engine:", highlight=False)
    for part in job.enumerated:
        cube = part.cube
        state = "complete" if part.complete else f"INCOMPLETE: {part.reason}"
        console.print(
            f"  from {cube.scenario}: {part.crash_states:,} crash states (depth {cube.depth}), "
            f"{len(part.interleavings):,} interleavings (depth {cube.depth}, window {cube.window}); "
            f"{state}; {part.seconds:.1f} s",
            highlight=False,
            soft_wrap=True,
        )
    if job.hash:
        console.print(f"  distinct interleavings: {len(job.interleavings):,}, SHA-256 {job.hash}", highlight=False)
    if job.asked:
        console.print(f"  {asked_text(job.asked)}", markup=False, highlight=False, soft_wrap=True)
    if job.counts is not None:
        console.print(f"  coverage: {coverage_text(job, job.enumerated)}", highlight=False, soft_wrap=True)
        for line in classes_text(job.counts):
            console.print(f"    {line}", highlight=False, soft_wrap=True)
    if job.enumerated_again:
        text = f"  {job.second_engine} engine: {coverage_text(job, job.enumerated_again)}"
        text += "" if job.agree is None else f"; {'the same sets' if job.agree else 'DIFFERENT sets'}"
        console.print(Text(text, style="bold red" if job.agree is False else ""), soft_wrap=True)


def coverage_text(job: MainJob, parts: list[Enumerated]) -> str:
    """What an engine found, of what it was asked for, and how fast."""
    found = {interleaving.key for part in parts for interleaving in part.interleavings}
    crashes = set().union(*(part.crash_keys for part in parts))
    whole = sum(part.complete for part in parts)
    seconds, busy = sum(part.seconds for part in parts), sum(part.processor_seconds for part in parts)
    rate = f": {len(found) / busy:,.0f} distinct interleavings per processor second" if busy > 0 else ""
    return (
        f"{len(crashes):,} crash states and {len(found):,} interleavings, all that there are from {whole} of "
        f"{len(parts)} prefixes{_windows(job, parts)}; {seconds:.1f} s of search, {busy:.1f} s of them on a processor"
        f"{rate}"
    )


def _windows(job: MainJob, parts: list[Enumerated]) -> str:
    """How many of the declared windows a crash falls in."""
    declared = job.question.system.windows
    if not declared:
        return ""
    seen = {window for part in parts for _, situation, _ in part.crashes for window in situation.windows}
    return f", in {len(seen - {OTHER})} of {len(declared)} windows"


def classes_text(counts: Counts) -> list[str]:
    """The same counted up to what makes no difference, in a line for each way."""
    lines = [f"up to commuting of independent labels: {counts.classes[UpTo.COMMUTING]:,} interleavings"]
    if counts.symmetry:
        orbits, both = counts.classes[UpTo.SYMMETRY], counts.classes[UpTo.BOTH]
        lines.append(
            f"{counts.symmetry}: {counts.crash_orbits:,} crash states, {orbits:,} interleavings; up to both {both:,}"
        )
    else:
        lines += counts.symmetry.refused
    return lines
