"""The kill table: what each mutant breaks, in how many labels, how many states were looked at, and how long it took.

One set of rows, as a table for a terminal and as Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from checker.checking import Checked
from checker.mutants import Kills, Kind, Outcome, Tried, length_of, steps_of
from checker.report import bounds_text
from checker.verdict import MEANING, Exit
from spec.system import Grain

NOTES = """\
- grain: micro, one label a step: what is not found at it, within the bounds, is not there. Macro: steps of the size of
  an RPC.
- length: steps of the shortest run from where the model starts; `6 (27 labels)`: of the macro grain, and its labels;
  `5 + 15`: after a script of 15 labels.
- below: the symbolic engine is asked for the same property at the macro grain, or after a script.
- states: distinct ones, to the end of the level of the violation. Those that permuting a symmetric set makes the same
  count once.
- times: of the machine that made the table, compilation included.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A table under its heading."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sections(kills: Kills) -> Iterator[Section]:
    columns = ("mutant", "property broken", "grain", "model", "length", "states", *kills.engines)
    killed = (
        (Kind.BUG, "mutants: known bugs"),
        (Kind.REFUTED, "properties that the spec itself refutes"),
    )
    for kind, heading in killed:
        rows = [(*_row(one), *_times(one, kills.engines)) for one in kills.of(kind)]
        if rows:
            yield Section(heading, columns, tuple(rows))
    survive = (
        (Kind.UNSHOWN, "bugs that are not killable within these bounds"),
        (Kind.NEUTRAL, "harmless changes: nothing may break"),
    )
    columns = ("mutant", "grain", "model", "outcome", "states", "depth", "bounds", *kills.engines)
    for kind, heading in survive:
        rows = [(*_survivor(one), *_times(one, kills.engines)) for one in kills.of(kind)]
        if rows:
            yield Section(heading, columns, tuple(rows))


def _row(tried: Tried) -> tuple[str, ...]:
    claim, best = tried.claim, tried.best
    found = steps_of(best)
    length = "—" if found is None else f"{found}{f' + {best.prefix}' if best.prefix else ''}"
    if claim.grain is Grain.MACRO and best.labels is not None:
        length += f" ({len(best.labels) - best.prefix} labels)"
    if tried.outcome is not Outcome.AS_CLAIMED:
        claimed = f", claimed: {claim.length}" if claim.length is not None else ""
        length = f"{length} ({tried.outcome.value}{claimed})"
    broken = claim.breaks or best.violated or "any"
    return (claim.mutant, broken, claim.grain.value, tried.question.system.model, length, _states(best))


def _survivor(tried: Tried) -> tuple[str, ...]:
    best = tried.best
    if best.labels is not None:
        outcome = f"{best.violated} broken in {length_of(best)}"
    elif best.code in (Exit.HOLDS, Exit.NOT_REACHED):
        outcome = "survives: search complete" if best.complete else f"survives {best.depth} labels"
    else:
        outcome = tried.outcome.value
    system = tried.question.system
    where = f"start {system.start}, " if system.start else ""
    bounds = where + bounds_text(system)
    return (tried.claim.mutant, tried.claim.grain.value, system.model, outcome, _states(best), str(best.depth), bounds)


def _states(checked: Checked) -> str:
    return "—" if checked.distinct is None else f"{checked.distinct:,}"


def _times(tried: Tried, engines: Sequence[str]) -> tuple[str, ...]:
    asked = {answer.engine: answer for answer in tried.answers}
    return tuple(_time(asked[engine]) if engine in asked else "below" for engine in engines)


def _time(checked: Checked) -> str:
    steps = "labels" if checked.grain is Grain.MICRO else "steps"
    seconds, depth = f"{checked.seconds:.1f} s", f"({max(checked.depth, 0)} {steps})"
    if checked.code is Exit.INCONCLUSIVE:
        return f"> {seconds} {depth}" if checked.depth >= 0 else "no time left"
    return seconds if checked.complete or checked.labels is not None else f"{seconds} {depth}"


def print_kills(console: Console, kills: Kills) -> None:
    for section in sections(kills):
        table = Table(title=section.heading, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
        for column in section.columns:
            table.add_column(column, justify="right" if column in ("states", "depth") else "left", overflow="fold")
        for row in section.rows:
            table.add_row(*map(Text, row))
        console.print(table)
    console.print(Text(verdict(kills), style="bold green" if kills.code is Exit.HOLDS else "bold red"), soft_wrap=True)


def markdown(kills: Kills, command: str) -> str:
    """The same tables, for a file."""
    lines = [f"# Mutants of {kills.spec}", "", f"Made by `{command}`.", "", NOTES]
    for section in sections(kills):
        lines += [f"## {section.heading[0].upper()}{section.heading[1:]}", "", *_markdown_table(section), ""]
    return "\n".join([*lines, verdict(kills), ""])


def _markdown_table(section: Section) -> Sequence[str]:
    head = "| " + " | ".join(section.columns) + " |"
    rule = "|" + "---|" * len(section.columns)
    return [head, rule, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in section.rows)]


def verdict(kills: Kills) -> str:
    """What came out, with the names of what did not come out as claimed, and what to do."""
    if kills.stopped:
        return f"Inconclusive: {kills.stopped}"
    lines = [line for outcome, advice in ADVICE.items() if (line := _unlike(kills, outcome, advice))]
    if lines:
        return "\n".join([*lines, f"{MEANING[kills.code]} (exit {int(kills.code)})"])
    mutants = {kind: len({one.claim.mutant for one in kills.of(kind)}) for kind in Kind}
    said = {
        Kind.BUG: "killed, in as many labels as they say",
        Kind.REFUTED: "of properties that the spec refutes",
        Kind.UNSHOWN: "not killable within their bounds, as they say",
        Kind.NEUTRAL: "harmless, and nothing broke within their bounds",
    }
    return "Mutants: " + "; ".join(f"{count} {said[kind]}" for kind, count in mutants.items() if count) + "."


ADVICE = {
    Outcome.DISAGREED: "the engines disagree; please report it with `model-check check --engine both --mutant ID`",
    Outcome.FAILED: "ended in an evaluation error; `model-check check --mutant ID --property NAME` shows the run",
    Outcome.SURVIVED: "survived: nothing broke the property within the mutant's model; widen the model, sharpen the "
    "property, or, if no bound that can be searched shows it, declare it `survives`",
    Outcome.KILLED: "was declared harmless, and something broke; look at the run (`model-check check --mutant ID`) "
    "and declare what it `breaks`",
    Outcome.OTHER_LENGTH: "has a shortest run of another length than it says; find out why, or correct "
    "`breaks NAME in N`",
    Outcome.UNDECIDED: "was not decided in time; give it more (--timeout), or lower the bounds of its model",
}


def _unlike(kills: Kills, outcome: Outcome, advice: str) -> str:
    names = dict.fromkeys(one.claim.mutant for one in kills.tried if one.outcome is outcome)
    return f"{', '.join(names)}: {advice}" if names else ""
