"""``model-check complete``: which spec a log is held against, how, and what is printed and written."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from checker.completing.deciding import Answer, Completed, Engine, Refused, Undecided, agreed, decide
from checker.completing.report import Report
from checker.heartbeat import asked_data, asked_text
from checker.machine import as_text, question_data
from checker.question import DEFAULT_SPEC, Question, ask
from checker.replaying import make_folder, save
from checker.report import print_trace, style, title
from checker.symbolic.watch import Watch
from checker.verdict import Exit, Stop
from spec.load import shipped, shipped_specs
from traces.errors import UnreadableTrace
from traces.partial import PartialTrace, read_partial
from traces.trace import Trace, TraceState
from traces.values import EMPTY


def complete(
    file: Path,
    spec: str | None,
    model: str | None,
    settings: dict[str, str],
    mutant: str | None,
    engine: str,
    timeout: float | None,
    as_json: bool,
    out_itf: Path | None,
    smt_out: Path | None,
    console: Console,
) -> None:
    """Fills in a log's holes. Raises Stop with the code of the answer."""
    log = _read(file)
    question = _question(log, spec, model, settings, mutant)
    if smt_out is not None and engine not in ("symbolic", "both", "auto"):
        raise Stop(Exit.USAGE, f"--smt-out needs --engine symbolic, both or auto; found: --engine {engine}")
    make_folder(out_itf)
    make_folder(smt_out, "--smt-out")
    watch = Watch(smt_out=smt_out)
    report = Report(question, log)
    words = ["--engine", engine] if engine != Engine.AUTO.value else []
    reproduce = question.command("complete", str(file), *words)
    answers: list[tuple[Answer, float]] = []
    for one in (Engine.REFERENCE, Engine.SYMBOLIC) if engine == "both" else (Engine(engine),):
        began = time.monotonic()
        answers.append((decide(question, log, one, timeout, watch=watch), time.monotonic() - began))
        if code_of(answers[-1][0]) is Exit.INTERRUPTED:
            break
    disagree = not agreed([answer for answer, _ in answers])
    # Of two, the one that could tell; what they say is the same then.
    answer = next((one for one, _ in answers if not isinstance(one, Undecided)), answers[0][0])
    code = Exit.ENGINES_DISAGREE if disagree else code_of(answer)
    trace = report.trace(answer.run, _meta(file, reproduce, answer))
    if as_json:
        said = [report.data(each, seconds) for each, seconds in answers]
        asked = {"questions": asked_data(watch.asked), "exit": int(code), "reproduce": reproduce}
        click.echo(as_text({**question_data(question), "answers": said, **asked}))
    else:
        _print(console, question, report, trace, answer)
        if watch.asked:
            console.print(asked_text(watch.asked), markup=False, highlight=False, soft_wrap=True)
        for each, seconds in answers:
            console.print(Text(report.verdict(each, seconds), style=style(code)), soft_wrap=True)
        console.print(f"reproduce: {reproduce}", markup=False, highlight=False, soft_wrap=True)
    if out_itf is not None and answer.run.positions:
        name = file.name.removesuffix(".json").removesuffix(".itf")
        saved = save(trace, out_itf, f"{name}-{'completed' if isinstance(answer, Completed) else 'prefix'}")
        if not as_json:
            click.echo(f"trace: {saved}")
    raise Stop(code, "the engines disagree; please report it with the command above" if disagree else "")


def code_of(answer: Answer) -> Exit:
    match answer:
        case Completed():
            return Exit.HOLDS
        case Refused():
            return Exit.LOG_REFUSED
        case Undecided():
            return answer.code


def _meta(file: Path, reproduce: str, answer: Answer) -> dict[str, str]:
    match answer:
        case Completed():
            return {"completed": file.name, "command": reproduce}
        case Refused(step) | Undecided(step):
            return {"completed": file.name, "command": reproduce, "fits_before_state": str(step)}


def _print(console: Console, question: Question, report: Report, trace: Trace, answer: Answer) -> None:
    title(console, question)
    if answer.run.positions:
        # What was filled in is remarked in the file, state by state; here it would hide the run.
        plain = (TraceState(state.label, state.variables) for state in trace.states)
        print_trace(console, replace(trace, states=tuple(plain), meta=EMPTY))
        for line in report.filled_lines(answer.run):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if isinstance(answer, Refused):
        for line in report.refusal_lines(answer):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _read(file: Path) -> PartialTrace:
    if not file.exists():
        raise Stop(Exit.USAGE, f"{file}: there is no such file; name a log in ITF (*.itf.json)")
    if file.is_dir():
        raise Stop(Exit.USAGE, f"{file}: this is a folder; name one log (*.itf.json) in it")
    try:
        return read_partial(file)
    except UnreadableTrace as error:
        raise Stop(Exit.UNREADABLE_TRACE, str(error)) from error


def _question(
    log: PartialTrace, spec: str | None, model: str | None, settings: dict[str, str], mutant: str | None
) -> Question:
    """What the log says it is of, unless SPEC, --model or --mutant say otherwise."""
    if spec is not None or model is not None or mutant is not None:
        return ask(spec, model=model, mutant=mutant, settings=settings)
    if log.spec in ("", DEFAULT_SPEC):
        return ask(None, model=log.model or None, mutant=log.mutant, settings=settings)
    if log.spec not in (path.stem for path in shipped_specs()):
        message = f"the log is of the spec {log.spec}, which is not one of those shipped: name its file after the log"
        raise Stop(Exit.USAGE, message)
    return ask(str(shipped(log.spec)), model=log.model or None, mutant=log.mutant, settings=settings)
