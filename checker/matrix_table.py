"""The crash-window matrix as tables: windows × outcomes, split by what the crash left; and who crashed."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from checker.coverage import Matrix, Unit
from checker.gaps import never, pairs_of, without_completion

NEVER = "–"
"""A cell that no run fills, as long as the search's bound."""


def print_matrix(console: Console, matrix: Matrix, replayed: int) -> None:
    """Only columns that hold something. ``replayed``: how many of the matrix's runs were."""
    shown = [(o, name) for o, name in matrix.outcomes if any(matrix.count(w, o) for w, _ in matrix.windows)]
    impossible = never(matrix)
    stuck = without_completion(matrix)
    ends = ("undecided",) if matrix.bound is None else ("none", "undecided")
    table = _table("crash windows × outcomes (pairs of crash state and tracked element; · = not seen)")
    for name in ("all", *(name for _, name in shown), *ends):
        table.add_column(_heading(name), justify="right", overflow="fold")
    for window, name in matrix.windows:
        cells = [NEVER if (window, o) in impossible else _count(matrix.count(window, o)) for o, _ in shown]
        row = [_count(len(matrix.rows.get(window, ()))), *cells]
        table.add_row(name, *row, *_ends(matrix, window, stuck, None), style="bold")
        kinds = sorted({kept for w, (_, kept) in matrix.crashed if w == window})
        for kept in kinds if len(kinds) > 1 else ():
            units = matrix.crashed_units(window, kept=kept)
            split = [len(units), *(len(matrix.units(window, outcome, kept)) for outcome, _ in shown)]
            table.add_row(f"  {kept}", *map(_count, split), *_ends(matrix, window, stuck, units))
    console.print(table)
    actors = dict(enumerate(actor.name for actor in matrix.system.actors))
    columns = sorted({actor for _, (actor, _) in matrix.crashed})
    table = _table("who crashed")
    for actor in columns:
        table.add_column(_heading(actors.get(actor, "other")), justify="right", overflow="fold")
    for window, name in matrix.windows:
        table.add_row(name, *(_count(len(matrix.crashed_units(window, actor=actor))) for actor in columns))
    console.print(table)
    _print_notes(console, matrix, replayed)


def _print_notes(console: Console, matrix: Matrix, replayed: int) -> None:
    lines = [
        f"{matrix.completed:,} completions by the spec's schedules",
        pairs_text(matrix),
        f"{len(matrix.runs):,} runs, one for each crash state and each of its outcomes; {replayed:,} replayed",
    ]
    if matrix.cuts:
        most = sorted(matrix.cuts.items(), key=lambda item: (-item[1], item[0]))
        lines.append("cut in completions: " + ", ".join(f"{bound} ({count:,}×)" for bound, count in most))
    for line in lines:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    full = sorted(bound for bound in matrix.cuts if ": len(" in bound)
    if full:
        warning = f"WARNING: {', '.join(full)}: a log that is full cuts recoveries instead of testing them"
        console.print(Text(f"  {warning}", style="bold yellow"), soft_wrap=True)
    for name, witness in matrix.violations.items():
        console.print(Text(f"  VIOLATED in a completion: {name} ({len(witness.labels)} labels)", style="bold red"))


def _ends(matrix: Matrix, window: int, stuck: set[tuple[int, Unit]], only: set[Unit] | None) -> Iterator[str]:
    """The last columns: units without any completion as long as the search's bound, and those that are undecided."""
    open_units = matrix.undecided_units(window)
    none = {unit for unit in open_units if (window, unit) in stuck}
    for units in ([none] if matrix.bound is not None else []) + [open_units - none]:
        yield _count(len(units if only is None else units & only))


def pairs_text(matrix: Matrix) -> str:
    """What was decided of what, all of it counted."""
    pairs = pairs_of(matrix)
    parts = [f"{pairs.by_schedules:,} shown by a schedule"]
    if matrix.bound is not None:
        parts.append(f"{pairs.by_search:,} by a search among all runs of at most {matrix.bound} labels")
        parts.append(f"{pairs.none - pairs.none_at_all:,} have no run of so many")
    if pairs.none:
        parts.append(f"{pairs.none_at_all:,} have none of any length")
    text = f"{pairs.total:,} pairs of crash state and outcome: {', '.join(parts)}, {pairs.undecided:,} undecided"
    text += f"; {NEVER}: no pair of that cell has a run" if never(matrix) else ""
    hint = "; not seen does not mean unreachable: --complete N searches all runs of N labels"
    return text + (hint if matrix.bound is None and pairs.undecided else "")


def _table(title_: str) -> Table:
    table = Table(title=title_, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("window", no_wrap=True)
    return table


def _heading(name: str) -> str:
    """One word a line: the columns are narrow, and there are many."""
    return name.replace("_", "\n").replace(" ", "\n")


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"
