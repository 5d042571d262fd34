"""The free part of a step: which label it is. Everything else is a function of the state and these bits.

What a label does not use is pinned to zero, so that assignments of these bits and labels correspond one to one.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.layout import ReadBit, pack, raw_bits, read, read_number, size, unpack, well_formed
from checker.symbolic.numbers import Number, is_number, less, number
from checker.symbolic.state import Packed, Shape, SymbolicState
from checker.symbolic.values import Atom, Symbolic, atom
from spec import state as concrete
from spec.sorts import Sort
from spec.state import Label
from spec.system import Rule, StorageMode


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of label: a rule (by its position in the system), or a system action."""

    name: str
    rule: Rule | None
    uses_process: bool
    uses_message: bool
    uses_keep: bool = False


IDLE = Kind("", None, False, False)
"""Nothing happens: what stands in a macro step where the macro has no label."""


def label_kinds(shape: Shape) -> tuple[Kind, ...]:
    """Every kind of label that the system has, in the evaluator's order."""
    system = shape.system
    rules = [r for r in system.rules if r.name not in system.forbidden]
    kinds = [Kind(r.name, r, r.kind is not None, r.message is not None) for r in rules]
    buffered = system.storage is StorageMode.BUFFERED
    if buffered and any(kind.has_storage for kind in system.kinds):
        kinds.append(Kind("flush", None, True, False))
    if any(kind.crashes for kind in system.kinds):
        if system.bounds.crashes > 0:
            kinds.append(Kind("crash", None, True, False, uses_keep=buffered))
        if "restart" not in system.forbidden:
            kinds.append(Kind("restart", None, True, False))
    if system.messages and system.network.loss:
        kinds.append(Kind("drop", None, False, True))
    if system.messages and system.network.duplication:
        kinds.append(Kind("duplicate", None, False, True))
    return tuple(kinds)


def possible_kinds(shape: Shape) -> tuple[Kind, ...]:
    """The kinds of which a run within the budgets has a label."""
    none = {rule for rule, limit in shape.budgets if limit == 0}
    return tuple(kind for kind in label_kinds(shape) if kind.name not in none)


@dataclass(frozen=True, slots=True)
class Choices:
    """``is_kind``: per :class:`Kind`, whether it is chosen; ``slot_is``: per message slot of the state before."""

    kind: Number
    process: Atom
    slot: Number
    keep: Number
    parameters: tuple[Bit, ...]
    kinds: tuple[Kind, ...]
    is_kind: tuple[Bit, ...]
    slot_is: tuple[Bit, ...]
    canonical: Bit

    @property
    def bits(self) -> tuple[Bit, ...]:
        return (*self.kind.bits, *self.process.bits, *self.slot.bits, *self.keep.bits, *self.parameters)


@dataclass(frozen=True, slots=True)
class Given:
    """What is no free choice: the acting process, and that a message is picked from the first slot."""

    process: str | None = None
    first_slot: bool = False


FREE = Given()


def choices(c: Circuit, before: SymbolicState, shape: Shape, kinds: tuple[Kind, ...], given: Given = FREE) -> Choices:
    """New free choices for a step from this state, of a label of one of these kinds."""
    kind = free_number(c, len(kinds) - 1)
    acts = any(k.uses_process for k in kinds)
    width = (len(shape.processes) - 1).bit_length()
    if given.process is None:
        process = Atom(tuple(c.input() if acts else FALSE for _ in range(width)), shape.processes)
    else:
        process = atom(given.process, shape.processes)
    picks = any(k.uses_message for k in kinds) and not given.first_slot
    slot = free_number(c, len(before.messages) - 1 if picks else 0)
    keep = free_number(c, len(before.pending) if any(k.uses_keep for k in kinds) else 0)
    width = max((sum(size(p.sort) for p in k.rule.parameters) for k in kinds if k.rule is not None), default=0)
    parameters = tuple(c.input() for _ in range(width))
    is_kind = tuple(is_number(c, kind, i) for i in range(len(kinds)))
    conditions = [number_at_most(c, kind, len(kinds) - 1), number_at_most(c, slot, slot.high)]
    conditions.append(_zero_unless(c, process.bits, [b for b, k in zip(is_kind, kinds, strict=True) if k.uses_process]))
    conditions.append(_zero_unless(c, slot.bits, [b for b, k in zip(is_kind, kinds, strict=True) if k.uses_message]))
    conditions.append(_zero_unless(c, keep.bits, [b for b, k in zip(is_kind, kinds, strict=True) if k.uses_keep]))
    for bit, k in zip(is_kind, kinds, strict=True):
        used = 0
        if k.rule is not None:
            used = sum(size(p.sort) for p in k.rule.parameters)
            for value, parameter in zip(rule_parameters(parameters, k.rule), k.rule.parameters, strict=True):
                conditions.append(c.implies(bit, proper(c, value, parameter.sort)))
        conditions.append(c.implies(bit, c.every(b ^ 1 for b in parameters[used:])))
    slot_is = tuple(is_number(c, slot, j) for j in range(len(before.messages)))
    return Choices(kind, process, slot, keep, parameters, kinds, is_kind, slot_is, c.every(conditions))


