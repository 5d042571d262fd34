"""Through a log with all the states that fit so far: each is stepped by the evaluator with every label that the log
allows, and what does not fit what is known of the next state is left behind.

Where a log knows much, few states fit. That none is left proves that no run fits the log up to there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checker.completing.matching import Matcher
from checker.progress import Progress
from checker.tracing import Tracer
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
from spec.grains import alone
from spec.state import Label, State
from spec.system import NetworkKind
from traces.partial import PartialState, PartialTrace

LABELS_BETWEEN_REPORTS = 64


class TooWide(Exception):
    """More states fit than are to be stepped one by one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a state was come to: from a state that fits the one before in the log, by these labels."""

    before: State | None
    labels: tuple[Label, ...]


Layer = dict[State, Origin]
"""All states that fit the log up to one of its states, each with one way there."""


class Frontier:
    """``layers[i]``: the states that fit the log up to its state i; of the last not all, unless ``counted``.
    ``widest``: the states that one may have at most. ``gap_searched``: of how many labels, at most, all ways through
    the gap before the next state have been taken; ``None``: the search is not in a gap. ``longest_gap``: how many
    labels are taken where any number may be missing; ``cut``: there were more."""

    def __init__(
        self,
        evaluator: Evaluator,
        log: PartialTrace,
        progress: Progress,
        widest: int | None = None,
        longest_gap: int | None = None,
    ) -> None:
        self.evaluator, self.log, self.progress, self.widest = evaluator, log, progress, widest
        self.longest_gap, self.cut = longest_gap, False
        self.tracer = Tracer(evaluator)
        self.matcher = Matcher(evaluator.system.network.kind is NetworkKind.FIFO)
        self.rules = alone(evaluator.system)
        self.names = {*self.rules, *(rule.name for rule in evaluator.system.rules), "restart"}
        self.layers: list[Layer] = []
        self.before_label: Layer = {}
        self.labels_tried = 0
        self.counted = True
        self.gap_searched: int | None = None

    def advance(self) -> bool:
        """One state of the log further; whether any state fits. Raises TooWide, OutOfTime."""
        known = self.log.states[len(self.layers)]
        if self.layers:
            # What led here is the past of the layer before; within a gap, ways begin there.
            start: Layer = {state: Origin(state, ()) for state in self.layers[-1]}
        else:
            start = {state: Origin(None, ()) for state in self.evaluator.initial_states()}
        found = self._through_gap(start, known)
        if not found:
            found = self._fitting(known)
        if found:
            self.layers.append(found)
        return bool(found)

    def _fitting(self, known: PartialState) -> Layer:
        """Of what leads from before the state's label to it, all that fits; the initial state has no label."""
        if not self.layers:
            return {state: origin for state, origin in self.before_label.items() if self._fits(known, state)}
        found: Layer = {}
        for state, origin in self.before_label.items():
            for label, after in self.steps(state, known):
                if after not in found and self._fits(known, after):
                    found[after] = Origin(origin.before, (*origin.labels, label))
                    self._limit(found)
        return found

    def steps(self, state: State, known: PartialState) -> Iterator[tuple[Label, State]]:
        """The enabled labels of a state that fit the log's label, each with its successor."""
        for label in self._labels(state, known):
            self.labels_tried += 1
            if self.labels_tried % LABELS_BETWEEN_REPORTS == 0:
                self._report()
            try:
                yield label, self.evaluator.successor(state, label)
            except (NotEnabled, Cut, EvaluationError):  # a step whose evaluation fails leads nowhere
                continue

    def _report(self) -> None:
        """Raises OutOfTime. Of a gap nobody knows how much is left."""
        states, number, last = len(self.before_label), len(self.layers), len(self.log.states) - 1
        if self.gap_searched is None:
            self.progress(number, f"{states:,} state{'s fit' if states != 1 else ' fits'} so far")
            return
        gap = f"the gap before state {number} of {last}: {self.gap_searched} labels searched in full"
        self.progress.tell(lambda: f"complete: {gap}, {states:,} states, {self.progress.seconds:.0f} s so far")

    def way_to(self, state: State, layers: int) -> tuple[list[int], tuple[Label, ...]]:
        """A run to a state that fits the log's first states, so many: its labels, and after how many of them each of
        the log's states is come to."""
        labels: list[tuple[Label, ...]] = []
        at: State | None = state
        for layer in reversed(self.layers[:layers]):
            assert at is not None
            labels.append(layer[at].labels)
            at = layer[at].before
        positions: list[int] = []
        run: list[Label] = []
        for part in reversed(labels):
            run += part
            positions.append(len(run))
        return positions, tuple(run)

    def _labels(self, state: State, known: PartialState) -> Iterator[Label]:
        """A model's run takes nothing that the model forbids; but a log may name it, as a script may."""
        if known.rule is not None and known.rule not in self.names:
            return
        for rule in self.rules if known.rule is None else (known.rule,):
            for label in self.evaluator.candidates_of(state, rule):
                if not known.picks or self.matcher.label_fits(known, self.tracer.label(label)):
                    yield label

    def _fits(self, known: PartialState, state: State) -> bool:
        return self.matcher.state_fits(known, self.tracer.variables(state))

    def _through_gap(self, start: Layer, known: PartialState) -> Layer:
        """Puts into ``before_label`` all states that the missing labels lead to, breadth first: no shorter way is left
        out. After the log's last state nothing more is asked, so one that fits it ends the search, and is returned."""
        found = self.before_label = dict(start)
        level, nothing, gap = list(start), PartialState(), self.longest_gap if known.gap is None else known.gap
        ends = len(self.layers) == len(self.log.states) - 1 and known.gap != 0
        self.gap_searched = None if known.gap == 0 else 0
        while level and (gap is None or gap > 0):
            following = []
            for state in level:
                origin = found[state]
                if ends and (known.rule is not None or known.picks):
                    for label, after in self.steps(state, known):
                        if self.layers and self._fits(known, after):
                            return self._one(after, Origin(origin.before, (*origin.labels, label)))
                for label, after in self.steps(state, nothing):
                    if after not in found:
                        found[after] = Origin(origin.before, (*origin.labels, label))
                        if ends and known.rule is None and not known.picks and self._fits(known, after):
                            return self._one(after, found[after])  # the last of these labels is the state's own
                        following.append(after)
                        self._limit(found)
            level = following
            gap = None if gap is None else gap - 1
            assert self.gap_searched is not None
            self.gap_searched += 1
        self.cut |= known.gap is None and bool(level)
        self.gap_searched = None
        return {}

    def _one(self, state: State, origin: Origin) -> Layer:
        self.counted = False
        return {state: origin}

    def _limit(self, layer: Layer) -> None:
        if self.widest is not None and len(layer) > self.widest:
            raise TooWide
