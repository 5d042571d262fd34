"""Are the inductive conjuncts inductive? One label at a time, from an arbitrary state in which all of them hold.

A *case* is a kind of label with the process that acts (of a set that may be permuted, one element stands for all) and,
where a message is received, its type. The state before has room for the messages that can matter: the
one that the label picks, and the witnesses of what is to be refuted. That suffices: a violation in a state with more
messages is one in the state without them, for there all conjuncts still hold (they speak of every message, see
``polarity.py``), the same label is enabled, and its target has the same variables.

By *k-induction* the conjuncts hold in k states in a row, and the label of the case follows the last of them; the
first has room for a message for each of the k labels. That they hold in the first k states of every run is then asked
on its own (the base).

Budgets, ``max_in_flight`` and ``max_copies`` do not bound a proof: what holds without them holds within them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from checker.explicit.symmetry import Symmetry, symmetry_of
from checker.symbolic.arbitrary import Place
from checker.symbolic.check import Violation, check
from checker.symbolic.choices import Kind, label_kinds
from checker.symbolic.circuit import Bit, Circuit
from checker.symbolic.depths import NoneWithin, Unknown
from checker.symbolic.errors import NotEncodable
from checker.symbolic.expressions import Frame
from checker.symbolic.polarity import Witnesses, mentions_messages, refuse_lost, witnesses
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.watch import Asked, Watch
from spec.evaluate import EvaluationError, Evaluator
from spec.state import Label, State
from spec.system import NetworkKind, Property, StorageMode, System


@dataclass(frozen=True, slots=True)
class Case:
    """``process``: who acts (None: no process, as in a loss). ``message``: the type
    of the message that is received."""

    kind: Kind
    process: str | None
    message: str | None

    @property
    def rule(self) -> str:
        return self.kind.name

    def __str__(self) -> str:
        return "-".join(part for part in (self.kind.name, self.process, self.message) if part is not None)


@dataclass(frozen=True, slots=True)
class Broken:
    """Two states and a label: every conjunct holds before (and after, of an action invariant), ``property`` is false
    after. ``property`` None: the evaluation of the label fails. ``label`` None: ``property`` is false in ``before``,
    which is the start, or a state in which all conjuncts hold. ``run``: of k-induction, the states that lead to
    ``before``, each with the label that follows it. Whether the first state can be reached is not known."""

    property: str | None
    message: str
    before: State
    label: Label | None
    after: State | None
    run: tuple[tuple[State, Label], ...] = ()

    def first(self) -> State:
        return self.run[0][0] if self.run else self.before


@dataclass(slots=True)
class Verdict:
    """Of one case, or of the implication (None): what is broken; that no state has such a label (``contradictory``);
    what z3 did not answer, and what it was asked. ``leans_on``: each property that was shown (None: that no evaluation
    fails), with the conjuncts that sufficed."""

    case: Case | None
    broken: list[Broken]
    leans_on: dict[str | None, frozenset[str]] = field(default_factory=dict)
    contradictory: bool = False
    unknown: str | None = None
    seconds: float = 0.0
    asked: tuple[Asked, ...] = ()


def unbounded(system: System, length: int = 1) -> System:
    """The system without the bounds that are no part of a proof of ``length`` labels, but for what is allowed never.
    Raises NotEncodable for what none can be made of."""
    if system.network.kind is NetworkKind.FIFO:
        raise NotEncodable(
            "`network fifo`: a message's place depends on the others; write a bag or a set for the proof"
        )
    if (
        system.storage is StorageMode.BUFFERED
        and system.bounds.pending is None
        and any(kind.has_storage for kind in system.kinds)
    ):
        raise NotEncodable("with buffered storage the model must say `max_pending = N`: how many records wait at most")
    for rule in system.rules:
        if mentions_messages(rule.body):
            raise NotEncodable(f"{rule.name}: a ghost looks into the network or an outbox, which a proof does not know")
    for kind in system.kinds:
        if mentions_messages(kind.on_flush):
            raise NotEncodable(f"on flush of {kind.name}: a ghost looks into the network or an outbox")
    bounds = system.bounds

    def enough(limit: int | None) -> int | None:
        return limit and max(limit, length)

    return replace(
        system,
        bounds=replace(
            bounds,
            crashes=bounds.crashes and max(bounds.crashes, length),
            drops=enough(bounds.drops),
            duplicates=enough(bounds.duplicates),
            retries=enough(bounds.retries),
            in_flight=None,
            copies=None,
        ),
    )


class Obligations:
    """What is assumed of a state, and what is to be shown of the next: of one system, for every case.

    ``only``: one conjunct, invariant or action invariant to be shown. ``length``: of how many states in a row the
    conjuncts are assumed. ``unasked``: properties that z3 cannot be asked about, with the reason.
    """

    def __init__(
        self, system: System, start: State, assumed: Sequence[Property], only: str | None = None, length: int = 1
    ) -> None:
        self.system = unbounded(system, length)
        self.length = length
        self.shape = Shape(self.system)
        self.evaluator = Evaluator(self.system)
        self.start = start
        self.conjuncts = tuple(assumed)
        self.shown = [p for p in assumed if only in (None, p.name)]
        self.invariants = [p for p in system.invariants if only in (None, p.name)]
        self.actions = [p for p in system.action_invariants if only in (None, p.name)]
        self.unasked: dict[str, str] = {}
        self.symmetry: Symmetry = symmetry_of(replace(self.system, invariants=(*system.invariants, *assumed)))
        for conjunct in self.conjuncts:
            refuse_lost(f"inductive {conjunct.name}", conjunct.expr)
        for constraint in system.constraints:
            refuse_lost(f"constraint {constraint.name}", constraint.expr)
        self.room = self._room()

    def _room(self) -> tuple[Place, ...]:
        """For the witnesses of any one violation."""
        needed: Witnesses = Counter()
        for conjunct in self.conjuncts:
            try:
                needed |= witnesses(conjunct.expr, False)
            except NotEncodable as reason:
                raise NotEncodable(f"inductive {conjunct.name}: {reason}") from reason
        for property_ in (*self.invariants, *self.actions):
            try:
                needed |= witnesses(property_.expr, False)
            except NotEncodable as reason:
                self.unasked[property_.name] = str(reason)
        self.invariants = [p for p in self.invariants if p.name not in self.unasked]
        self.actions = [p for p in self.actions if p.name not in self.unasked]
        return tuple(Place(message) for message, count in needed.items() for _ in range(count))

    # ---------------------------------------------------------------------------------------- the cases

    def cases(self) -> Iterator[Case]:
        """In the order of the labels; together they are every label, up to symmetry."""
        for kind in label_kinds(self.shape):
            if kind.rule is not None and kind.rule.message is not None:
                for process in self._acting(kind):
                    yield Case(kind, process, kind.rule.message.name)
            elif kind.uses_message:
                yield Case(kind, None, None)  # the fate of a message is the same whatever its type
            elif kind.uses_process:
                yield from (Case(kind, process, None) for process in self._acting(kind))
            else:
                yield Case(kind, None, None)

    def _acting(self, kind: Kind) -> Iterator[str]:
        """One process for all that are alike."""
        for of in self.system.kinds:
            if kind.rule is not None:
                able = kind.rule.kind == of.name
            else:
                able = of.has_storage if kind.name == "flush" else of.crashes
            if able:
                alike = any(sort.name == of.sort.name for sort in self.symmetry.sets)
                yield from of.sort.elements[:1] if alike else of.sort.elements

    def places(self, case: Case) -> tuple[Place, ...]:
        earlier = (Place(None),) * (self.length - 1 if self.system.messages else 0)
        if not case.kind.uses_message:
            return (*earlier, *self.room)
        picked = Place(case.message, case.process, certain=self.length == 1)  # or it is sent on the way
        return (picked, *earlier, *self.room)

    # ------------------------------------------------------------------------------------------- states

    def within(self, c: Circuit, state: SymbolicState) -> list[Bit]:
        """The constraints, if the start is within them: none is left afterwards."""
        return [holds(c, self.shape, state, p) for p in self.system.constraints if self.holds(p, self.start)]

    def holds(self, property_: Property, state: State) -> bool:
        """For the evaluator; an evaluation that fails is no yes."""
        try:
            return self.evaluator.holds(self.evaluator.compile(property_.expr), state)
        except EvaluationError:
            return False

    def initiation(self) -> list[Broken]:
        """The conjuncts that are false where the system starts."""
        false = (p for p in self.shown if not self.holds(p, self.start))
        return [Broken(p.name, f"{p.name} is false in the initial state", self.start, None, None) for p in false]

    def base(self, watch: Watch) -> Violation | NoneWithin | Unknown:
        """A shortest run of fewer labels than the length that ends where a conjunct is false, or breaks an action
        invariant, or fails."""
        system = replace(self.system, invariants=tuple(self.shown), action_invariants=tuple(self.actions))
        return check(system, self.length - 1, start=self.start, watch=watch)


def holds(c: Circuit, shape: Shape, state: SymbolicState, property_: Property) -> Bit:
    """Whether the property can be evaluated and is true."""
    frame = Frame(c, shape, state)
    value = frame.boolean(property_.expr)
    return c.conjunction(value, frame.error ^ 1)
