"""Breadth-first search for a sequence of goals over given transitions: states with other goals met are others.

Plain and exhaustive within its bounds, in Python: the oracle of the symbolic engine, and how the explicit engine's
compiled transitions are asked for more than one condition of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from spec.evaluate import EvaluationError
from spec.goals import Monitor, Progress
from spec.state import Label, State

Node: TypeAlias = tuple[State, Progress]

Tick: TypeAlias = Callable[[int, int], None]
"""Called now and then with (depth, number of nodes so far); raises what is to end the search."""


@dataclass(frozen=True, slots=True)
class GoalsSought:
    """``labels``: a shortest run that meets all goals; ``None``: there is none of at most ``depth`` labels.
    ``complete``: nor a longer one. ``nodes``: states, each as often as it comes with other goals met."""

    labels: tuple[Label, ...] | None
    depth: int
    nodes: int
    complete: bool = False


def seek_goals(
    monitor: Monitor,
    start: State,
    max_steps: int | None,
    transitions: Callable[[State], Iterable[tuple[Label, State]]],
    tick: Tick = lambda depth, nodes: None,
) -> GoalsSought:
    """Raises EvaluationError, with the labels from the start, where a label or an awaited goal has no meaning."""
    first = (start, monitor.start(start))
    reached_by: dict[Node, tuple[Node, Label] | None] = {first: None}
    if monitor.is_done(first[1]):
        return GoalsSought((), 0, 1)
    level, depth = [first], 0
    while level and depth != max_steps:
        following: list[Node] = []
        for position, node in enumerate(level):
            if position % 64 == 0:
                tick(depth, len(reached_by))
            state, progress = node
            try:
                for label, after in transitions(state):
                    try:
                        then = (after, monitor.after(progress, state, label, after))
                    except EvaluationError as error:
                        error.labels = (label,)
                        raise
                    if then not in reached_by:
                        reached_by[then] = (node, label)
                        following.append(then)
                        if monitor.is_done(then[1]):
                            return GoalsSought(_run_to(reached_by, then), depth + 1, len(reached_by))
            except EvaluationError as error:
                error.labels = (*_run_to(reached_by, node), *error.labels)
                raise
        level, depth = following, depth + 1
    return GoalsSought(None, depth if level else depth - 1, len(reached_by), complete=not level)


def _run_to(reached_by: dict[Node, tuple[Node, Label] | None], node: Node) -> tuple[Label, ...]:
    labels: list[Label] = []
    step = reached_by[node]
    while step is not None:
        node, label = step
        labels.append(label)
        step = reached_by[node]
    return tuple(reversed(labels))
