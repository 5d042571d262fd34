"""Why no run fits a log any further: of all that could come next, what comes nearest to the log and where it parts from
it, with the line of the spec that makes it so; and the labels that were enabled instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from checker.completing.matching import Difference, Matcher, weight
from checker.completing.noting import Decisive, Notes, NotingEvaluator, decisive
from checker.completing.typed import Incomplete, NotOfSort, typed
from checker.tracing import Tracer
from spec.evaluate import Cut, EvaluationError, NotEnabled
from spec.grains import alone
from spec.state import Label, Message, State
from spec.system import NetworkKind, Place, StorageMode, System
from spec.values import cached_domain
from traces.partial import PartialState
from traces.values import Map

SHOWN = 3
"""How many of the labels that were enabled instead are told."""

STATES_ASKED = 500
"""Of how many of the states that fit so far the next steps are looked at."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The label is enabled, but the state that it leads to is not the log's. ``place``: the assignment or the send that
    made the first of the differing values what it is; ``None``: no statement of the step did."""

    label: Label | None
    differences: tuple[Difference, ...]
    place: Place | None


@dataclass(frozen=True, slots=True)
class Disabled:
    """The label cannot be taken. ``conjunct``: the part of a `require` that is false; else ``reason``: what lacks."""

    label: Label
    reason: str
    conjunct: Decisive | None


@dataclass(frozen=True, slots=True)
class Bounded:
    """A bound of the model cuts the label. ``place``: where the value was stored, or the constraint stands."""

    label: Label
    bound: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Failing:
    """The evaluation of the label fails: the spec has no meaning there."""

    label: Label
    message: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Impossible:
    """No label of the spec is what the log says, in no state: ``reason``."""

    reason: str


Reason = Differs | Disabled | Bounded | Failing | Impossible


@dataclass(frozen=True, slots=True)
class Near:
    """A label that was enabled. ``of_label``, ``of_state``: what in it, and in the state after it, is not the log's."""

    label: Label
    of_label: tuple[Difference, ...]
    of_state: tuple[Difference, ...]

    @property
    def distance(self) -> int:
        return weight(self.of_label) + weight(self.of_state)


@dataclass(frozen=True, slots=True)
class Explained:
    """``state``: the one of those that fit so far that the reason is about. ``asked``: how many were looked at."""

    reason: Reason
    state: State | None
    nearest: tuple[Near, ...]
    asked: int


