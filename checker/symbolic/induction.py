"""Are the inductive conjuncts inductive? One label at a time, from an arbitrary state in which all of them hold.

A *case* is a kind of label with the process that acts (of a set that may be permuted, one element stands for all) and,
where a message is received, its type. The state before has room for the messages that can matter: the
one that the label picks, and the witnesses of what is to be refuted. That suffices: a violation in a state with more
messages is one in the state without them, for there all conjuncts still hold (they speak of every message, see
``polarity.py``), the same label is enabled, and its target has the same variables.

Budgets, ``max_in_flight`` and ``max_copies`` do not bound a proof: what holds without them holds within them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from checker.explicit.symmetry import Symmetry, symmetry_of
from checker.symbolic.arbitrary import Place, arbitrary_state
from checker.symbolic.choices import Given, Kind, label_kinds
from checker.symbolic.circuit import FALSE, Bit, Circuit, Gate
from checker.symbolic.decode import read_state, reader, state_bits
from checker.symbolic.errors import EnginesDisagree, GaveUp, NotEncodable
from checker.symbolic.expressions import Frame
from checker.symbolic.polarity import Witnesses, mentions_messages, refuse_lost, witnesses
from checker.symbolic.solve import Solver
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.transition import Step, step
from checker.symbolic.watch import Asked, Query, Watch
from spec.evaluate import Cut, EvaluationError, Evaluator, NotEnabled
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
    which is the start, or a state in which all conjuncts hold. Whether that can be reached is not known."""

    property: str | None
    message: str
    before: State
    label: Label | None
    after: State | None


@dataclass(slots=True)
class Verdict:
    """Of one case: what is broken; that no state has such a label (``contradictory``); what z3 did not answer, and what
    it was asked."""

    case: Case | None
    broken: list[Broken]
    contradictory: bool = False
    unknown: str | None = None
    seconds: float = 0.0
    asked: tuple[Asked, ...] = ()


def unbounded(system: System) -> System:
    """The system without the bounds that are no part of a proof. Raises NotEncodable for what none can be made of."""
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
    return replace(system, bounds=replace(system.bounds, in_flight=None, copies=None))


class Obligations:
    """What is assumed of a state, and what is to be shown of the next: of one system, for every case.

    ``only``: one conjunct, invariant or action invariant to be shown. ``unasked``: properties that z3 cannot be asked
    about, with the reason.
    """

    def __init__(self, system: System, start: State, assumed: Sequence[Property], only: str | None = None) -> None:
        self.system = unbounded(system)
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
        if not case.kind.uses_message:
            return self.room
        return (Place(case.message, case.process, certain=True), *self.room)

    # ------------------------------------------------------------------------------------------- states

    def assumed(self, c: Circuit, state: SymbolicState) -> list[Bit]:
        """The conjuncts, and the constraints if the start is within them: none is left afterwards."""
        within = [p for p in self.system.constraints if self.holds(p, self.start)]
        return [holds(c, self.shape, state, p) for p in (*self.conjuncts, *within)]

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

    def implication(self, watch: Watch) -> Verdict:
        """The invariants that do not follow from the conjuncts."""
        began, c = time.monotonic(), Circuit()
        state, proper = arbitrary_state(c, self.shape, self.room)
        solver = Solver(c, watch)
        verdict = Verdict(None, [])
        try:
            for bit in (proper, *self.assumed(c, state)):
                solver.require(bit)
            for invariant in self.invariants:
                false = holds(c, self.shape, state, invariant) ^ 1
                asks = f"a state of all conjuncts in which {invariant.name} is false"
                if solver.check(false, query=Query("implication", asks, label=invariant.name)):
                    (before,) = read_states(c, self.shape, solver, (state,))
                    message = f"{invariant.name} does not follow from the conjuncts"
                    if self.holds(invariant, before) or not all(self.holds(p, before) for p in self.conjuncts):
                        raise EnginesDisagree(0, None, f"{message}, but the evaluator says otherwise")
                    verdict.broken.append(Broken(invariant.name, message, before, None, None))
        except GaveUp as reason:
            verdict.unknown = str(reason)
        verdict.seconds = time.monotonic() - began
        return verdict

    def consecution(self, case: Case, watch: Watch) -> Verdict:
        """What a label of the case breaks."""
        began = time.monotonic()
        verdict = Verdict(case, [])
        try:
            _Consecution(self, case, watch).run(verdict)
        except GaveUp as reason:
            verdict.unknown = str(reason)
        verdict.seconds = time.monotonic() - began
        return verdict


