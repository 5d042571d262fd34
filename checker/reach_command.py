"""``model-check reach``: from the words of the command line to a question about runs, and back to words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from checker.question import Question, ask, reported_spec_errors
from checker.reach_report import Answered, print_sought, sought_json
from checker.reaching import Seek, Sought, seek, taken_together
from checker.replaying import make_folder, save
from checker.tracing import Tracer
from checker.verdict import Exit, Stop
from spec.goals import GoalSequence
from spec.load import load_goals
from spec.parse_goals import GoalText
from spec.type_report import close_to
from traces.trace import Trace


def reach(
    words: tuple[str, ...],
    goal: str | None,
    then: tuple[str, ...],
    some: tuple[str, ...],
    model: str | None,
    settings: Mapping[str, str],
    crashes: int | None,
    mutant: str | None,
    engine: str,
    as_json: bool,
    out_itf: Path | None,
    console: Console,
    **how: Any,
) -> None:
    """``how``: the fields of a Seek. Raises Stop with the code."""
    spec, name = _spec_and_name(words)
    settings = _with_crashes(settings, crashes)
    question = ask(spec, model=model, mutant=mutant, settings=settings)
    if name is not None:
        goal, how["scenario"] = _named(question, name, goal, how["scenario"])
    if goal is None:
        raise Stop(Exit.USAGE, f"no goal: write --goal EXPRESSION, or a name: {_known(question)}")
    texts, shared = (goal, *then), ", ".join(some) if some else None
    sequence = _typed(question, texts, shared, model, mutant, settings)
    seeking = Seek(**how)
    seeking.refuse_what_an_engine_cannot(engine, sequence)
    make_folder(out_itf)
    make_folder(seeking.smt_out, "--smt-out")
    told = ["--engine", engine] if engine != "symbolic" else []
    told += ["--some", shared] if shared is not None else []
    told += ["--goal", goal, *(word for one in then for word in ("--then", one))]
    reproduce = question.command("reach", *told, *seeking.words())
    answers: list[Sought] = []
    for one in ("explicit", "symbolic") if engine == "both" else (engine,):
        answers.append(seek(question, sequence, one, seeking))
        if answers[-1].code is Exit.INTERRUPTED:
            break
    shown = next((answer for answer in answers if answer.runs or answer.failed is not None), answers[0])
    traces = tuple(_traces(question, sequence, shown, reproduce))
    code = taken_together(answers)
    answered = Answered(question, sequence, seeking, tuple(answers), shown, traces, code, reproduce)
    if as_json:
        click.echo(sought_json(answered))
    else:
        print_sought(console, answered)
    if out_itf is not None:
        for number, trace in enumerate(traces, 1):
            name = f"{mutant or question.system.spec}-reach{f'-{number}' if len(traces) > 1 else ''}"
            saved = save(trace, out_itf, name)
            if not as_json:
                click.echo(f"trace: {saved}")
    disagree = "the engines disagree; please report it with the command above"
    raise Stop(code, disagree if code is Exit.ENGINES_DISAGREE else "")


def _spec_and_name(words: tuple[str, ...]) -> tuple[str | None, str | None]:
    """``[SPEC] [NAME]``: a spec is a path that ends in .spec, or a file that is there."""
    if len(words) > 2:
        raise Stop(Exit.USAGE, f"`{shlex.join(words)}`: allowed is [SPEC] [NAME]; further goals are --goal and --then")
    first = words[0] if words else None
    if first is None or first.endswith(".spec") or "/" in first or Path(first).is_file():
        return first, words[1] if len(words) == 2 else None
    if len(words) == 2:
        raise Stop(Exit.USAGE, f"{first} is no spec: the first of two words is the path of one, NAME comes after it")
    return None, first


def _with_crashes(settings: Mapping[str, str], crashes: int | None) -> Mapping[str, str]:
    if crashes is None:
        return settings
    if "max_crashes" in settings:
        raise Stop(Exit.USAGE, "--crashes N is --set max_crashes=N: leave out one of them")
    return {**settings, "max_crashes": str(crashes)}


def _named(question: Question, name: str, goal: str | None, scenario: str | None) -> tuple[str, str | None]:
    """The name as a goal, and the scenario to start from: a scenario's goal is sought where its script ends."""
    system = question.system
    if goal is not None:
        raise Stop(Exit.USAGE, f"{name} and --goal are two first goals: leave out one, or write --then for the second")
    for known in system.scenarios:
        if known.name == name:
            if known.goal is None:
                raise Stop(Exit.USAGE, f"the scenario {name} has no `reach:`; start there with --scenario {name}")
            if scenario is not None:
                raise Stop(Exit.USAGE, f"{name} starts where its own script ends: leave out --scenario")
            return name, name
    if any(property_.name == name for property_ in (*system.sometimes, *system.windows)):
        return name, scenario
    close = close_to(name, _names(question))
    there_are = f"{f'{close} ' if close else ''}there are: {_known(question)}"
    raise Stop(Exit.USAGE, f"no goal named {name} in model {system.model}; {there_are}")


def _known(question: Question) -> str:
    return ", ".join(_names(question)) or "none"


def _names(question: Question) -> list[str]:
    system = question.system
    names = [property_.name for property_ in (*system.sometimes, *system.windows)]
    return names + [scenario.name for scenario in system.scenarios if scenario.goal is not None]


def _typed(
    question: Question,
    texts: tuple[str, ...],
    some: str | None,
    model: str | None,
    mutant: str | None,
    settings: Mapping[str, str],
) -> GoalSequence:
    files = ["<goal>", *(f"<then{f' {n}' if len(texts) > 2 else ''}>" for n in range(1, len(texts)))]
    goals = tuple(GoalText(text, file) for text, file in zip(texts, files, strict=True))
    names = None if some is None else GoalText(some, "<some>")
    with reported_spec_errors(question.path):
        return load_goals(question.path, goals, names, model=model, mutant=mutant, settings=settings)[1]


def _traces(question: Question, sequence: GoalSequence, shown: Sought, reproduce: str) -> list[Trace]:
    tracer = Tracer(question.evaluator)
    meta = {"command": reproduce, "goals": [goal.text for goal in sequence.goals]}
    if shown.failed is not None:
        return [tracer.trace(shown.failed, {**meta, "problem": shown.message})]
    return [tracer.trace(run.labels, {**meta, "met_after_labels": list(run.met)}) for run in shown.runs]
