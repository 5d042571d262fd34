"""``model-check replay`` and ``show``: traces that are there, on an implementation or as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import click

from checker import report
from checker.commands import console, settings_of
from checker.implementation import Implementation
from checker.machine import replay_json
from checker.question import Question, ask
from checker.replaying import Replays, make_folder, save
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from traces.errors import UnplayableTrace, UnreadableTrace
from traces.itf import format_trace, read_trace
from traces.raft_reads import table_for
from traces.render.mermaid import render_mermaid
from traces.replay import Divergence
from traces.replay import replay as run_replay
from traces.target import Target
from traces.trace import Trace


def replay(
    traces: tuple[Path, ...],
    target: str,
    disk: str | None,
    faults: tuple[str, ...],
    as_json: bool,
    out_itf: Path | None,
) -> None:
    """``model-check replay``."""
    implementation = Implementation(target, faults, disk)
    make_folder(out_itf)
    results = Replays()
    with implementation.opened() as opened, results.tallied(opened):
        reproduce = _replay_files(traces, opened, implementation.words(), as_json, results)
    if as_json:
        click.echo(replay_json(results, reproduce))
    else:
        report.print_replays(console(), "replayed", results)
    if results.divergence is not None and out_itf is not None:
        saved = save(results.divergence[0], out_itf, "divergence")
        if not as_json:
            click.echo(f"trace: {saved}")
    raise Stop(Exit.DIVERGES if results.diverged else Exit.HOLDS, "")


def _replay_files(paths: tuple[Path, ...], target: Target, words: list[str], quiet: bool, results: Replays) -> str:
    """Adds what all came to; the command for the shortest divergence. ``words``: the options that name the target."""
    printer = console()
    reproduce = ""
    for file in list(_files(paths)):
        trace = _read(file)
        try:
            result = run_replay(trace, target, table_for(trace.states[0]))
        except UnplayableTrace as error:
            raise Stop(Exit.UNREADABLE_TRACE, f"{file}: {error}") from error
        command = shlex.join(["model-check", "replay", str(file), *words])
        before = results.divergence
        results.add(trace, result)
        reproduce = reproduce if results.divergence is before else command
        if quiet:
            continue
        if isinstance(result, Divergence):
            report.print_divergence(printer, trace, result, command)
        else:
            click.echo(f"{file}: no divergence, {result.steps} labels, {result.fields_compared} fields compared")
    return reproduce


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
    if path.is_dir():
        raise Stop(Exit.USAGE, f"{path}: this is a folder; name one trace (*.itf.json) in it")
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
    make_folder(out_itf)
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
        click.echo(report.worded(render_mermaid, trace))
    else:
        report.print_trace(console(), trace)
    raise Stop(Exit.HOLDS, "")


def scenario_trace(question: Question, name: str) -> Trace:
    """The run of a scenario's script, as a trace."""
    _, labels = question.start(name)
    return Tracer(question.evaluator).trace(labels, {"scenario": name})
