"""A log with holes, by z3: the run unrolled step by step with what the log knows pinned in each state and label.

The log's states are asked about a few at a time, and where they do not fit, one after the other, so that the first that
no run fits is found as such: z3's "unsatisfiable" says that there is none. What is known takes the place of what was
computed, so that later steps fold to little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from checker.symbolic.batch import any_of
from checker.symbolic.choices import FREE, IDLE, Choices, Given, Kind, label_kinds, rule_parameters
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.decode import read_state, reader, state_bits
from checker.symbolic.errors import EnginesDisagree, GaveUp
from checker.symbolic.known import Known
from checker.symbolic.layout import ReadBit, read_number
from checker.symbolic.pinning import Pinning
from checker.symbolic.solve import Solver
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.transition import Step, step
from checker.symbolic.values import Symbolic, is_atom
from checker.symbolic.watch import Query, Watch
from spec.sorts import IntSort, Sort
from spec.state import Label, State
from spec.system import System
from traces.partial import Missing, PartialState
from traces.values import Map, Value

BLOCK = 8
"""How many of the log's states are asked about at once: each question costs as much as some steps."""

SAMPLES = 16
"""How many of the states that fit a refused log so far are read, for the explanation."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """A run that fits: from which of the start states, its labels, and after how many of them each of the log's states
    (those that were asked about) is come to."""

    start: int
    labels: tuple[Label, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NoneFits:
    """No run fits the log's state ``at`` (a position in what was asked about). ``before``: one that fits as far as the
    state before it, if there is one; ``states``: some of the states that the label could lead from."""

    at: int
    before: Fitting | None
    states: tuple[State, ...]


def complete(
    system: System,
    starts: Sequence[State],
    log: Sequence[PartialState],
    first: int,
    watch: Watch,
    report: Callable[[int], None],
) -> Fitting | NoneFits:
    """A run from one of the start states through the log. ``first``: the number of its first state; no label leads to
    number 0, which the start states are themselves. ``report``: called with the number of a state before each step to
    it is built; what it raises comes through. Raises GaveUp, KeyboardInterrupt."""
    return _Run(system, starts, watch, report).through(log, first)


@dataclass(frozen=True, slots=True)
class _Open:
    """One of the log's states, not yet asked about. ``at``: its position in what was asked for, ``number``: in the log.
    ``fits``: the label is enabled, and label and state are what is known of them. ``before``: the state that the label
    leads from, after so many steps (``built``)."""

    at: int
    number: int
    fits: Bit
    before: SymbolicState
    built: int


class _Run:
    def __init__(
        self, system: System, starts: Sequence[State], watch: Watch, report: Callable[[int], None]
    ) -> None:
        # A log may name what the model forbids, as a script may.
        self.shape = Shape(replace(system, forbidden=()))
        self.forbidden = frozenset(system.forbidden)
        self.kinds = label_kinds(self.shape)
        self.circuit = Circuit()
        self.known = Known(self.circuit, self.shape)
        self.report = report
        self.solver = Solver(self.circuit, watch)
        self.state, self.index, proper = any_of(self.circuit, self.shape, starts)
        self.solver.require(proper)
        self.steps: list[Step] = []
        self.ends: list[int] = []  # after how many steps each of the log's states is come to
        self.open: list[_Open] = []
        self._values: ReadBit = bool

    def through(self, log: Sequence[PartialState], first: int) -> Fitting | NoneFits:
        for at, known in enumerate(log):
            if (known.gap != 0 or len(self.open) == BLOCK) and (refused := self._settled()) is not None:
                return refused
            self._gap(known.gap, first + at)
            self.report(first + at)
            before, built = self.state, len(self.steps)
            label_fits = self._label(known) if first + at else TRUE
            fits = self.circuit.conjunction(label_fits, self.known.state(known, self.state))
            self.open.append(_Open(at, first + at, fits, before, built))
            self.ends.append(len(self.steps))
            self.state = Pinning(self.circuit, self.shape, known).of(self.state)
        refused = self._settled()
        return self._read((), self.state)[0] if refused is None else refused

    def _settled(self) -> NoneFits | None:
        """Asks whether the open states fit, all at once; where they do not, one after the other. The first that does
        not, or None."""
        open_, self.open = self.open, []
        if open_ and self._fits(self.circuit.every(one.fits for one in open_), open_[-1].number):
            return None
        for one in open_:
            if len(open_) == 1 or not self._fits(one.fits, one.number):
                del self.steps[one.built :], self.ends[one.at :]
                return self._refused(one) if one.number else NoneFits(one.at, None, ())
        assert not open_, "each of the states fits, and not all of them"
        return None

    def _fits(self, bit: Bit, number: int) -> bool:
        """Whether a run has that too; then it is required of all that is asked later."""
        query = Query("complete", f"a run fits the log's states 0 to {number}", number)
        if not self.solver.check(bit, query=query):
            return False
        self.solver.require(bit)
        return True

    # ------------------------------------------------------------------------------------------ steps

    def _gap(self, gap: int | None, number: int) -> None:
        """At most so many labels: steps in which nothing may happen, and after which nothing happens any more."""
        if gap is None:
            raise GaveUp("z3 needs a bound for a gap: write how many labels it has at most, or use --engine reference")
        c, idle = self.circuit, FALSE
        for _ in range(gap):
            self.report(number)
            kinds = (IDLE, *(kind for kind in self.kinds if kind.name not in self.forbidden))
            taken = self._step(kinds)
            self.solver.require(taken.taken)
            self.solver.require(c.implies(idle, taken.label_is[IDLE.name]))
            idle = taken.label_is[IDLE.name]

    def _step(self, kinds: tuple[Kind, ...], process: Value = None) -> Step:
        """``process``: what is known of who acts."""
        given = Given(process) if isinstance(process, str) and process in self.shape.processes else FREE
        taken = step(self.circuit, self.shape, self.state, kinds, given, reached=True)
        self.steps.append(taken)
        self.state = taken.after
        return taken

    def _label(self, known: PartialState) -> Bit:
        """A step more; whether its label is enabled and is what is known of it."""
        named = [k for k in self.kinds if k.name == known.rule or (known.rule is None and k.name not in self.forbidden)]
        if not named:
            return FALSE
        c, taken = self.circuit, self._step(tuple(named), known.picks.get("process"))
        kinds = zip(taken.choices.is_kind, taken.choices.kinds, strict=True)
        return c.conjunction(
            taken.taken, c.some(c.conjunction(bit, self._picks(kind, known.picks, taken)) for bit, kind in kinds)
        )

    def _picks(self, kind: Kind, known: Map, taken: Step) -> Bit:
        """Whether a label of this kind has what is known of its choices."""
        c, chosen = self.circuit, taken.choices
        parameters: dict[str, tuple[Sort, Symbolic]] = {}
        if kind.rule is not None:
            values = rule_parameters(chosen.parameters, kind.rule)
            parameters = {p.name: (p.sort, value) for p, value in zip(kind.rule.parameters, values, strict=True)}
        conditions = []
        for name, value in known.items():
            if name == "process":
                conditions.append(self._atom(value, chosen) if kind.uses_process else FALSE)
            elif name == "message":
                picked = taken.picked if kind.uses_message else None
                conditions.append(FALSE if picked is None else self.known.message(value, picked))
            elif name in parameters:
                sort, parameter = parameters[str(name)]
                conditions.append(self.known.fits(sort, value, parameter))
            elif name == "keep" and kind.uses_keep:
                conditions.append(self.known.fits(IntSort(0, chosen.keep.high), value, chosen.keep))
            else:
                conditions.append(FALSE)
        return c.every(conditions)

    def _atom(self, known: Value, chosen: Choices) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        return is_atom(self.circuit, chosen.process, known) if isinstance(known, str) else FALSE

    # --------------------------------------------------------------------------------------- answers

    def _refused(self, refused: _Open) -> NoneFits:
        """With the run as far as it fits, and states that the step that does not fit could start from."""
        read: Fitting | None = None
        states: dict[State, None] = {}
        bits = sorted({bit for bit in state_bits(refused.before) if bit > 1})
        asks = f"another state fits that the log's state {refused.number} could come after"
        query = Query("complete", asks, label=f"before-{refused.number}")
        while len(states) < SAMPLES and self.solver.check(query=query):
            found, state = self._read(bits, refused.before)
            read = read or found
            states[state] = None
            values = self._values
            self.solver.require_some([bit ^ int(values(bit)) for bit in bits])
        assert read is not None, "a run that fitted before has gone"
        return NoneFits(refused.at, read, tuple(states))

    def _read(self, bits: Sequence[Bit], last: SymbolicState) -> tuple[Fitting, State]:
        """The run of z3's model: its choices read, all else simulated."""
        inputs = {bit: int(self.solver.value(bit)) for bit in self.index.bits if bit > 1}
        inputs |= {bit: int(self.solver.value(bit)) for s in self.steps for bit in s.bits if bit > 1}
        roots = [*self.index.bits, *bits, *state_bits(last)]
        for taken in self.steps:
            roots += [*taken.bits, taken.taken, *taken.label_is.values(), *state_bits(taken.before)]
        bit = self._values = reader(self.circuit, roots, inputs)
        if not all(bit(taken.taken) for taken in self.steps):
            raise EnginesDisagree(len(self.steps), None, "z3's model does not satisfy the circuit")
        labels: list[Label] = []
        positions, ends = [], iter(self.ends)
        end = next(ends, None)
        for number in range(len(self.steps) + 1):
            while end == number:
                positions.append(len(labels))
                end = next(ends, None)
            if number < len(self.steps) and not self.steps[number].is_idle(bit):
                labels.append(self.steps[number].label(self.shape, bit))
        state = read_state(self.shape, last, bit)
        kept = labels[: positions[-1]] if positions else []
        return Fitting(read_number(self.index, bit), tuple(kept), tuple(positions)), state
