"""The state graph in native code, for liveness: every state expanded again, its edges kept as numbers.

States are known by their words, as bytes, without symmetry: which process is served is the question here. Triggers and
goals are compiled as goals of a system of their own. What is found is told and confirmed by the evaluator.
"""

from __future__ import annotations

import ctypes
from array import array
from dataclasses import replace
from pathlib import Path

from checker.explicit.compile import Compiled, compiled
from checker.explicit.context import CAPACITIES, COUNTERS, CUTS, OUT
from checker.explicit.emit_properties import MOST_PROPERTIES
from checker.explicit.errors import Disagreement, DoesNotFit, NotEncodable
from checker.explicit.steps import Steps
from checker.explicit.worker import Returned
from spec.evaluate import Evaluator
from spec.graph import NO_GROUP, Graph, Groups, Tick, cut_groups, way_to
from spec.liveness import (
    Judged,
    Obligation,
    groups_of,
    labels_along,
    obligations,
    pending_of,
    pulse_of,
    refuted,
    told,
)
from spec.state import State
from spec.system import Eventually, Property, System
from spec.values import EvaluationError

ROUND = 1024
"""How many states are expanded between two looks at the clock."""


def judge(
    system: System,
    start: State,
    properties: tuple[Eventually, ...],
    tick: Tick | None = None,
    cache: Path | None = None,
) -> Judged:
    """As :func:`spec.liveness.judge`. Raises NotEncodable and Disagreement, too."""
    owed = obligations(properties)
    capacity = None
    while True:
        code = compiled(_with_goals(system, owed), capacity, cache)
        try:
            return _Unfolding(code, Evaluator(system), groups_of(properties)).judge(start, owed, tick)
        except DoesNotFit as full:
            capacity = code.layout.capacity.grown(full.what)


def _with_goals(system: System, owed: tuple[Obligation, ...]) -> System:
    """The system whose goals are all that an obligation is about: first the goal of each, then the triggers."""
    goals = [o.goal for o in owed] + [o.trigger for o in owed if o.trigger is not None]
    if len(goals) > MOST_PROPERTIES:
        raise NotEncodable(
            f"liveness with {len(owed)} combinations of parameters at once; ask for one property (--property), with "
            "smaller sets, or take --engine reference"
        )
    sometimes = tuple(Property(str(number), goal) for number, goal in enumerate(goals))
    return replace(system, invariants=(), action_invariants=(), sometimes=sometimes)


