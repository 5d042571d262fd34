"""Is each conjunct of a proof needed? Left out in its turn, it breaks another one, at some label; or it is redundant.

A conjunct is asked about only where one that was shown leant on it (see ``consecution.py``), and only until the first
part of the proof that breaks: the likeliest first, which is where the fewest conjuncts sufficed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from checker.parallel import chunks, spread
from checker.symbolic.consecution import Without, without
from checker.symbolic.induction import Broken, Case, Obligations, Verdict
from checker.symbolic.watch import Asked, Watch

AT_ONCE = 4
"""Conjuncts asked about in one piece of work: its circuit is built for them once."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What comes of leaving a conjunct out. ``broken``: by a label of ``case`` (None: it does not follow); None: it
    is redundant, unless ``unknown`` says why that is not known."""

    conjunct: str
    broken: Broken | None = None
    case: Case | None = None
    unknown: str | None = None


def removals(
    of: Obligations, proved: Sequence[Verdict], workers: int, watch: Callable[[], Watch], asked: list[Asked]
) -> Iterator[Removal]:
    """Of each conjunct, in the order in which they are decided. ``proved``: the parts of the proof with all of them.
    ``asked`` is told what z3 was."""
    todo = {p.name: _parts_that_lean_on(p.name, proved) for p in of.conjuncts}
    unknown: dict[str, str] = {}

    def work(piece: tuple[int, Sequence[str]]) -> tuple[int, list[Without], list[Asked]]:
        part, conjuncts = piece
        watching = watch()
        return part, without(of, proved[part], conjuncts, watching), watching.asked

    while todo:
        for name in [name for name, parts in todo.items() if not parts]:
            del todo[name]
            yield Removal(name, unknown=unknown.get(name))
        next_: dict[int, list[str]] = {}
        for name, parts in todo.items():
            next_.setdefault(parts.pop(0), []).append(name)
        pieces = [(part, piece) for part, names in next_.items() for piece in chunks(names, AT_ONCE)]
        for part, found, questions in spread(work, pieces, workers):
            asked += questions
            for one in found:
                if one.unknown is not None:
                    unknown.setdefault(one.conjunct, one.unknown)
                if one.broken is not None:
                    del todo[one.conjunct]
                    yield Removal(one.conjunct, one.broken, proved[part].case)


def _parts_that_lean_on(conjunct: str, proved: Sequence[Verdict]) -> list[int]:
    found: list[tuple[int, int]] = []
    for part, verdict in enumerate(proved):
        cores = [len(core) for name, core in verdict.leans_on.items() if conjunct in core and name != conjunct]
        if cores:
            found.append((min(cores), part))
    return [part for _, part in sorted(found)]
