"""What a person reads: the reports of the commands, as text for a terminal, a file or a pipe.

rich lays out tables and leaves colour away where the output is no terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from checker.enumeration_report import print_enumerated
from checker.flaw import Flaw
from checker.job import MainJob
from checker.matrix_table import print_matrix
from checker.question import Question
from checker.replaying import Replays
from checker.sampling import Sample
from checker.verdict import MEANING, Exit
from spec.sorts import Value
from spec.system import System
from traces.raft import wording_for
from traces.render.divergence import divergence_text
from traces.render.labels import label_text
from traces.render.text import render_rich, render_text
from traces.render.wording import PLAIN, Wording
from traces.replay import Divergence
from traces.trace import Trace

Rendered = TypeVar("Rendered")


def bounds_text(system: System) -> str:
    """The question's bounds in one line: constants, storage, budgets."""
    parts = [f"{name}={_value(value)}" for name, value in system.constants]
    parts += [f"storage {system.storage.value}", *(f"{name}={n}" for name, n in bounds_of(system).items())]
    return ", ".join(parts)


def bounds_of(system: System) -> dict[str, int]:
    """The bounds that the model sets, by their names in a model."""
    bounds = system.bounds
    named: Mapping[str, int | None] = {
        "max_crashes": bounds.crashes,
        "max_drops": bounds.drops,
        "max_duplicates": bounds.duplicates,
        "max_retries": bounds.retries,
        "max_in_flight": bounds.in_flight,
        "max_copies": bounds.copies,
        "max_pending": bounds.pending,
    }
    return {name: bound for name, bound in named.items() if bound is not None}


def _value(value: Value) -> str:
    return "{" + ", ".join(value) + "}" if isinstance(value, tuple | frozenset) else str(value)


def title(console: Console, question: Question) -> None:
    system = question.system
    mutant = f", mutant {system.mutant}" if system.mutant else ""
    text = f"{question.path.name}, model {system.model}{mutant}: {bounds_text(system)}"
    console.print(Text(text, style="bold"), soft_wrap=True)


def cuts_text(cuts: Mapping[str, int]) -> str:
    if not cuts:
        return "no bound cut anything"
    most = sorted(cuts.items(), key=lambda item: (-item[1], item[0]))
    return "cut by a bound: " + ", ".join(f"{bound} ({count:,}×)" for bound, count in most)


def style(code: Exit) -> str:
    return "bold green" if code is Exit.HOLDS else "bold red"


def print_trace(console: Console, trace: Trace) -> None:
    """A counterexample, whole."""
    if console.is_terminal:
        console.print(worded(render_rich, trace))
    else:
        console.print(worded(render_text, trace), markup=False, highlight=False, soft_wrap=True)


def worded(render: Callable[[Trace, Wording], Rendered], trace: Trace) -> Rendered:
    """In the protocol's words; in plain ones where a spec gives its names another meaning, or a file's values are not
    those of the protocol."""
    try:
        return render(trace, wording_for(trace))
    except (AssertionError, AttributeError, KeyError, TypeError):
        return render(trace, PLAIN)


# ---------------------------------------------------------------------------------------------- main job


def print_job(console: Console, job: MainJob) -> None:
    title(console, job.question)
    if job.stopped:
        console.print(Text(f"PARTIAL REPORT ({job.stopped}): what follows is what there was by then", style="bold red"))
    print_enumerated(console, job)
    if job.matrix is not None:
        print_matrix(console, job.matrix, job.matrix_replays.traces)
    if job.wrong_completion:
        console.print(Text(f"  {job.wrong_completion}; please report it", style="bold red"), soft_wrap=True)
    if job.sampled is not None:
        style_of_it = "bold yellow" if job.sampled.missed else ""
        console.print(Text(sampled_text(job.sampled), style=style_of_it), soft_wrap=True)
    print_replays(console, "replayed interleavings", job.replays, job.command)
    print_replays(console, "replayed completions", job.matrix_replays, job.command)
    held = job.held
    if held.names:
        broken = [name for name in held.names if name in held.violated]
        kept = len(held.names) - len(broken)
        text = f"invariants: {kept} of {len(held.names)} held in {held.states:,} distinct states"
        console.print(text, highlight=False)
        console.print(f"  {cuts_text(held.cuts)}", highlight=False, soft_wrap=True)
        for name in broken:
            console.print(Text(f"  VIOLATED: {name} after {len(held.violated[name])} labels", style="bold red"))
    if held.scenarios or held.unreached:
        console.print(f"scenarios: {len(held.scenarios)} reached their goal", highlight=False)
    for name, reason in held.unreached.items():
        console.print(Text(f"  NOT REACHED: scenario {name}: {reason}", style="bold red"))
    for name in held.never:
        console.print(Text(f"  NEVER TRUE: sometimes {name}", style="bold red"))
    if job.flaw is not None:
        print_flaw(console, job.flaw)
    parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in job.seconds.items())
    console.print(f"time: {parts}", highlight=False)
    console.print(Text(verdict_of_job(job), style=style(job.code)), soft_wrap=True)


