"""What a person, and a machine, read of ``reach``: the runs, where each goal is met, and what is said of other runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from checker.heartbeat import asked_data, asked_text
from checker.machine import as_text, question_data
from checker.question import Question
from checker.reaching import Run, Seek, Sought
from checker.report import cuts_text, print_trace, style, title
from checker.verdict import Exit
from spec.goals import GoalSequence, LabelGoal
from spec.grains import ABSENCE
from spec.system import Grain
from spec.values import show
from traces.itf import format_trace
from traces.trace import Trace
from traces.values import EMPTY


@dataclass(frozen=True, slots=True)
class Answered:
    """``traces``: of the runs that are shown, which are of the first answer that has any."""

    question: Question
    sequence: GoalSequence
    how: Seek
    answers: tuple[Sought, ...]
    shown: Sought
    traces: tuple[Trace, ...]
    code: Exit
    reproduce: str


def print_sought(console: Console, answered: Answered) -> None:
    title(console, answered.question)
    shown = answered.shown
    for number, trace in enumerate(answered.traces, 1):
        if len(shown.runs) > 1:
            console.print(f"run {number} of {len(shown.runs)}", style="bold", highlight=False)
        print_trace(console, Trace(trace.spec, trace.model, trace.mutant, trace.states, EMPTY))
        if shown.runs:
            for line in met_lines(answered.sequence, shown.runs[number - 1]):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    for answer in answered.answers:
        for line in count_lines(answer):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(Text(verdict(answered.how, answer), style=style(answer.code)), soft_wrap=True)
    console.print(f"reproduce: {answered.reproduce}", markup=False, highlight=False, soft_wrap=True)


def met_lines(sequence: GoalSequence, run: Run) -> list[str]:
    """Where each goal is met, and by what the names that they share stand for."""
    sorts = {parameter.name: parameter.sort for parameter in sequence.some}
    lines = [f"with {', '.join(f'{name} = {show(sorts[name], value)}' for name, value in run.chosen)}"]
    for goal, place in zip(sequence.goals, run.met, strict=True):
        where = f"label {place}" if isinstance(goal, LabelGoal) else f"after label {place}" if place else "at the start"
        lines.append(f"{where}: {' '.join(goal.text.split())}")
    return lines if run.chosen else lines[1:]


def count_lines(answer: Sought) -> list[str]:
    lines = [asked_text(answer.asked)] if answer.asked else []
    if answer.distinct is not None:
        symmetry = f", {answer.symmetry}" if str(answer.symmetry) else ""
        lines.append(f"{answer.distinct:,} distinct states found{symmetry}")
    return lines + ([cuts_text(answer.cuts)] if answer.cuts else [])


def verdict(how: Seek, answer: Sought) -> str:
    """One honest line."""
    macro = how.grain is Grain.MACRO
    step, at = ("macro step", " at the macro grain") if macro else ("label", "")
    where = f" after the script of {answer.prefix}" if answer.prefix else ""
    time = f"{answer.seconds:.1f} s"
    within = f"{answer.engine} engine, {_number(answer.depth, step)}{where}"
    if answer.failed is not None:
        return f"Evaluation error: {answer.message}; none is earlier{at}, nor is the goal met before: {time}"
    if answer.reason:
        runs = f"{_number(len(answer.runs), 'run')} found, no other" if answer.runs else "not reached"
        return f"Inconclusive: {answer.reason}; {runs} within what was searched in full: {within}; {time}"
    end = f"longer runs were not searched{_advice(how)}"
    end = "search complete within the model's bounds" if answer.complete else end
    if not answer.runs:
        what = f"Not reached{at}: no run meets the goal" if not answer.complete else f"Unreachable{at}"
        return f"{what}: {within}, {end}{f'; {ABSENCE}' if macro else ''}; {time}"
    lengths = [len(run.labels) - answer.prefix for run in answer.runs]
    found = f"Reached: {_number(lengths[0], 'label')}{where}; none is shorter{at}"
    if how.distinct > 1:
        found = f"Reached by {_number(len(lengths), 'run')} of {lengths[0]} to {lengths[-1]} labels{where}"
        all_there_are = f"; no other{at}: {within}, {end}"
        found += all_there_are if len(lengths) < how.distinct else f"; none that is left is shorter{at}"
    return f"{found}; {answer.engine} engine; {time}"


def _number(count: int, what: str) -> str:
    return "nothing yet" if count < 0 else f"{count:,} {what}{'s' if count != 1 else ''}"


def _advice(how: Seek) -> str:
    ways = ["raise --max-steps"] + ([] if how.scenario else ["start nearer with --scenario"])
    return f": {', or '.join(ways)}"


def sought_json(answered: Answered) -> str:
    return as_text(
        {
            **question_data(answered.question),
            "goals": [goal.text for goal in answered.sequence.goals],
            "answers": [_answer(answered, answer) for answer in answered.answers],
            "exit": int(answered.code),
            "traces": [msgspec.json.decode(format_trace(trace)) for trace in answered.traces],
            "reproduce": answered.reproduce,
        }
    )


def _answer(answered: Answered, answer: Sought) -> dict[str, Any]:
    sorts = {parameter.name: parameter.sort for parameter in answered.sequence.some}
    return {
        "engine": answer.engine,
        "exit": int(answer.code),
        "grain": answered.how.grain.value,
        "depth": answer.depth,
        "script": answer.prefix,
        "complete": answer.complete,
        "reason": answer.reason or None,
        "message": answer.message,
        "runs": [
            {
                "length": len(run.labels) - answer.prefix,
                "met_after_labels": run.met,
                "chosen": {name: show(sorts[name], value) for name, value in run.chosen},
            }
            for run in answer.runs
        ],
        "distinct": answer.distinct,
        "symmetry": str(answer.symmetry) or None,
        "cuts": answer.cuts,
        "questions": asked_data(answer.asked),
        "seconds": round(answer.seconds, 3),
    }