class _Consecution:
    def __init__(self, of: Obligations, case: Case, watch: Watch) -> None:
        self.of, self.case = of, case
        c = self.c = Circuit()
        self.before, proper = arbitrary_state(c, of.shape, of.places(case))
        given = Given(case.process, first_slot=case.kind.uses_message)
        self.step: Step = step(c, of.shape, self.before, (case.kind,), given)
        self.solver = Solver(c, watch)
        for bit in (proper, *of.assumed(c, self.before)):
            self.solver.require(bit)

    def run(self, verdict: Verdict) -> None:
        c, of, solver, taken = self.c, self.of, self.solver, self.step.taken
        if self.step.error != FALSE and self._can(self.step.error, "fails", "an evaluation fails"):
            verdict.broken.append(self._broken(None))
        if taken == FALSE or not self._can(taken, "possible", "there is such a label"):
            verdict.contradictory = not verdict.broken
            return
        solver.require(taken)
        after = {p: holds(c, of.shape, self.step.after, p) for p in of.conjuncts}
        for conjunct, bit in after.items():
            if conjunct in of.shown and self._can(bit ^ 1, conjunct.name, f"{conjunct.name} is false after it"):
                verdict.broken.append(self._broken(conjunct))
            elif conjunct in of.shown:
                solver.require(bit)  # a lemma for those that are shown next
        for bit in after.values() if of.actions else ():
            solver.require(bit)
        for action in of.actions:
            frame = Frame(c, of.shape, self.step.after)
            frame.old = Frame(c, of.shape, self.before)
            frame.label_is = self.step.label_is
            value = frame.boolean(action.expr)
            failed = c.disjunction(frame.error, frame.old.error)
            if self._can(c.disjunction(value ^ 1, failed), action.name, f"{action.name} is false of it"):
                verdict.broken.append(self._broken(action))

    def _can(self, bit: Bit, name: str, what: str) -> bool:
        asks = f"a {self.case.rule} from a state of all conjuncts such that {what}"
        return self.solver.check(bit, query=Query("consecution", asks, label=f"{self.case}-{name}"))

    def _broken(self, property_: Property | None) -> Broken:
        """The two states and the label of the last model, as the evaluator sees them."""
        of = self.of
        before, after = read_states(self.c, of.shape, self.solver, (self.before, self.step.after))
        roots = (*self.step.bits, *state_bits(self.before))
        label = self.step.label(of.shape, reader(self.c, roots, _inputs(self.c, self.solver)))
        if not all(of.holds(p, before) for p in of.conjuncts):
            raise EnginesDisagree(0, label, "the evaluator says that a conjunct is false before")
        try:
            reached = of.evaluator.successor(before, label)
        except EvaluationError as error:
            if property_ is None:
                return Broken(None, str(error), before, label, None)
            raise EnginesDisagree(0, label, f"the evaluator ends in an error: {error}") from error
        except (NotEnabled, Cut) as reason:
            raise EnginesDisagree(0, label, f"the evaluator does not take it: {reason!r}") from None
        if property_ is None:
            raise EnginesDisagree(0, label, "the evaluator finds no error")
        if reached != after:
            raise EnginesDisagree(0, label, "the evaluator comes to another state")
        if property_ in of.actions:
            broken = property_.name in of.evaluator.violated_by_step(before, label, after)
        else:
            broken = not of.holds(property_, after)
        if not broken:
            raise EnginesDisagree(0, label, f"for the evaluator {property_.name} is true after it")
        return Broken(property_.name, f"{property_.name} is false after {label.rule}", before, label, after)


def holds(c: Circuit, shape: Shape, state: SymbolicState, property_: Property) -> Bit:
    """Whether the property can be evaluated and is true."""
    frame = Frame(c, shape, state)
    value = frame.boolean(property_.expr)
    return c.conjunction(value, frame.error ^ 1)


def _inputs(c: Circuit, solver: Solver) -> dict[Bit, int]:
    return {2 * node: int(solver.value(2 * node)) for node, gate in enumerate(c.gates) if gate is Gate.INPUT and node}


def read_states(c: Circuit, shape: Shape, solver: Solver, states: Sequence[SymbolicState]) -> tuple[State, ...]:
    """The states in the solver's last model."""
    roots = [bit for state in states for bit in state_bits(state)]
    bit = reader(c, roots, _inputs(c, solver))
    return tuple(read_state(shape, state, bit) for state in states)
