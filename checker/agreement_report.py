"""What a person, or a machine, reads of ``agree``: the engines side by side, and the smallest difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from checker.agreement import Agreed, Difference, Part, Side, crash_depth, interleaving_depth
from checker.report import print_trace, title
from checker.tracing import Tracer
from checker.verdict import Exit
from spec.evaluate import Cut, EvaluationError, NotEnabled
from spec.script import describe

UNKNOWN = "?"
"""What an engine did not come to the end of."""


def print_agreed(console: Console, agreed: Agreed, reproduce: str) -> None:
    title(console, agreed.question)
    where = f", after the script of {len(agreed.prefix)}" if agreed.prefix else ""
    console.print(f"all that lies within runs of {agreed.bound.depth} labels{where}:", highlight=False)
    for row in _rows(agreed):
        console.print("  " + "".join(_column(i, cell) for i, cell in enumerate(row)), highlight=False, markup=False)
    if agreed.difference is not None:
        _print_difference(console, agreed, agreed.difference)
        console.print(f"reproduce: {reproduce}", markup=False, highlight=False, soft_wrap=True)
    style = "bold green" if agreed.code is Exit.HOLDS else "bold red"
    console.print(Text(verdict(agreed), style=style), soft_wrap=True)


def verdict(agreed: Agreed) -> str:
    names = ", ".join(side.name for side in agreed.sides)
    match agreed.difference:
        case None if agreed.stopped:
            return f"No difference by then, and not all was compared ({agreed.stopped}): {names}"
        case None:
            return f"The engines agree within these bounds: {names}"
        case difference:
            return f"The engines differ: {difference.only} has {difference.message}, {difference.other} has not"


def _rows(agreed: Agreed) -> list[list[str]]:
    sides, bound = agreed.sides, agreed.bound
    rows = [["", *(side.name for side in sides)]]
    for depth in range(max(len(side.levels) for side in sides)):
        rows.append([f"states, {depth} labels", *(_level(side, depth) for side in sides)])
    window = interleaving_depth(bound)
    parts: tuple[tuple[str, Part, Callable[[Side], str]], ...] = (
        ("shortest violation", Part.VERDICT, lambda side: "none" if side.shortest is None else str(side.shortest)),
        (f"crash states (D={crash_depth(bound)})", Part.CRASHES, lambda side: f"{crash_count(side):,}"),
        (
            f"interleavings (D={window}, k={bound.window})",
            Part.INTERLEAVINGS,
            lambda side: f"{len(side.interleavings):,}",
        ),
    )
    for what, part, show in parts:
        rows.append([what, *(_cell(side, part, show) for side in sides)])
    return [*rows, ["seconds", *(f"{side.seconds:.1f}" for side in sides)]]


def crash_count(side: Side) -> int:
    """Crash states; the sets that are compared also have the windows of each."""
    return len({crash for crash, _ in side.crashes})


def _level(side: Side, depth: int) -> str:
    if depth < len(side.levels):
        return f"{len(side.levels[depth]):,}"
    return "0" if Part.STATES in side.known - side.failing else UNKNOWN


def _cell(side: Side, part: Part, show: Callable[[Side], str]) -> str:
    if part in side.failing:
        return "error"
    return show(side) if part in side.known else UNKNOWN


def _column(number: int, cell: str) -> str:
    return f"{cell:26}" if number == 0 else f"{cell:>12}"


def _print_difference(console: Console, agreed: Agreed, difference: Difference) -> None:
    head = f"the smallest difference: only {difference.only}, not {difference.other}: {difference.message}"
    console.print(Text(head, style="bold red"), soft_wrap=True)
    run = difference.run
    try:
        labels = tuple(label for label in run if label is not None)
        shown = Tracer(agreed.question.evaluator).trace(agreed.prefix + labels) if None not in run else None
    except (NotEnabled, Cut, EvaluationError):
        shown = None
    if shown is not None and (run or difference.state is not None):
        print_trace(console, shown)
    else:
        for number, label in enumerate(run, len(agreed.prefix) + 1):
            console.print(f"  {number:2}  {_label(label)}", markup=False, highlight=False, soft_wrap=True)
    said = agreed.opinion(difference)
    if said:
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _label(label: Any) -> str:
    return "(no label)" if label is None else describe(label)


# ------------------------------------------------------------------------------------------------- JSON


def agreed_data(agreed: Agreed, reproduce: str) -> dict[str, Any]:
    difference = agreed.difference
    return {
        "spec": agreed.question.path.name,
        "model": agreed.question.system.model,
        "mutant": agreed.question.system.mutant,
        "depth": agreed.bound.depth,
        "window": agreed.bound.window,
        "engines": [_side(side) for side in agreed.sides],
        "agree": difference is None and not agreed.stopped,
        "difference": None if difference is None else _difference(agreed, difference),
        "stopped": agreed.stopped or None,
        "exit": int(agreed.code),
        "reproduce": reproduce,
    }


def _side(side: Side) -> dict[str, Any]:
    known = side.known - side.failing
    return {
        "engine": side.name,
        "levels": [len(level) for level in side.levels],
        "shortest_violation": side.shortest,
        "crash_states": crash_count(side) if Part.CRASHES in known else None,
        "interleavings": len(side.interleavings) if Part.INTERLEAVINGS in known else None,
        "known": [part.name.lower() for part in sorted(side.known)],
        "evaluation_errors": [part.name.lower() for part in sorted(side.failing)],
        "failure": None if side.failure is None else str(side.failure),
        "stopped": side.stopped or None,
        "seconds": round(side.seconds, 3),
    }


def _difference(agreed: Agreed, difference: Difference) -> dict[str, Any]:
    return {
        "what": difference.part.name.lower(),
        "only": difference.only,
        "not": difference.other,
        "message": difference.message,
        "depth": difference.depth,
        "labels": [_label(label) for label in difference.run],
        "opinion": agreed.opinion(difference) or None,
    }
