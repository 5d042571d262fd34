"""The questions of one part of a proof: of a case, or (without one) whether the invariants follow from the conjuncts.

Every conjunct is an assumption that z3 may name, so a "no" comes with the conjuncts that sufficed for it. With one of
them left out, only what leant on it has to be asked again: all else still has a proof.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from checker.symbolic.arbitrary import arbitrary_state
from checker.symbolic.choices import Given, possible_kinds
from checker.symbolic.circuit import FALSE, Bit, Circuit, Gate
from checker.symbolic.decode import read_state, reader, state_bits
from checker.symbolic.errors import EnginesDisagree, GaveUp
from checker.symbolic.expressions import Frame
from checker.symbolic.induction import Broken, Case, Obligations, Verdict, holds
from checker.symbolic.solve import Solver
from checker.symbolic.state import SymbolicState
from checker.symbolic.transition import Step, step
from checker.symbolic.watch import Query, Watch
from spec.evaluate import Cut, EvaluationError, NotEnabled
from spec.state import Label, State
from spec.system import Property

Named: TypeAlias = tuple[str, Bit]
"""A conjunct, and whether it holds of some state."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be impossible: ``violated``. ``of`` None: that an evaluation fails. ``lemmas``: conjuncts of the
    state after the label that may be assumed, too, for they are demanded first."""

    of: Property | None
    violated: Bit
    asks: str
    lemmas: tuple[Named, ...] = ()

    @property
    def name(self) -> str | None:
        return None if self.of is None else self.of.name


def verdict_of(of: Obligations, case: Case | None, watch: Watch, *, first: bool = False) -> Verdict:
    """What a label of the case breaks; of None: which invariants do not follow. ``first``: the first that is broken."""
    began = time.monotonic()
    verdict = Verdict(case, [])
    try:
        watch.deadline.check()  # to write down what is to be asked takes seconds, too
        _Part(of, case, watch).ask(verdict, first=first)
    except GaveUp as reason:
        verdict.unknown = str(reason)
    verdict.seconds = time.monotonic() - began
    return verdict


@dataclass(frozen=True, slots=True)
class Without:
    """One part of a proof with ``conjunct`` left out: what it breaks, or what z3 did not answer; or neither."""

    conjunct: str
    broken: Broken | None
    unknown: str | None = None


def without(of: Obligations, shown: Verdict, conjuncts: Iterable[str], watch: Watch) -> list[Without]:
    """The part that was ``shown``, with each of these left out in its turn."""
    found: list[Without] = []
    names = list(conjuncts)
    try:
        part = _Part(of, shown.case, watch)
        for name in names:
            found.append(Without(name, part.broken_without(name, shown)))
    except GaveUp as reason:
        found += [Without(name, None, str(reason)) for name in names[len(found) :]]
    return found


class _Part:
    def __init__(self, of: Obligations, case: Case | None, watch: Watch) -> None:
        self.of, self.case = of, case
        c = self.c = Circuit()
        first, proper = arbitrary_state(c, of.shape, of.room if case is None else of.places(case))
        self.states: list[SymbolicState] = [first]
        self.steps: list[Step] = []
        if case is not None:
            for _ in range(of.length - 1):
                self._extend(step(c, of.shape, self.states[-1], possible_kinds(of.shape)))
        self.given: list[Named] = [(p.name, holds(c, of.shape, s, p)) for s in self.states for p in of.conjuncts]
        conditions = [proper, *of.within(c, first), *(earlier.taken for earlier in self.steps)]
        if case is None:
            self.possible = FALSE
            self.demands = [self._of_invariant(invariant) for invariant in of.invariants]
        else:
            given = Given(case.process, first_slot=case.kind.uses_message and of.length == 1)
            self._extend(step(c, of.shape, self.states[-1], (case.kind,), given))
            self.possible = self.steps[-1].taken
            self.demands = self._of_step(self.steps[-1])
        self.solver = Solver(c, watch)
        for bit in conditions:
            self.solver.require(bit)

    def _extend(self, following: Step) -> None:
        self.steps.append(following)
        self.states.append(following.after)

    # --------------------------------------------------------------------------------------- demands

    def _of_invariant(self, invariant: Property) -> Demand:
        false = holds(self.c, self.of.shape, self.states[0], invariant) ^ 1
        return Demand(invariant, false, f"a state of all conjuncts in which {invariant.name} is false")

    def _of_step(self, last: Step) -> list[Demand]:
        c, of = self.c, self.of
        after = [(p, holds(c, of.shape, last.after, p)) for p in of.conjuncts]
        demands = [Demand(None, last.error, self._asks("an evaluation fails"))] if last.error != FALSE else []
        shown: list[Named] = []
        for conjunct, bit in after:
            if conjunct in of.shown:
                false = c.conjunction(last.taken, bit ^ 1)
                demands.append(Demand(conjunct, false, self._asks(f"{conjunct.name} is false after it"), tuple(shown)))
                shown.append((conjunct.name, bit))
        for action in of.actions:
            frame = Frame(c, of.shape, last.after)
            frame.old = Frame(c, of.shape, last.before)
            frame.label_is = last.label_is
            value = frame.boolean(action.expr)
            failed = c.disjunction(frame.error, frame.old.error)
            false = c.conjunction(last.taken, c.disjunction(value ^ 1, failed))
            lemmas = tuple((p.name, bit) for p, bit in after)
            demands.append(Demand(action, false, self._asks(f"{action.name} is false of it"), lemmas))
        return demands

    def _asks(self, what: str) -> str:
        assert self.case is not None
        before = "a state" if self.of.length == 1 else f"{self.of.length} states in a row"
        return f"a {self.case.rule} from {before} of all conjuncts such that {what}"

    # --------------------------------------------------------------------------------------- answers

    def ask(self, verdict: Verdict, *, first: bool) -> None:
        """Fills in the verdict. What is broken is no lemma for what comes next."""
        if self.case is not None:
            there_is = self._core(self.possible, "possible", self._asks("there is such a label"), self.given)
            verdict.contradictory = there_is is not None
        broken: set[str | None] = set()
        for demand in self.demands:
            lemmas = [lemma for lemma in demand.lemmas if lemma[0] not in broken or demand.of in self.of.actions]
            core = self._core(demand.violated, demand.name or "fails", demand.asks, [*self.given, *lemmas])
            if core is None:
                broken.add(demand.name)
                verdict.broken.append(self._broken(demand.of))
                if first:
                    break
            else:
                verdict.leans_on[demand.name] = core
        verdict.contradictory = verdict.contradictory and not verdict.broken

    def broken_without(self, name: str, shown: Verdict) -> Broken | None:
        """What is broken first without the conjunct."""
        for demand in self.demands:
            if demand.name == name or name not in shown.leans_on[demand.name]:
                continue
            kept = [named for named in (*self.given, *demand.lemmas) if named[0] != name]
            asks = f"{demand.asks}, {name} left out"
            if self._core(demand.violated, f"{demand.name or 'fails'}-without-{name}", asks, kept) is None:
                return self._broken(demand.of, name)
        return None

    def _core(self, bit: Bit, name: str, asks: str, assumed: list[Named]) -> frozenset[str] | None:
        """Conjuncts that suffice to exclude it; None: they do not, and the model shows it."""
        names: dict[Bit, set[str]] = {}
        for conjunct, holding in assumed:
            names.setdefault(holding, set()).add(conjunct)
        label = name if self.case is None else f"{self.case}-{name}"
        task = "implication" if self.case is None else "consecution"
        if self.solver.check(bit, *names, query=Query(task, asks, label=label)):
            return None
        core = [FALSE] if FALSE in names else [] if bit == FALSE else self.solver.core()
        # Of two conjuncts that come to the same here, either may be left out.
        return frozenset(next(iter(who)) for who in (names.get(b, ()) for b in core) if len(who) == 1)

    # --------------------------------------------------------------------------------- what was found

    def _broken(self, property_: Property | None, left_out: str | None = None) -> Broken:
        """The states and labels of the last model, as the evaluator sees them."""
        of = self.of
        states, labels = self._read()
        before = states[: len(labels)] if labels else states
        label = labels[-1] if labels else None
        if not all(of.holds(p, state) for p in of.conjuncts if p.name != left_out for state in before):
            raise EnginesDisagree(0, label, "the evaluator says that a conjunct is false before")
        run = tuple(zip(before, labels, strict=False))[:-1]
        for (state, leads), reached in zip(run, before[1:], strict=True):
            if self._successor(state, leads) != reached:
                raise EnginesDisagree(0, leads, "the evaluator comes to another state")
        if label is None:
            assert property_ is not None
            message = f"{property_.name} does not follow from the conjuncts"
            if of.holds(property_, before[0]):
                raise EnginesDisagree(0, None, f"{message}, but the evaluator says otherwise")
            return Broken(property_.name, message, before[0], None, None)
        after = states[-1]
        try:
            reached = of.evaluator.successor(before[-1], label)
        except EvaluationError as error:
            if property_ is None:
                return Broken(None, str(error), before[-1], label, None, run)
            raise EnginesDisagree(0, label, f"the evaluator ends in an error: {error}") from error
        except (NotEnabled, Cut) as reason:
            raise EnginesDisagree(0, label, f"the evaluator does not take it: {reason!r}") from None
        if property_ is None:
            raise EnginesDisagree(0, label, "the evaluator finds no error")
        if reached != after:
            raise EnginesDisagree(0, label, "the evaluator comes to another state")
        if property_ in of.actions:
            broken = property_.name in of.evaluator.violated_by_step(before[-1], label, after)
        else:
            broken = not of.holds(property_, after)
        if not broken:
            raise EnginesDisagree(0, label, f"for the evaluator {property_.name} is true after it")
        return Broken(property_.name, f"{property_.name} is false after {label.rule}", before[-1], label, after, run)

    def _successor(self, state: State, label: Label) -> State:
        try:
            return self.of.evaluator.successor(state, label)
        except (EvaluationError, NotEnabled, Cut) as reason:
            raise EnginesDisagree(0, label, f"the evaluator does not take it: {reason!r}") from None

    def _read(self) -> tuple[list[State], list[Label]]:
        c, shape, solver = self.c, self.of.shape, self.solver
        roots = [bit for state in self.states for bit in state_bits(state)]
        roots += [bit for taken in self.steps for bit in taken.bits]
        inputs = {
            2 * n: int(solver.value(2 * n)) for n, gate in enumerate(c.gates) if gate is Gate.INPUT and n
        }
        bit = reader(c, roots, inputs)
        states = [read_state(shape, state, bit) for state in self.states]
        return states, [taken.label(shape, bit) for taken in self.steps]
