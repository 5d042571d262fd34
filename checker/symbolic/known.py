"""What a log knows of a state or a message, as conditions on the bits of a symbolic one.

``checker.completing.matching`` in circuits, and tested against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checker.completing.matching import differences
from checker.completing.typed import Incomplete, NotOfSort, typed
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.layout import cached_domain
from checker.symbolic.network import first_copies, same_message
from checker.symbolic.numbers import Number, add, count, is_number, less, number
from checker.symbolic.state import Packed, Shape, SymbolicState
from checker.symbolic.values import Members, Optional, Product, Slots, Symbolic, constant, equal, is_atom
from checker.tracing import map_key, plain
from spec.sorts import IntSort, MapSort, OptionalSort, RecordSort, SeqSort, SetSort, Sort
from spec.system import NetworkKind
from traces.partial import Missing, PartialState
from traces.values import Map, Value

Parts = dict[str | int, tuple[Sort, Symbolic]]
"""The parts of a record or a map by name."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A message that is there: one of its slots, its number of copies or its position in a channel."""

    there: Bit
    message: Packed
    number: Number


class Known:
    """Conditions over one circuit and system."""

    def __init__(self, c: Circuit, shape: Shape) -> None:
        self.c, self.shape = c, shape

    # ------------------------------------------------------------------------------------------ values

    def fits(self, sort: Sort, known: Value, value: Symbolic | None) -> Bit:
        """Whether a symbolic value is what is known of it."""
        if isinstance(known, Missing):
            return TRUE
        if value is None:
            return FALSE
        try:
            return equal(self.c, value, constant(typed(sort, known), sort))
        except NotOfSort:
            return FALSE
        except Incomplete:
            return self._partly(sort, known, value)

    def _partly(self, sort: Sort, known: Value, value: Symbolic) -> Bit:
        c = self.c
        match sort, known, value:
            case OptionalSort(of), _, Optional():
                return c.conjunction(value.present, self.fits(of, known, value.value))
            case SeqSort(of), tuple(), Slots():
                if len(known) > len(value.slots):
                    return FALSE
                parts = (self.fits(of, part, slot) for part, slot in zip(known, value.slots, strict=False))
                return c.conjunction(is_number(c, value.length, len(known)), c.every(parts))
            case MapSort(key, of), Map(), Product():
                names = [map_key(key, k) for k in cached_domain(key)]
                return self._named(known, dict(zip(names, ((of, field) for field in value.fields), strict=True)))
            case RecordSort(_, fields), Map(), Product():
                return self._named(
                    known, {name: (of, field) for (name, of), field in zip(fields, value.fields, strict=True)}
                )
            case SetSort(of), frozenset(), Members():
                return self._elements(of, known, value)
            case _:
                return FALSE

    def _named(self, known: Map, parts: Parts) -> Bit:
        """Of a record or a map: what is left out is not known."""
        if not known.keys() <= parts.keys():
            return FALSE
        return self.c.every(self.fits(parts[name][0], value, parts[name][1]) for name, value in known.items())

    def _elements(self, of: Sort, known: frozenset[Value], value: Members) -> Bit:
        """Each of the known elements is paired with one of the set's, and none is left over."""
        options = [
            [next(differences(part, plain(of, member)), None) is None for member in value.members] for part in known
        ]
        there = list(value.members.values())
        allowed = [[bit if fits else FALSE for fits, bit in zip(row, there, strict=True)] for row in options]
        return self._paired(allowed, there)

    def _paired(self, allowed: Sequence[Sequence[Bit]], there: Sequence[Bit]) -> Bit:
        """Whether rows and columns can be paired where ``allowed``, each row with one column, no column that is
        ``there`` left over. The pairing is z3's to choose."""
        c = self.c
        chosen = [[c.input() if bit != FALSE else FALSE for bit in row] for row in allowed]
        conditions = [is_number(c, count(c, there), len(allowed))]
        for row, bits in zip(chosen, allowed, strict=True):
            conditions.append(c.some(row))
            conditions += [c.implies(mine, bit) for mine, bit in zip(row, bits, strict=True)]
        for column in zip(*chosen, strict=True):
            taken = [bit for bit in column if bit != FALSE]
            conditions += [c.conjunction(a, b) ^ 1 for i, a in enumerate(taken) for b in taken[:i]]
        return c.every(conditions)

    # ------------------------------------------------------------------------------------------- states

    def state(self, known: PartialState, state: SymbolicState) -> Bit:
        """Whether the state is what is known of it."""
        c, shape = self.c, self.shape
        conditions: list[Bit] = []
        given = known.variables
        for i, process in enumerate(shape.processes):
            for variable, value in zip(shape.memory[i], state.memory[i], strict=True):
                conditions.append(self.fits(variable.sort, known_part(given, variable.name, process), value))
            up = known_part(given, "up", process)
            if not isinstance(up, Missing):
                conditions.append(state.up[i] ^ (1 - up) if isinstance(up, bool) else FALSE)
            conditions.append(self._record(i, known_part(given, "disk", process), state.disk[i]))
            conditions.append(self._pending(i, known_part(given, "pending", process), state))
            conditions.append(self._outbox(process, known_part(given, "outbox", process), state))
        for variable, value in zip(shape.shared, state.shared, strict=True):
            conditions.append(self.fits(variable.sort, given.get(variable.name, UNKNOWN), value))
        for variable, value in zip(shape.ghosts, state.ghosts, strict=True):
            conditions.append(self.fits(variable.sort, known_part(given, "ghosts", variable.name), value))
        for (rule, limit), spent in zip(shape.budgets, state.budgets, strict=True):
            conditions.append(self.fits(IntSort(0, limit), known_part(given, "budgets", BUDGETS[rule]), spent))
        conditions.append(self._network(given.get("network", UNKNOWN), state))
        return c.every(conditions)

    def _record(self, process: int, known: Value, record: tuple[Symbolic, ...] | None) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        if record is None or not isinstance(known, Map):
            return FALSE
        parts = zip(self.shape.durable_variables(process), record, strict=True)
        return self._named(known, {variable.name: (variable.sort, value) for variable, value in parts})

    def _pending(self, process: int, known: Value, state: SymbolicState) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        if not isinstance(known, tuple):
            return FALSE
        c = self.c
        written = [record for record in state.pending if record.of[process] != FALSE]
        conditions = [is_number(c, count(c, [record.of[process] for record in written]), len(known))]
        rank: Number = number(0)
        for record in written:
            here = record.of[process]
            for position, part in enumerate(known):
                at = c.conjunction(here, is_number(c, rank, position))
                if at != FALSE:
                    conditions.append(c.implies(at, self._record(process, part, record.record)))
            rank = add(c, rank, count(c, [here]))
        return c.every(conditions)

    # ----------------------------------------------------------------------------------------- messages

    def message(self, known: Value, packed: Packed) -> Bit:
        """Whether a message is what is known of it."""
        if isinstance(known, Missing):
            return TRUE
        if not isinstance(known, Map):
            return FALSE
        c, shape = self.c, self.shape
        possible: list[Bit] = []
        for sort in shape.system.messages:
            name = known.get("type", UNKNOWN)
            if isinstance(name, Missing) or name == sort.name:
                fields = shape.unpack_message(c, packed, sort).fields
                names = ("source", "destination", *(field for field, _ in sort.fields))
                parts: Parts = {n: (sort.field_sort(n), value) for n, value in zip(names, fields, strict=True)}
                inside = self._named(known.without("type"), parts)
                possible.append(c.conjunction(shape.has_type(c, packed, sort.name), inside))
        return c.some(possible)

    def _network(self, known: Value, state: SymbolicState) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        if not isinstance(known, tuple):
            return FALSE
        c, units = self.c, self._units(state)
        fifo = self.shape.fifo
        word = "position" if fifo else "copies"
        allowed = []
        for entry in known:
            if not isinstance(entry, Map):
                allowed.append([unit.there if isinstance(entry, Missing) else FALSE for unit in units])
            elif not entry.keys() <= {"message", word}:
                return FALSE
            else:
                message, many = entry.get("message", UNKNOWN), entry.get(word, UNKNOWN)
                allowed.append(
                    [
                        c.every((unit.there, self.message(message, unit.message), self._is(many, unit.number)))
                        for unit in units
                    ]
                )
        return self._paired(allowed, [unit.there for unit in units])

    def _is(self, known: Value, value: Number) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        return is_number(self.c, value, known) if isinstance(known, int) and not isinstance(known, bool) else FALSE

    def _units(self, state: SymbolicState) -> list[_Unit]:
        """The network as a trace lists it: each message once, with its copies; or each place of a channel."""
        c, shape = self.c, self.shape
        slots = [slot for slot in state.messages if slot.in_network != FALSE]
        there = [slot.in_network for slot in slots]
        if shape.system.network.kind is NetworkKind.SET:
            return [_Unit(b, s.message, number(1)) for b, s in zip(first_copies(c, slots, there), slots, strict=True)]
        units = []
        if shape.fifo:
            for j, slot in enumerate(slots):
                before = []
                for i, other in enumerate(slots):
                    if i != j:
                        pair = c.conjunction(
                            equal(c, slot.message.source, other.message.source),
                            equal(c, slot.message.destination, other.message.destination),
                        )
                        # Of two with one stamp, an original and its copy, it does not matter which is first.
                        earlier = less(c, slot.stamp, other.stamp) ^ 1 if i < j else less(c, other.stamp, slot.stamp)
                        before.append(c.every((other.in_network, pair, earlier)))
                units.append(_Unit(slot.in_network, slot.message, add(c, number(1), count(c, before))))
            return units
        for slot, first in zip(slots, first_copies(c, slots, there), strict=True):
            same = [c.conjunction(s.in_network, same_message(c, s.message, slot.message)) for s in slots]
            units.append(_Unit(first, slot.message, count(c, same)))
        return units

    def _outbox(self, process: str, known: Value, state: SymbolicState) -> Bit:
        if isinstance(known, Missing):
            return TRUE
        if not isinstance(known, tuple):
            return FALSE
        c, shape = self.c, self.shape
        slots = [slot for slot in state.messages if slot.waiting != FALSE]
        there = [c.conjunction(slot.waiting, is_atom(c, slot.message.source, process)) for slot in slots]
        allowed = [
            [c.conjunction(b, self.message(m, s.message)) for b, s in zip(there, slots, strict=True)] for m in known
        ]
        if shape.fifo:
            for j, slot in enumerate(slots):
                ahead = [
                    c.conjunction(b, self._ahead(slots[i].message, slot.message, i < j)) for i, b in enumerate(there)
                ]
                rank = count(c, [bit for i, bit in enumerate(ahead) if i != j])
                for position, row in enumerate(allowed):
                    row[j] = c.conjunction(row[j], is_number(c, rank, position))
        return self._paired(allowed, there)

    def _ahead(self, other: Packed, message: Packed, earlier: bool) -> Bit:
        """Whether another message of a fifo outbox is listed first: by destination's name, then as they were sent."""
        c, result = self.c, FALSE
        names = sorted(self.shape.processes)
        for i, name in enumerate(names):
            there = is_atom(c, message.destination, name)
            smaller = c.some(is_atom(c, other.destination, n) for n in names[:i])
            same = is_atom(c, other.destination, name) if earlier else FALSE
            result = c.disjunction(result, c.conjunction(there, c.disjunction(smaller, same)))
        return result


UNKNOWN = Missing("?")
BUDGETS = {"crash": "crashes", "drop": "drops", "duplicate": "duplicates", "retry": "retries"}


def known_part(variables: Map, name: str, of: str) -> Value:
    """What is known of one entry of a variable."""
    whole = variables.get(name, UNKNOWN)
    if isinstance(whole, Missing):
        return whole
    assert isinstance(whole, Map), f"{name} has one value for each process or name"
    return whole.get(of, UNKNOWN)
