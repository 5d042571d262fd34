"""What each command does once its words are understood: ask, run, print, and end with a code."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from checker import report
from checker.checking import Checked
from checker.checking import check as run_check
from checker.enumeration import cubes, distinct, enumerate_cube
from checker.job import MainJob, main_job, run_enumeration
from checker.machine import checked_json, job_json, replay_json
from checker.question import Question, ask
from checker.replaying import Replays, open_named, save
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from traces.errors import TraceError, UnplayableTrace, UnreadableTrace
from traces.itf import format_trace, read_trace
from traces.raft import TABLE, wording_for
from traces.render.mermaid import render_mermaid
from traces.replay import Divergence
from traces.replay import replay as run_replay
from traces.trace import Trace


def console() -> Console:
    """On a pipe: no colour, and lines as wide as they need to be."""
    return Console() if sys.stdout.isatty() else Console(width=200, no_color=True)


def settings_of(words: Iterable[str]) -> dict[str, str]:
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise Stop(Exit.USAGE, f"--set {word}: allowed is NAME=VALUE, such as --set max_term=3")
        settings[name.strip()] = value.strip()
    return settings


def main(
    engine: str, timeout: float | None, max_steps: int | None, target: str, as_json: bool, out_itf: Path | None
) -> None:
    """The main job."""
    job = main_job(ask(None), engine, target, timeout, max_steps)
    _save_job(job, out_itf)
    if as_json:
        click.echo(job_json(job))
    else:
        report.print_job(console(), job)
    raise Stop(job.code, "")


def check(
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    engine: str,
    timeout: float | None,
    as_json: bool,
    out_itf: Path | None,
    scenario: str | None,
    max_steps: int | None,
    deadlock: bool,
) -> None:
    """``model-check check``."""
    question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only)
    if deadlock and engine != "reference":
        raise Stop(Exit.USAGE, "--deadlock needs the reference engine: add --engine reference")
    engines = ("symbolic", "reference") if engine == "both" else (engine,)
    answers = [run_check(question, one, max_steps, timeout, scenario, deadlock=deadlock) for one in engines]
    checked = answers[0]
    words = ["check", *(["--scenario", scenario] if scenario else [])]
    words += ["--engine", engine] if engine != "symbolic" else []
    words += ["--max-steps", str(max_steps)] if max_steps is not None else []
    reproduce = question.command(*words)
    trace = None
    if checked.labels is not None:
        meta = {"problem": checked.message, "command": reproduce}
        meta |= {"property": checked.violated} if checked.violated else {}
        trace = Tracer(question.evaluator).trace(checked.labels[: checked.computable], meta)
    name = f"{mutant or question.system.spec}-{checked.violated or 'error'}"
    saved = save(trace, out_itf, name) if trace and out_itf else None
    if as_json:
        click.echo(checked_json(question, answers, trace, reproduce))
    else:
        report.print_checked(console(), question, checked, trace, reproduce)
        if saved:
            click.echo(f"trace: {saved}")
        for other in answers[1:]:
            click.echo(report.verdict_of_check(question, other))
    if len(answers) > 1 and _answer(answers[0]) != _answer(answers[1]):
        raise Stop(Exit.ENGINES_DISAGREE, "the engines disagree; please report it with the command above")
    raise Stop(checked.code, "")


def _answer(checked: Checked) -> tuple[Exit, int | None]:
    return checked.code, None if checked.labels is None else len(checked.labels)


def enumerate_(
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    engine: str,
    timeout: float | None,
    as_json: bool,
    out_itf: Path | None,
    target: str,
    scenario: str | None,
    depth: int | None,
    window: int | None,
    replayed: bool,
    faults: tuple[str, ...],
) -> None:
    """``model-check enumerate``."""
    question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only)
    chosen = cubes(question, scenario, depth, window)
    first = "symbolic" if engine == "both" else engine
    broken = open_named(target, frozenset(faults)) if replayed else None
    job = run_enumeration(question, first, chosen, broken, timeout)
    _save_job(job, out_itf)
    if as_json:
        click.echo(job_json(job))
    else:
        report.print_job(console(), job)
    if engine == "both" and not job.stopped:
        others = [enumerate_cube(question, cube, "reference", lambda what, n: None) for cube in chosen]
        same = distinct(others)[1] == job.hash and [set(p.crash_keys) for p in others] == [
            set(p.crash_keys) for p in job.enumerated
        ]
        if not as_json:
            click.echo(f"reference engine: {'the same sets' if same else 'DIFFERENT sets'}")
        if not same:
            raise Stop(Exit.ENGINES_DISAGREE, "the engines disagree; please report it with the command above")
    raise Stop(job.code, "")


def _save_job(job: MainJob, folder: Path | None) -> None:
    """One witness per matrix cell, the divergence and the flaw's counterexample, as ITF."""
    if folder is None:
        return
    tracer = Tracer(job.question.evaluator)
    if job.matrix is not None:
        for window, name in job.matrix.windows:
            for outcome, fate in job.matrix.outcomes:
                witness = job.matrix.witness(window, outcome)
                if witness is not None:
                    save(tracer.trace(witness.labels), folder, f"{name}-{fate}")
    for replays in (job.replays, job.matrix_replays):
        if replays.divergence is not None:
            save(replays.divergence[0], folder, "divergence")
    if job.flaw is not None and job.flaw.trace is not None:
        save(job.flaw.trace, folder, "seed-flaw")


