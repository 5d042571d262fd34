"""A few runs of many, for an implementation on which a run takes long: chosen, not drawn, so that the same come again.

Of the runs of a matrix first one of each crash window, the shortest that there is, then another of each, and so on, a
cell (who crashed, what was kept, what became of the write) at a time: what a crash can come to is seen early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from checker.coverage import Matrix
from spec.state import Label


@dataclass(frozen=True, slots=True)
class Sample:
    """``of``: how many runs there were to choose from. ``windows``: of those that crashes fell in, the ones that the
    runs crash in; ``missed``: the others. Both are empty for runs that are in no matrix."""

    runs: tuple[tuple[Label, ...], ...]
    of: int
    windows: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def of_every_window(matrix: Matrix, number: int) -> Sample:
    """At most so many of the matrix's runs. Fewer runs than windows miss the last windows in the spec's order."""
    rows = [(window, name) for window, name in matrix.windows if matrix.rows.get(window)]
    chosen: dict[tuple[Label, ...], None] = {}
    windows: dict[str, None] = {}
    columns = [[(name, labels) for labels in _of_window(matrix, window)] for window, name in rows]
    for taken in (one for turn in zip_longest(*columns) for one in turn if one is not None):
        name, labels = taken
        if len(chosen) >= number and labels not in chosen:
            continue
        chosen[labels] = None
        windows[name] = None
    missed = tuple(name for _, name in rows if name not in windows)
    return Sample(tuple(chosen), len(matrix.runs), tuple(windows), missed)


def spaced(runs: Sequence[tuple[Label, ...]], number: int) -> Sample:
    """At most so many of the runs, evenly from the first to the last: neighbours begin alike."""
    if number >= len(runs):
        return Sample(tuple(runs), len(runs))
    return Sample(tuple(runs[at * len(runs) // number] for at in range(number)), len(runs))


def _of_window(matrix: Matrix, window: int) -> Iterator[tuple[Label, ...]]:
    """The window's runs, the shortest of each cell first, then the second of each cell."""
    cells = sorted((key, cell) for key, cell in matrix.cells.items() if key[0] == window)
    runs = [{witness.labels for witness in cell.units.values()} for _, cell in cells]
    columns = [sorted(found, key=lambda run: (len(run), str(run))) for found in runs]
    for turn in zip_longest(*columns):
        yield from (run for run in turn if run is not None)