def rule_parameters(bits: tuple[Bit, ...], rule: Rule) -> tuple[Symbolic, ...]:
    values, at = [], 0
    for parameter in rule.parameters:
        values.append(unpack(bits[at : at + size(parameter.sort)], parameter.sort))
        at += size(parameter.sort)
    return tuple(values)


def proper(c: Circuit, value: Symbolic, sort: Sort) -> Bit:
    """Well formed and canonical: one assignment of bits per value."""
    same = (c.same(x, y) for x, y in zip(raw_bits(value), pack(c, value, sort), strict=True))
    return c.conjunction(well_formed(c, value, sort), c.every(same))


def free_number(c: Circuit, high: int) -> Number:
    """New inputs for a number from 0 to ``high``, or more: see :func:`number_at_most`."""
    if high <= 0:
        return number(0)
    return Number(tuple(c.input() for _ in range(high.bit_length())), 0, high)


def number_at_most(c: Circuit, value: Number, high: int) -> Bit:
    """Whether the bits of a free number stand for one that is not too large."""
    if high <= 0:
        return TRUE
    return less(c, Number(value.bits, 0, (1 << len(value.bits)) - 1), number(high + 1))


def _zero_unless(c: Circuit, bits: tuple[Bit, ...], users: list[Bit]) -> Bit:
    return c.disjunction(c.some(users), c.every(bit ^ 1 for bit in bits)) if bits else TRUE


def picked_message(c: Circuit, chosen: Choices, before: SymbolicState) -> Packed | None:
    """The content of the chosen slot; anything if none is chosen."""
    if not before.messages:
        return None
    packed = [slot.message for slot in before.messages]

    def mixed(columns: list[tuple[Bit, ...]]) -> tuple[Bit, ...]:
        rows = list(zip(*columns, strict=True))
        return tuple(_mixed_bit(c, chosen.slot_is, row) for row in rows)

    type_bits = mixed([p.type.bits for p in packed]) if packed[0].type.bits or len(packed) == 1 else ()
    first = packed[0]
    return Packed(
        Number(type_bits, first.type.low, first.type.high) if type_bits else first.type,
        Atom(mixed([p.source.bits for p in packed]), first.source.elements),
        Atom(mixed([p.destination.bits for p in packed]), first.destination.elements),
        mixed([p.payload for p in packed]),
    )


def _mixed_bit(c: Circuit, chosen: tuple[Bit, ...], bits: tuple[Bit, ...]) -> Bit:
    if all(bit == bits[0] for bit in bits):
        return bits[0]
    return c.some(c.conjunction(here, bit) for here, bit in zip(chosen, bits, strict=True))


def read_label(shape: Shape, chosen: Choices, before: SymbolicState, bit: ReadBit) -> Label:
    """The label that a model chose."""
    kind = chosen.kinds[read_number(chosen.kind, bit)]
    process = shape.processes[_read_code(chosen.process.bits, bit)] if kind.uses_process else None
    message = None
    if kind.uses_message:
        message = read_packed(shape, before.messages[read_number(chosen.slot, bit)].message, bit)
    arguments: tuple[object, ...] = (read_number(chosen.keep, bit),) if kind.uses_keep else ()
    if kind.rule is not None:
        values = rule_parameters(chosen.parameters, kind.rule)
        arguments = tuple(read(v, p.sort, bit) for v, p in zip(values, kind.rule.parameters, strict=True))
    return Label(kind.name, process, arguments, message)


def read_packed(shape: Shape, packed: Packed, bit: ReadBit) -> concrete.Message:
    sort = shape.system.messages[read_number(packed.type, bit)]
    values = []
    at = 0
    for _, of in sort.fields:
        values.append(read(unpack(packed.payload[at : at + size(of)], of), of, bit))
        at += size(of)
    source = shape.processes[_read_code(packed.source.bits, bit)]
    destination = shape.processes[_read_code(packed.destination.bits, bit)]
    return (sort.name, source, destination, *values)


def _read_code(bits: tuple[Bit, ...], bit: ReadBit) -> int:
    return sum(1 << i for i, b in enumerate(bits) if bit(b))