class _Unfolding:
    """The graph from a state. ``keys``: the words of each state; ``truth``: a mask of goals for each."""

    def __init__(self, code: Compiled, evaluator: Evaluator, groups: Groups) -> None:
        self.code, self.evaluator, self.groups = code, evaluator, groups
        self.steps = Steps(code)
        self.layout = code.layout
        self.graph = Graph(self._cut)
        self.keys: list[bytes] = []
        self.truth: list[int] = []
        self._state = (ctypes.c_int64 * self.layout.words)()
        self._buffer = (ctypes.c_int64 * (code.most * (self.layout.words + 1)))()
        self._context = (ctypes.c_int64 * code.context_words)()
        rules = self.layout.system.rules
        self._fair = [name in groups.rules for name in code.kinds]
        # Whose labels are told apart by a message, which only the state knows.
        self._on_messages = [
            rules[which].message is not None if which < len(rules) else name in ("drop", "duplicate")
            for which, name in enumerate(code.kinds)
        ]
        self._known: dict[tuple[int, int], int] = {}

    # ------------------------------------------------------------------------------------- unfolding

    def unfold(self, start: State, tick: Tick | None) -> None:
        graph, keys, size = self.graph, self.keys, 8 * self.layout.words
        first = array("q", self.layout.encode(start)).tobytes()
        number = {first: 0}
        keys.append(first)
        address, context = ctypes.addressof(self._state), self._context
        wanted = (1 << len(self.layout.system.sometimes)) - 1
        step = size + 8
        for at, key in enumerate(keys):  # which grows
            if tick is not None and at % ROUND == 0:
                tick(at, len(keys))
            found = self._fire(key)
            edges = []
            for offset in range(0, len(found), step):
                after = found[offset + 8 : offset + step]
                target = number.setdefault(after, len(keys))
                if target == len(keys):
                    keys.append(after)
                edges.append((self._group(key, int.from_bytes(found[offset : offset + 8], "little")), target))
            graph.add(edges, context[CUTS] != 0)
            ctypes.memmove(address, key, size)
            self.truth.append(self.code.see_goals(address, wanted))

    def _fire(self, key: bytes) -> bytes:
        """The label word and the words of each successor, one after the other."""
        address, buffer = ctypes.addressof(self._state), ctypes.addressof(self._buffer)
        ctypes.memmove(address, key, len(key))
        ctypes.memset(self._context, 0, ctypes.sizeof(self._context))
        self._context[OUT] = buffer
        status = self.code.fire_all(ctypes.addressof(self._context), address)
        if status >= Returned.OVERFLOW:
            raise DoesNotFit(CAPACITIES[status - Returned.OVERFLOW])
        if status == Returned.ERROR:
            self.evaluator.transitions(self.decoded(key))
            raise Disagreement("the evaluator can evaluate each label of a state in which the native code cannot")
        return ctypes.string_at(buffer, self._context[OUT] - buffer)

    def _group(self, key: bytes, label: int) -> int:
        which = label & 0xFFFF
        if not self._fair[which]:
            return NO_GROUP
        about = self._message(key, label >> 32) if self._on_messages[which] else label
        known = self._known.get((which, about))
        if known is None:
            known = self.groups.of(self.steps.label(self._words(key), label))
            self._known[which, about] = known
        return known

    def _message(self, key: bytes, slot: int) -> int:
        """A message's type, source and destination, as they stand in the state."""
        return self.layout.pool(self._words(key))[slot][0] >> self.layout.tag_shift

    def _cut(self, state: int) -> int:
        """The groups of the labels that a bound cut; which labels these are, only the evaluator tells."""
        self._fire(self.keys[state])
        rules = {name.partition(":")[0] for i, name in enumerate(self.code.cuts) if self._context[COUNTERS + i]}
        return cut_groups(self.evaluator, self.decoded(self.keys[state]), self.groups, rules & self.groups.rules)

    def _words(self, key: bytes) -> tuple[int, ...]:
        return tuple(array("q", key))

    def decoded(self, key: bytes) -> State:
        return self.layout.decode(self._words(key))

    # -------------------------------------------------------------------------------------- judging

    def judge(self, start: State, owed: tuple[Obligation, ...], tick: Tick | None) -> Judged:
        self.unfold(start, tick)
        if -1 in self.truth:
            self._fail(start, owed, self.truth.index(-1))
        found, pulse = [], pulse_of(self.graph, tick)
        triggers = iter(range(len(owed), len(self.layout.system.sometimes)))
        for number, obligation in enumerate(owed):
            triggered = None if obligation.trigger is None else self._holds(next(triggers))
            pending = pending_of(triggered, self._holds(number))
            answer = refuted(self.graph, self.groups, obligation, pending, pulse)
            if answer is not None:
                lasso, cut = answer
                steps = self._steps(lasso.edges)
                found.append(told(self.evaluator, self.groups, start, obligation, steps, lasso.loop, cut))
        return Judged(tuple(found), self.graph.states, self.graph.edges)

    def _holds(self, goal: int) -> bytes:
        return bytes(mask >> goal & 1 for mask in self.truth)

    def _steps(self, edges: tuple[int, ...] | list[int]) -> list[tuple[int, State]]:
        """Group and target of each edge."""
        return [(self.graph.groups[edge], self.decoded(self.keys[self.graph.targets[edge]])) for edge in edges]

    def _fail(self, start: State, owed: tuple[Obligation, ...], number: int) -> None:
        """Raises the error of a goal's or a trigger's evaluation."""
        state = self.decoded(self.keys[number])
        try:
            for obligation in owed:
                for expr in (obligation.trigger, obligation.goal):
                    if expr is not None:
                        self.evaluator.holds(self.evaluator.compile(expr), state)
        except EvaluationError as error:
            steps = self._steps(way_to(self.graph, number))
            error.labels = labels_along(self.evaluator, self.groups, start, steps)
            raise
        raise Disagreement("the evaluator can evaluate what `eventually` is about")