def sampled_text(sampled: Sample) -> str:
    """Which part was replayed, and what it leaves out."""
    text = f"sample: {len(sampled.runs):,} of {sampled.of:,} runs"
    if sampled.windows or sampled.missed:
        found = len(sampled.windows) + len(sampled.missed)
        text += f", in {len(sampled.windows)} of the {found} windows that crashes fell in"
    return text + (f"; NOT IN IT: {', '.join(sampled.missed)}" if sampled.missed else "")


def print_replays(console: Console, what: str, replays: Replays, command: str | None = None) -> None:
    """``command`` reproduces the divergence; None: it has been printed already."""
    if not replays.traces:
        return
    outcome = "no divergence" if not replays.diverged else f"{replays.diverged:,} DIVERGE"
    console.print(
        f"{what}: {replays.traces:,} traces, {replays.labels:,} labels, {replays.fields_compared:,} fields compared, "
        f"{outcome}",
        highlight=False,
        soft_wrap=True,
    )
    if replays.tried:
        tried = ", ".join(f"{count:,} {what}" for what, count in replays.tried.items())
        console.print(f"  tried by the target: {tried}", highlight=False)
    for name, count in sorted(replays.unobserved.items()):
        console.print(f"  unobserved: {name} ({count:,}×)", highlight=False)
    if replays.divergence is not None and command is not None:
        print_divergence(console, *replays.divergence, command)


def print_divergence(console: Console, trace: Trace, divergence: Divergence, command: str) -> None:
    text = divergence_text(trace, divergence, command, wording_for(trace))
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_flaw(console: Console, flaw: Flaw) -> None:
    """The seed's rule refuted, in a few lines."""
    console.print()
    console.print(Text("the seed's flaw: a new leader that commits whatever it finds in its log", style="bold"))
    if flaw.trace is None:
        console.print(Text(f"  NOT FOUND: {flaw.checked.reason or 'no counterexample in the bound'}", style="bold red"))
        return
    wording = wording_for(flaw.trace)
    for number, label in enumerate(flaw.trace.labels, 1):
        if number == 1 and flaw.checked.prefix:
            console.print(f"  scripted, by the mutant's model ({flaw.checked.prefix} labels):", highlight=False)
        if number == flaw.checked.prefix + 1:
            console.print(f"  found ({len(flaw.trace.labels) - flaw.checked.prefix} labels, none fewer do):")
        console.print(f"  {number:2}  {label_text(label, wording)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"  → {flaw.checked.message}", highlight=False)
    if isinstance(flaw.on_broken, Divergence):
        console.print(Text(f"  the target with the same rule broken DIVERGES: {flaw.on_broken.path}", style="bold red"))
    elif isinstance(flaw.on_broken, str):
        console.print(f"  {flaw.on_broken}", highlight=False)
    else:
        lost = "it does the same: the write is lost" if flaw.shown_on_broken else "its log was not observed: not shown"
        console.print(f"  replayed on the target with the same rule broken: {lost}", highlight=False)
    if isinstance(flaw.on_correct, Divergence) and flaw.refused:
        step = flaw.on_correct.step
        where = label_text(flaw.on_correct.label, wording)
        console.print(
            f"  replayed on the correct target: it refuses at step {step}, {where}: {flaw.on_correct.path}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print(Text("  the correct target does NOT refuse", style="bold red"))
    console.print(f"  the whole of it: {flaw.command}", markup=False, highlight=False)


def verdict_of_job(job: MainJob) -> str:
    """Claims what was done and no more."""
    crashes = set().union(*(part.crash_keys for part in job.enumerated))
    what = f"{len(crashes):,} distinct crash states, {len(job.interleavings):,} distinct crash "
    if job.sampled is None:
        what += f"interleavings, {job.replays.traces:,} of them replayed on the implementation"
    else:
        what += f"interleavings; {len(job.sampled.runs):,} of {job.sampled.of:,} runs replayed on the implementation"
    match job.code:
        case Exit.HOLDS:
            claims = ["no counterexample"] if job.held.names else []
            claims += ["no divergence"] if job.replays.traces or job.matrix_replays.traces else []
            claim = " and ".join(claims) or "enumeration complete"
            flaw = "; the seed's literal rule was refuted" if job.flaw is not None else ""
            return f"{claim[0].upper()}{claim[1:]} within these bounds: {what}{flaw}"
        case code:
            return f"{MEANING[code]} (exit {int(code)}): {what}"