def replay(
    traces: tuple[Path, ...], target: str, faults: tuple[str, ...], as_json: bool, out_itf: Path | None
) -> None:
    """``model-check replay``."""
    opened = open_named(target, frozenset(faults))
    results = Replays()
    printer = console()
    files = list(_files(traces))
    for file in files:
        trace = _read(file)
        try:
            result = run_replay(trace, opened, TABLE)
        except UnplayableTrace as error:
            raise Stop(Exit.UNREADABLE_TRACE, f"{file}: {error}") from error
        results.add(trace, result)
        if as_json:
            continue
        if isinstance(result, Divergence):
            words = ["model-check replay", str(file), "--target", target, *(f"--break {fault}" for fault in faults)]
            report.print_divergence(printer, trace, result, " ".join(words))
        else:
            click.echo(f"{file}: no divergence, {result.steps} labels, {result.fields_compared} fields compared")
    if as_json:
        click.echo(replay_json(results))
    else:
        report.print_replays(printer, "replayed", results, brief=True)
    if results.divergence is not None and out_itf is not None:
        click.echo(f"trace: {save(results.divergence[0], out_itf, 'divergence')}")
    raise Stop(Exit.DIVERGES if results.diverged else Exit.HOLDS, "")


def _files(paths: tuple[Path, ...]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.itf.json"))
            if not found:
                raise Stop(Exit.USAGE, f"{path}: no *.itf.json in this folder; name a trace, or a folder of traces")
            yield from found
        else:
            yield path


def _read(path: Path) -> Trace:
    if not path.exists():
        raise Stop(Exit.USAGE, f"{path}: there is no such file; name a trace (*.itf.json) or a folder of traces")
    try:
        return read_trace(path)
    except UnreadableTrace as error:
        raise Stop(Exit.UNREADABLE_TRACE, str(error)) from error


def show(
    what: str,
    form: str,
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    as_json: bool,
    out_itf: Path | None,
) -> None:
    """``model-check show``."""
    path = Path(what)
    if path.exists() or path.suffix == ".json" or "/" in what:
        trace = _read(path)
    else:
        question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only)
        trace = scenario_trace(question, what)
    if out_itf is not None:
        save(trace, out_itf, path.name.removesuffix(".itf.json"))
    if as_json:
        click.echo(format_trace(trace).decode())
    elif form == "mermaid":
        click.echo(render_mermaid(trace, wording_for(trace)))
    else:
        report.print_trace(console(), trace)
    raise Stop(Exit.HOLDS, "")


def scenario_trace(question: Question, name: str) -> Trace:
    """The run of a scenario's script, as a trace."""
    _, labels = question.start(name)
    return Tracer(question.evaluator).trace(labels, {"scenario": name})


__all__: list[Any] = ["TraceError", "check", "enumerate_", "main", "replay", "scenario_trace", "show"]
