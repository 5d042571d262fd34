"""What each command does once its words are understood: ask, run, print, and end with a code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from secrets import randbelow
from typing import Any

import click
from rich.console import Console

from checker import report
from checker.checking import DEFAULT_STEPS, Checked, taken_together
from checker.checking import check as run_check
from checker.enumeration import cubes
from checker.implementation import Implementation
from checker.job import MainJob, main_job, run_enumeration
from checker.machine import checked_json, job_json, mutants_json
from checker.mutants import Tried, kill
from checker.mutants_table import markdown, print_kills
from checker.options import MUTANT_SECONDS
from checker.question import Question, ask
from checker.reduction import UpTo
from checker.replaying import make_folder, save
from checker.search_report import print_checked, verdict_of_check
from checker.searching import Search
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from spec.script import describe
from spec.values import EvaluationError
from traces.trace import Trace


def console() -> Console:
    """On a pipe: no colour, and lines as wide as they need to be."""
    return Console(markup=False) if sys.stdout.isatty() else Console(markup=False, width=200, no_color=True)


def settings_of(words: Iterable[str]) -> dict[str, str]:
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise Stop(Exit.USAGE, f"--set {word}: allowed is NAME=VALUE, such as --set max_term=3")
        settings[name.strip()] = value.strip()
    return settings


def main(
    engine: str,
    timeout: float | None,
    max_steps: int | None,
    target: str,
    as_json: bool,
    out_itf: Path | None,
    workers: int | None,
) -> None:
    """The main job."""
    make_folder(out_itf)
    question = ask(None)
    implementation = Implementation(target)
    words = [*(["--engine", engine] if engine != "symbolic" else []), *implementation.words()]
    job = main_job(question, engine, implementation, timeout, max_steps, question.command(*words), workers)
    _print_job(job, as_json, out_itf)


def _print_job(job: MainJob, as_json: bool, out_itf: Path | None) -> None:
    if as_json:
        click.echo(job_json(job))
    else:
        report.print_job(console(), job)
    _save_job(job, out_itf)
    raise Stop(job.code, "")


def check(
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    engine: str,
    as_json: bool,
    out_itf: Path | None,
    **how: Any,
) -> None:
    """``model-check check``. ``how``: the fields of a Search."""
    search = Search(**how)
    search.refuse_what_an_engine_cannot(engine)
    if search.simulate is not None and search.seed is None:
        search = replace(search, seed=randbelow(2**32))  # printed, so that the runs can be had again
    question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only)
    if any(p.name == only for p in question.system.eventually):
        search.refuse_liveness(engine)
    make_folder(out_itf)
    make_folder(search.smt_out, "--smt-out")
    words = ["--engine", engine] if engine != "explicit" else []
    reproduce = question.command("check", *words, *search.words())
    engines = ("explicit", "symbolic") if engine == "both" else (engine,)
    if engine == "both":  # engines can agree on the same question only
        search = replace(search, symmetry=False)
        if search.max_steps is None and question.system.bounds.steps is None:
            search = replace(search, max_steps=DEFAULT_STEPS)
    answers: list[Checked] = []
    for one in engines:
        answers.append(run_check(question, one, search, liveness=engine != "both"))
        if answers[-1].code is Exit.INTERRUPTED:
            break
    code = taken_together(answers)
    checked = next((answer for answer in answers if answer.labels is not None), answers[0])
    trace = _counterexample(question, checked, reproduce)
    if as_json:
        click.echo(checked_json(question, answers, code, trace, reproduce))
    else:
        print_checked(console(), question, checked, trace, reproduce)
        for other in answers:
            if other is not checked:
                click.echo(verdict_of_check(question, other))
    if trace is not None and out_itf is not None:
        for what, run in _traces(question, checked, trace, reproduce):
            saved = save(run, out_itf, f"{mutant or question.system.spec}-{what}")
            if not as_json:
                click.echo(f"trace: {saved}")
    disagree = "the engines disagree; please report it with the command above"
    raise Stop(code, disagree if code is Exit.ENGINES_DISAGREE else "")


def _traces(question: Question, checked: Checked, trace: Trace, reproduce: str) -> Iterable[tuple[str, Trace]]:
    """By what is wrong at its end: the counterexample, and those of the other properties that are violated."""
    yield checked.violated or ("deadlock" if checked.code is Exit.DEADLOCK else "error"), trace
    tracer, prefix = Tracer(question.evaluator), (checked.labels or ())[: checked.prefix]
    for name, violation in checked.violations.items():
        if name != checked.violated:
            meta = {"problem": violation.message, "command": reproduce, "property": name}
            yield name, tracer.trace(prefix + violation.labels, meta)


def _counterexample(question: Question, checked: Checked, reproduce: str) -> Trace | None:
    if checked.labels is None:
        return None
    meta = {"problem": checked.message, "command": reproduce}
    meta |= {"property": checked.violated} if checked.violated else {}
    tracer = Tracer(question.evaluator)
    try:
        trace = tracer.trace(checked.labels, meta)
        if checked.loop is None:
            return trace
        # The last state is the one to come back to: what follows it is the state after that.
        return replace(trace, loop=min(checked.loop + 1, len(checked.labels)))
    except EvaluationError:  # in the last label, which leads nowhere then
        checked.message += f" (in label {len(checked.labels)}, {describe(checked.labels[-1])})"
        return tracer.trace(checked.labels[:-1], {**meta, "problem": checked.message})


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
    disk: str | None,
    scenario: str | None,
    depth: int | None,
    window: int | None,
    replayed: bool,
    faults: tuple[str, ...],
    workers: int | None,
    within: int | None,
    smt_out: Path | None,
    reduce: str | None,
    sample: int | None,
) -> None:
    """``model-check enumerate``."""
    if smt_out is not None and engine not in ("symbolic", "both"):
        raise Stop(Exit.USAGE, f"--smt-out needs --engine symbolic or both; found: --engine {engine}")
    for option, value in (("--reduce", reduce), ("--sample", sample)):
        if value is not None and not replayed:
            raise Stop(Exit.USAGE, f"{option} says which runs are replayed: it needs --replay")
    implementation = Implementation(target, faults, disk)
    if implementation.words() and not replayed:
        raise Stop(Exit.USAGE, f"{implementation.words()[0]} says what is replayed on: it needs --replay")
    if reduce is not None and sample is not None:
        raise Stop(Exit.USAGE, "--reduce and --sample both say which runs are replayed: give one of them")
    question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only)
    chosen = cubes(question, scenario, depth, window)
    make_folder(out_itf)
    make_folder(smt_out, "--smt-out")
    words = ["enumerate", *(["--scenario", scenario] if scenario else [])]
    words += ["--engine", engine] if engine != "symbolic" else []
    words += ["--depth", str(depth)] if depth is not None else []
    words += ["--window", str(window)] if window is not None else []
    words += ["--replay", *implementation.words()] if replayed else []
    words += ["--sample", str(sample)] if sample is not None else []
    words += ["--complete", str(within)] if within is not None else []
    words += ["--reduce", reduce] if reduce is not None else []
    up_to, command = None if reduce is None else UpTo(reduce), question.command(*words)
    with implementation.opened() if replayed else nullcontext() as opened:
        job = run_enumeration(
            question, engine, chosen, opened, timeout, command, workers, within, up_to, smt_out, sample=sample
        )
    _print_job(job, as_json, out_itf)


def mutants(
    spec: str | None,
    engine: str,
    only: tuple[str, ...],
    timeout: float,
    workers: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """``model-check mutants``."""
    if workers is not None and engine == "symbolic":
        raise Stop(Exit.USAGE, "--workers needs --engine explicit or both; found: --engine symbolic")
    engines = ("explicit", "symbolic") if engine == "both" else (engine,)
    if out is not None:
        make_folder(out.parent)
    kills = kill(spec, only, engines, timeout, workers, _say_tried)
    words = [*([spec] if spec else []), *(["--engine", engine] if engine != "explicit" else [])]
    words += ["--timeout", f"{timeout:g}"] if timeout != MUTANT_SECONDS else []
    words += [word for name in only for word in ("--only", name)]
    command = shlex.join(["model-check", "mutants", *words])
    if as_json:
        click.echo(mutants_json(kills, command))
    else:
        print_kills(console(), kills)
    if out is not None and not kills.stopped:  # what is there may be a whole table
        out.write_text(markdown(kills, f"{command} --out {shlex.quote(str(out))}"), encoding="utf-8")
    raise Stop(kills.code, "")


def _say_tried(tried: Tried, number: int, total: int) -> None:
    """A line for each, where someone watches."""
    if sys.stderr.isatty():
        what = f" {tried.claim.breaks}" if tried.claim.breaks else ""
        seconds = sum(answer.seconds for answer in tried.answers)
        click.echo(f"{number} of {total}: {tried.claim.mutant}{what}: {tried.outcome.value}, {seconds:.1f} s", err=True)


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


def prove(
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    as_json: bool,
    **how: Any,
) -> None:
    """``model-check prove``. ``how``: the fields of a Proving."""
    from checker.proof_report import print_proof, proof_json  # imports z3
    from checker.proving import Proving
    from checker.proving import prove as run_prove

    proving = Proving(**how)
    question = ask(spec, model=model, mutant=mutant, settings=settings_of(settings), only=only, inductive=True)
    make_folder(proving.smt_out, "--smt-out")
    reproduce = question.command("prove", *proving.words())
    proof = run_prove(question, proving)
    if as_json:
        click.echo(proof_json(question, proof, reproduce))
    else:
        print_proof(console(), question, proof, reproduce)
    raise Stop(proof.code, "")


def agree(
    spec: str | None,
    models: tuple[str, ...],
    settings: tuple[str, ...],
    mutant: str | None,
    only: str | None,
    depth: int | None,
    window: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """``model-check agree``."""
    from checker.agree_command import agree as compare  # imports z3 and llvmlite

    compare(spec, models, settings_of(settings), mutant, only, depth, window, timeout, as_json, console())


def reach(settings: tuple[str, ...], **options: Any) -> None:
    """``model-check reach``."""
    from checker.reach_command import reach as seek

    seek(settings=settings_of(settings), console=console(), **options)


def complete(
    trace: Path,
    spec: str | None,
    model: str | None,
    settings: tuple[str, ...],
    mutant: str | None,
    engine: str,
    timeout: float | None,
    as_json: bool,
    out_itf: Path | None,
    smt_out: Path | None,
) -> None:
    """``model-check complete``."""
    from checker.complete_command import complete as fill_in

    fill_in(trace, spec, model, settings_of(settings), mutant, engine, timeout, as_json, out_itf, smt_out, console())