class Explainer:
    """Explains refusals under one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.noting = NotingEvaluator(system)
        self.evaluator = self.noting.evaluator
        self.tracer = Tracer(self.evaluator)
        self.matcher = Matcher(system.network.kind is NetworkKind.FIFO)

    def of_start(self, known: PartialState, states: Sequence[State]) -> Explained:
        """Why no run comes to the log's first state. ``states``: where it could start (with a gap: after it)."""
        found = [self._differs(None, known, state, None) for state in states[:STATES_ASKED]]
        return Explained(min(found, key=lambda reason: weight(reason.differences)), None, (), len(found))

    def of_step(self, known: PartialState, states: Sequence[State]) -> Explained:
        """Why no label leads from one of these states to what is known of the next one."""
        reasons: list[tuple[tuple[int, int], int, Reason, State]] = []
        nearest: dict[Label, Near] = {}
        for state in states[:STATES_ASKED]:
            for label in self._conceivable(state, known):
                reason = self._reason(label, known, state)
                reasons.append((_rank(reason), len(reasons), reason, state))
            for label, near in self._enabled(state, known):
                if label not in nearest or near.distance < nearest[label].distance:
                    nearest[label] = near
        best = sorted(nearest.values(), key=lambda near: near.distance)
        asked = min(len(states), STATES_ASKED)
        if not reasons:
            return Explained(Impossible(self._no_label(known)), states[0], tuple(best[:SHOWN]), asked)
        _, _, reason, state = min(reasons, key=lambda found: found[:2])
        others = [near for near in best if not (isinstance(reason, Differs) and near.label == reason.label)]
        return Explained(reason, state, tuple(others[:SHOWN]), asked)

    # ------------------------------------------------------------------------------------- one label's fate

    def _reason(self, label: Label, known: PartialState, state: State) -> Reason:
        try:
            after, notes = self.noting.step(state, label)
        except NotEnabled as error:
            refusing = self.noting.notes.refusing
            if refusing is None:
                return Disabled(label, error.reason, None)
            statement, frame = refusing
            part = decisive(self.noting.compile, statement.condition, frame, statement.place)
            return Disabled(label, "", part)
        except Cut as cut:
            place = self.noting.notes.cutting or self._constraint(cut.bound)
            return Bounded(label, cut.bound, place)
        except EvaluationError as error:
            return Failing(label, error.message, error.place)
        return self._differs(label, known, after, notes)

    def _constraint(self, bound: str) -> Place | None:
        return next((p.place for p in self.system.constraints if bound == f"constraint {p.name}"), None)

    def _differs(self, label: Label | None, known: PartialState, state: State, notes: Notes | None) -> Differs:
        found = tuple(self.matcher.state(known, self.tracer.variables(state)))
        assert found or label is None, "a state that fits was not found"
        place = self._cause(found[0], label, notes) if found and label is not None and notes is not None else None
        return Differs(label, found, place)

    def _cause(self, difference: Difference, label: Label, notes: Notes) -> Place | None:
        """The statement that made the value what it is."""
        path = difference.path
        if path[0] in ("network", "outbox"):
            found = difference.found if isinstance(difference.found, tuple) else ()
            new = [entry.get("message", entry) for entry in found if isinstance(entry, Map)]
            sent = [(self.tracer.label(Label("", None, (), message)).message, place) for message, place in notes.sent]
            return next((place for message, place in sent if message is not None and message.flat in new), None)
        if len(path) > 1 and path[1] in self.evaluator.index and path[1] != label.process:
            return None
        names = set(path[2:]) if path[0] in ("disk", "pending") else set(path[:2])
        return next((place for variable, place in reversed(notes.assigned) if variable in names), None)

    # --------------------------------------------------------------------------------------- what could come

    def _enabled(self, state: State, known: PartialState) -> Iterator[tuple[Label, Near]]:
        for rule in alone(self.system):
            for label in self.evaluator.candidates_of(state, rule):
                try:
                    after = self.evaluator.successor(state, label)
                except (NotEnabled, Cut, EvaluationError):
                    continue
                of_label = tuple(self.matcher.label(known, self.tracer.label(label)))
                of_state = tuple(self.matcher.state(known, self.tracer.variables(after)))
                yield label, Near(label, of_label, of_state)

    def _conceivable(self, state: State, known: PartialState) -> Iterator[Label]:
        """The labels that the log allows, be they enabled or not."""
        rules = alone(self.system) if known.rule is None else (known.rule,)
        for rule in rules:
            for label in self._labels(rule, state, known):
                if self.matcher.label_fits(known, self.tracer.label(label)):
                    yield label

    def _labels(self, rule: str, state: State, known: PartialState) -> Iterator[Label]:
        processes = self.evaluator.processes
        match rule:
            case "flush" | "restart":
                yield from (Label(rule, process) for process in processes)
            case "crash":
                buffered = self.system.storage is StorageMode.BUFFERED
                keeps = range(max(map(len, state.pending), default=0) + 1)
                known_keep = known.picks.get("keep")
                more = [known_keep] if isinstance(known_keep, int) and known_keep not in keeps else []
                for process in processes:
                    yield from (Label(rule, process, (n,)) for n in (*keeps, *more) if buffered)
                    yield from () if buffered else (Label(rule, process),)
            case "drop" | "duplicate":
                yield from (Label(rule, None, (), message) for message in self._messages(state, known))
            case _:
                yield from self._rule_labels(rule, state, known)

    def _rule_labels(self, name: str, state: State, known: PartialState) -> Iterator[Label]:
        for rule in (rule for rule in self.system.rules if rule.name == name):
            choices = list(product(*(cached_domain(parameter.sort) for parameter in rule.parameters)))
            if rule.message is not None:
                messages = [m for m in self._messages(state, known) if m[0] == rule.message.name]
                yield from (Label(name, m[2], choice, m) for m in messages for choice in choices)
            else:
                processes = (None,) if rule.kind is None else self.system.kind(rule.kind).sort.elements
                yield from (Label(name, process, choice) for process in processes for choice in choices)

    def _messages(self, state: State, known: PartialState) -> list[Message]:
        """Those in the network, and the log's if it is known in full."""
        messages = dict.fromkeys(message for message, _ in sorted(state.network, key=repr))
        given = known.picks.get("message")
        for sort in self.system.messages:
            if isinstance(given, Map) and given.get("type") == sort.name:
                try:
                    messages[typed(sort, given)] = None
                except (NotOfSort, Incomplete):
                    continue
        return list(messages)

    def _no_label(self, known: PartialState) -> str:
        takes_message = {rule.name for rule in self.system.rules if rule.message is not None} | {"drop", "duplicate"}
        if "message" in known.picks or known.rule in takes_message:
            return "the network has no message that the log's can be"
        return "no label of the spec has these choices" if known.picks else "nothing is enabled"


def _rank(reason: Reason) -> tuple[int, int]:
    """What comes nearest first: an enabled label by how much differs, then what a bound or the spec refuses."""
    match reason:
        case Differs():
            return (0, weight(reason.differences))
        case Bounded():
            return (1, 0)
        case Failing():
            return (2, 0)
        case Disabled():
            return (3, 0 if reason.conjunct is not None else 1)
        case Impossible():
            return (4, 0)

