"""One step of the macro grain: micro steps in a row, whose labels are tied together by the macro that is chosen.

A step has as many positions as the longest macro has labels; in each, only the rules that some macro has there can be
taken, or nothing (``idle``). Macros are laid out over the positions so that they share rules: a position is built once
for all of them. A label that is alone at this grain is a macro of one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from checker.symbolic import storage
from checker.symbolic.choices import IDLE, Kind, free_number, number_at_most, possible_kinds, rule_parameters
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.errors import NotEncodable
from checker.symbolic.layout import ReadBit, read_number
from checker.symbolic.numbers import Number, is_number
from checker.symbolic.state import Shape, SymbolicState
from checker.symbolic.transition import Step, step
from checker.symbolic.values import Atom, Symbolic, as_elements, constant, equal, is_atom
from spec.grains import alone
from spec.sorts import AtomSort
from spec.state import Label
from spec.system import Literal, Local, Macro
from spec.system import MacroStep as MacroLabel


@dataclass(frozen=True, slots=True)
class Schedule:
    """A macro, or a label that is ``single``. ``at``: the position of each of its steps."""

    macro: Macro
    single: bool
    at: tuple[int, ...]

    def step_at(self, position: int) -> MacroLabel | None:
        return self.macro.steps[self.at.index(position)] if position in self.at else None


@dataclass(frozen=True, slots=True)
class MacroStep:
    """The fields of a :class:`Step`; ``micro``: the step of each position."""

    before: SymbolicState
    after: SymbolicState
    taken: Bit
    error: Bit
    micro: tuple[Step, ...]
    schedules: tuple[Schedule, ...]
    chosen: Number

    @property
    def bits(self) -> tuple[Bit, ...]:
        return (*self.chosen.bits, *(bit for single in self.micro for bit in single.bits))

    def label(self, shape: Shape, bit: ReadBit) -> Label:
        """The label that a model chose; if its evaluation fails, up to where it does."""
        schedule = self.schedules[read_number(self.chosen, bit)]
        labels = []
        for position in schedule.at:
            single = self.micro[position]
            if not single.is_idle(bit):
                labels.append(single.label(shape, bit))
            if not bit(single.taken):
                break
        return labels[0] if schedule.single else Label(schedule.macro.name, None, tuple(labels))


def macro_step(c: Circuit, shape: Shape, before: SymbolicState) -> MacroStep:
    """A step from a state, with new free choices."""
    schedules = schedules_of(shape)
    chosen = free_number(c, len(schedules) - 1)
    is_chosen = [is_number(c, chosen, i) for i in range(len(schedules))]
    going, error = number_at_most(c, chosen, len(schedules) - 1), FALSE
    bindings: list[dict[str, Symbolic]] = [{} for _ in schedules]
    micro: list[Step] = []
    state = before
    for position, kinds in enumerate(_kinds_at(shape, schedules)):
        single = step(c, shape, state, kinds, reached=True)
        for here, schedule, known in zip(is_chosen, schedules, bindings, strict=True):
            tie = _Tie(c, shape, single, state, known)
            wanted = schedule.step_at(position)
            going = c.conjunction(going, c.implies(here, tie.idle() if wanted is None else tie.step(wanted)))
        error = c.disjunction(error, c.conjunction(going, single.error))
        going = c.conjunction(going, single.taken)
        micro.append(single)
        state = single.after
    return MacroStep(before, state, going, error, tuple(micro), schedules, chosen)


# ------------------------------------------------------------------------------------------------- positions


@cache
def _schedules(system_macros: tuple[Macro, ...], single: tuple[str, ...]) -> tuple[Schedule, ...]:
    macros = [*system_macros, *(Macro(name, (), (MacroLabel(name, None, (), False),)) for name in single)]
    length = max(len(macro.steps) for macro in macros)
    rules: list[set[str]] = [set() for _ in range(length)]
    placed = {}
    for macro in sorted(macros, key=lambda macro: -len(macro.steps)):
        at = placed[macro.name] = _placed([step.rule for step in macro.steps], rules)
        for position, step_ in zip(at, macro.steps, strict=True):
            rules[position].add(step_.rule)
    return tuple(Schedule(macro, macro not in system_macros, placed[macro.name]) for macro in macros)


def schedules_of(shape: Shape) -> tuple[Schedule, ...]:
    """Macros in their order, then what is alone, each over the positions that it shares best with others; without those
    that a label is missing for, such as a crash where none is allowed."""
    possible = {kind.name for kind in possible_kinds(shape)}
    macros = (m for m in shape.system.macros if all(s.optional or s.rule in possible for s in m.steps))
    return _schedules(tuple(macros), tuple(name for name in alone(shape.system) if name in possible))


def _placed(steps: list[str], rules: list[set[str]]) -> tuple[int, ...]:
    """Increasing positions for the steps, with as few rules added to positions as possible."""

    @cache
    def best(first_step: int, first: int) -> tuple[int, tuple[int, ...]]:
        if first_step == len(steps):
            return 0, ()
        last = len(rules) - (len(steps) - first_step)
        found = []
        for position in range(first, last + 1):
            cost, rest = best(first_step + 1, position + 1)
            found.append((cost + (steps[first_step] not in rules[position]), (position, *rest)))
        return min(found)

    return best(0, 0)[1]


def _kinds_at(shape: Shape, schedules: tuple[Schedule, ...]) -> Iterator[tuple[Kind, ...]]:
    kinds = possible_kinds(shape)
    for position in range(max(len(schedule.macro.steps) for schedule in schedules)):
        steps = (schedule.step_at(position) for schedule in schedules)
        names = {step_.rule for step_ in steps if step_ is not None}
        yield (IDLE, *(kind for kind in kinds if kind.name in names))


# ------------------------------------------------------------------------------------------------------ ties


@dataclass(slots=True)
class _Tie:
    """What one macro asks of the label that is taken at a position. ``known``: its parameters' values so far."""

    c: Circuit
    shape: Shape
    single: Step
    before: SymbolicState
    known: dict[str, Symbolic] = field(default_factory=dict)

    def idle(self) -> Bit:
        return self.single.label_is[IDLE.name]

    def step(self, wanted: MacroLabel) -> Bit:
        c = self.c
        taken = self.single.label_is.get(wanted.rule, FALSE)
        if wanted.optional:
            pending = self._has_pending(wanted)
            taken = c.choose(pending, taken, self.idle())
            return c.conjunction(taken, c.implies(pending, self._agrees(wanted)))
        return c.conjunction(taken, self._agrees(wanted))

    def _has_pending(self, wanted: MacroLabel) -> Bit:
        c, who = self.c, wanted.process
        assert who is not None
        process = constant(who.value, who.sort) if isinstance(who, Literal) else self.known.get(who.name)
        if process is None:  # no step before this one can be taken
            return FALSE
        assert isinstance(process, Atom)
        return c.some(
            c.every((is_atom(c, process, name), self.before.up[i], storage.has_pending(c, self.before, i)))
            for i, name in enumerate(self.shape.processes)
        )

    def _agrees(self, wanted: MacroLabel) -> Bit:
        c, result = self.c, TRUE
        parts = self._parts(wanted)
        if parts is None:
            return FALSE
        if "message" in (named := dict(wanted.arguments)):
            picked, type_ = self.single.picked, named["message"]
            assert isinstance(type_, Literal)
            result = FALSE if picked is None else self.shape.has_type(c, picked, type_.value)
        given = [(name, value) for name, value in wanted.arguments if name != "message"]
        if wanted.process is not None:
            given.append(("self", wanted.process))
        for name, value in given:
            if name not in parts:
                return FALSE
            result = c.conjunction(result, self._is(parts[name], value))
        return result

    def _is(self, value: Symbolic, wanted: Literal | Local) -> Bit:
        c, sort = self.c, wanted.sort
        if isinstance(value, Atom) and isinstance(sort, AtomSort) and value.elements != sort.elements:
            within = c.some(is_atom(c, value, name) for name in sort.elements)
            value = as_elements(c, value, sort.elements)
        else:
            within = TRUE
        if isinstance(wanted, Literal):
            return c.conjunction(within, equal(c, value, constant(wanted.value, sort)))
        if wanted.name not in self.known:
            self.known[wanted.name] = value
            return within
        return c.conjunction(within, equal(c, value, self.known[wanted.name]))

    def _parts(self, wanted: MacroLabel) -> dict[str, Symbolic] | None:
        """The parts of the label by name, where it is one of the rule; ``None``: there is no such label here."""
        chosen, picked, shape = self.single.choices, self.single.picked, self.shape
        kinds = [kind for kind in chosen.kinds if kind.name == wanted.rule]
        if not kinds:
            return None
        parts: dict[str, Symbolic] = {"self": chosen.process, "keep": chosen.keep}
        rule = kinds[0].rule
        if rule is not None and rule.message is None:
            values = rule_parameters(chosen.parameters, rule)
            return parts | {p.name: value for p, value in zip(rule.parameters, values, strict=True)}
        if not kinds[0].uses_message:
            return parts if kinds[0].uses_keep else {"self": chosen.process}
        if picked is None:
            return None
        parts |= {"source": picked.source, "destination": picked.destination}
        named = dict(wanted.arguments)
        type_ = named.get("message")
        sort = rule.message if rule is not None else None
        if isinstance(type_, Literal):
            sort = next(message for message in shape.system.messages if message.name == type_.value)
        if sort is not None and len(kinds) == 1:
            fields = shape.unpack_message(self.c, picked, sort).fields[2:]
            parts |= dict(zip((name for name, _ in sort.fields), fields, strict=True))
        elif named.keys() - {"message", "source", "destination"}:
            raise NotEncodable(f"a macro's `{wanted.rule}` asks for the fields of a message and names no type")
        return parts
