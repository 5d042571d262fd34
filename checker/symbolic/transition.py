"""One step: the state after it, as a function of the state before it and the choice of a label.

Each rule's body is built once, over one acting process that stands for whichever is chosen (its memory is read through
a multiplexer and written back the same way); the results of the rules are then chosen between by the label's kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from checker.symbolic import storage
from checker.symbolic.choices import (
    FREE,
    IDLE,
    Choices,
    Given,
    Kind,
    choices,
    label_kinds,
    picked_message,
    read_label,
    rule_parameters,
)
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.expressions import Frame
from checker.symbolic.layout import ReadBit
from checker.symbolic.network import deliverable, within_bounds
from checker.symbolic.numbers import Number, add, less, number, ranged
from checker.symbolic.state import Packed, PendingRecord, Shape, Slot, SymbolicState
from checker.symbolic.statements import Run, Sent, Written, overlaid_records, overlaid_sends
from checker.symbolic.values import Symbolic, as_elements, atom, choose, equal, is_atom
from checker.symbolic.values import select as select_value
from spec.state import Label
from spec.system import NetworkKind, ProcessKind, StorageMode


@dataclass(frozen=True, slots=True)
class Step:
    """``taken``: the chosen label is enabled and not cut, and ``after`` is its target. ``error``: the evaluation of the
    chosen label fails. Neither holds of a choice that is no enabled label."""

    before: SymbolicState
    choices: Choices
    picked: Packed | None
    after: SymbolicState
    taken: Bit
    error: Bit
    label_is: dict[str, Bit]

    @property
    def bits(self) -> tuple[Bit, ...]:
        return self.choices.bits

    @property
    def micro(self) -> tuple[Step, ...]:
        return (self,)

    def label(self, shape: Shape, bit: ReadBit) -> Label:
        """The label that a model chose."""
        return read_label(shape, self.choices, self.before, bit)

    def is_idle(self, bit: ReadBit) -> bool:
        return IDLE.name in self.label_is and bit(self.label_is[IDLE.name])


def step(
    c: Circuit,
    shape: Shape,
    before: SymbolicState,
    kinds: tuple[Kind, ...] | None = None,
    given: Given = FREE,
    *,
    reached: bool = False,
) -> Step:
    """A step from a state, with new free choices. ``kinds``: only of labels of these, by default of all. ``reached``:
    the state before is the end of a run, so it is within the bounds on messages."""
    kinds = label_kinds(shape) if kinds is None else kinds
    return _StepBuilder(c, shape, before, kinds, given, reached=reached).build()


class _StepBuilder:
    def __init__(
        self,
        c: Circuit,
        shape: Shape,
        before: SymbolicState,
        kinds: tuple[Kind, ...],
        given: Given,
        *,
        reached: bool,
    ) -> None:
        self.c, self.shape, self.before, self.reached = c, shape, before, reached
        self.system = shape.system
        self.buffered = self.system.storage is StorageMode.BUFFERED
        self.chosen = choices(c, before, shape, kinds, given)
        receives = any(kind.uses_message for kind in kinds)
        self.picked = picked_message(c, self.chosen, before) if receives else None
        self.actor = tuple(is_atom(c, self.chosen.process, name) for name in shape.processes)
        self.kinds = tuple(kind for kind in self.system.kinds)
        self.members = {kind.name: [i for i, k in enumerate(shape.kinds) if k is kind] for kind in self.kinds}
        self.own = {kind.name: self._own(kind) for kind in self.kinds}
        able = deliverable(c, self.system.network.kind, before.messages) if receives else []
        slots = self.chosen.slot_is if receives else ()
        self.deliverable = c.some(c.conjunction(a, b) for a, b in zip(able, slots, strict=True))
        # A moment later than every message already there (only fifo networks look at it).
        self.now = 1 + max((slot.stamp.high for slot in before.messages), default=0)
        self.budget = {rule: i for i, (rule, _) in enumerate(shape.budgets)}
        self.runs: list[tuple[Bit, Run]] = []
        self.enabled: list[Bit] = []
        self.consumed: Bit = FALSE
        self.memories: dict[str, list[tuple[Bit, list[Symbolic]]]] = {kind.name: [] for kind in self.kinds}
        self.records: dict[str, list[Written]] = {kind.name: [] for kind in self.kinds}
        self.sent: list[Sent] = []
        self.fresh = 0  # how many of the last slots after it are of messages sent in it
        self.crashing: Bit = FALSE
        self.flushing: Bit = FALSE
        self.disk = list(before.disk)
        self.up = list(before.up)

    def build(self) -> Step:
        c, chosen, before = self.c, self.chosen, self.before
        idle: Bit = FALSE
        for bit, kind in zip(chosen.is_kind, chosen.kinds, strict=True):
            path = c.conjunction(bit, self._affordable(kind.name))
            if kind is IDLE:
                idle = bit
            elif kind.rule is not None:
                self._rule(kind, bit, path)
            elif kind.name == "flush":
                self._flush(bit, path)
            elif kind.name == "crash":
                self._crash(bit, path)
            elif kind.name == "restart":
                self._restart(path)
            else:
                self._drop_or_duplicate(kind.name, path)
        after = self._after()
        sends = c.some(sent.there for sent in self.sent)
        bounded = TRUE
        if sends != FALSE:
            network = self.system.network.kind
            old = len(after.messages) - self.fresh if self.reached else 0
            bounded = c.implies(sends, within_bounds(c, network, self.system.bounds, after.messages, old))
        pending = storage.within_pending(c, after, self.system.bounds.pending, len(self.shape.processes))
        taken = c.every((c.some(self.enabled), chosen.canonical, bounded, pending))
        taken, failed = self._constrained(after, taken)
        taken = c.disjunction(taken, c.conjunction(idle, chosen.canonical))
        error = c.disjunction(c.some(run.stopped_by_error for _, run in self.runs), failed)
        label_is: dict[str, Bit] = {}
        for bit, kind in zip(chosen.is_kind, chosen.kinds, strict=True):
            label_is[kind.name] = c.disjunction(label_is.get(kind.name, FALSE), bit)
        return Step(before, chosen, self.picked, after, taken, c.conjunction(error, chosen.canonical), label_is)

    def _constrained(self, after: SymbolicState, taken: Bit) -> tuple[Bit, Bit]:
        """Cuts where a constraint is false of the target; also where its evaluation fails."""
        c, failed = self.c, FALSE
        for constraint in self.system.constraints:
            frame = Frame(c, self.shape, after, taken)
            holds = frame.boolean(constraint.expr)
            failed = c.disjunction(failed, frame.error)
            taken = c.every((taken, frame.error ^ 1, holds))
        return taken, failed

    # ---------------------------------------------------------------------------------------- labels

    def _own(self, kind: ProcessKind) -> list[Symbolic]:
        """The memory of the acting process, if it is of this kind."""
        memories = [(self.actor[i], self.before.memory[i]) for i in self.members[kind.name]]
        count = len(self.system.variables_of(kind.name))
        return [select_value(self.c, [(here, memory[v]) for here, memory in memories]) for v in range(count)]

    def _who(self, kind: ProcessKind) -> Symbolic:
        elements = kind.sort.elements
        if len(elements) == 1:
            return atom(elements[0], elements)
        return as_elements(self.c, self.chosen.process, elements)

    def _affordable(self, name: str) -> Bit:
        if name not in self.budget:
            return TRUE
        position = self.budget[name]
        return less(self.c, self.before.budgets[position], number(self.shape.budgets[position][1]))

    def _up(self, kind: ProcessKind) -> Bit:
        """A process of this kind acts, and is up."""
        return self.c.some(self.c.conjunction(self.actor[i], self.before.up[i]) for i in self.members[kind.name])

    def _rule(self, label: Kind, bit: Bit, path: Bit) -> None:
        c, shape, rule = self.c, self.shape, label.rule
        assert rule is not None
        kind = self.system.kind(rule.kind) if rule.kind is not None else None
        if kind is not None:
            path = c.conjunction(path, self._up(kind))
        if rule.message is not None:
            path = c.conjunction(path, self._receives(rule.message.name))
        if path == FALSE:
            return
        run = Run(c, shape, self.before, path)
        if kind is not None:
            run.act_as(kind.name, self.actor, self._who(kind), self.own[kind.name])
        if rule.message is not None:
            assert rule.message_name is not None
            assert self.picked is not None
            run.local[rule.message_name] = shape.unpack_message(c, self.picked, rule.message)
        values = rule_parameters(self.chosen.parameters, rule)
        run.local.update({p.name: v for p, v in zip(rule.parameters, values, strict=True)})
        run.block(rule.body)
        self._finish(run, bit, kind, flushing=False)
        if rule.message is not None:
            self.consumed = c.disjunction(self.consumed, c.conjunction(bit, run.kept ^ 1))

    def _receives(self, message: str) -> Bit:
        """The chosen message is of this type, can be delivered, and is for the acting process."""
        if self.picked is None:
            return FALSE
        c, destination = self.c, self.picked.destination
        mine = c.some(
            c.conjunction(self.actor[i], is_atom(c, destination, name)) for i, name in enumerate(self.shape.processes)
        )
        return c.every((self.deliverable, self.shape.has_type(c, self.picked, message), mine))

    def _finish(self, run: Run, bit: Bit, kind: ProcessKind | None, *, flushing: bool) -> None:
        """Ends the last storage record, and says which of the run's messages wait for a flush."""
        c = self.c
        waits = FALSE
        if kind is not None:
            if kind.has_storage and self.buffered:
                run.end_record()
                members = self.members[kind.name]
                pending = [c.conjunction(self.actor[i], storage.has_pending(c, self.before, i)) for i in members]
                waits = c.some([*([] if flushing else pending), *(w.there for w in run.written)])
            elif kind.has_storage and kind.on_flush:
                pairs = zip(run.durable(), run.last, strict=True)
                run.branch(c.every(equal(c, a, b) for a, b in pairs) ^ 1, kind.on_flush, ())
            self.memories[kind.name].append((bit, run.own))
            self.records[kind.name] = overlaid_records(c, bit, run.written, self.records[kind.name])
        sent = [Sent(s.there, s.message, c.conjunction(s.fsynced, waits)) for s in run.sent]
        self.sent = overlaid_sends(c, bit, sent, self.sent)
        self.enabled.append(run.path)
        self.runs.append((bit, run))

    def _flush(self, bit: Bit, path: Bit) -> None:
        c = self.c
        self.flushing = bit
        state = storage.flushed(c, self.shape, self.before, self.actor, self.now)
        for kind in self.kinds:
            if kind.has_storage:
                ready = c.some(
                    c.every((self.actor[i], self.before.up[i], storage.has_pending(c, self.before, i)))
                    for i in self.members[kind.name]
                )
                run = Run(c, self.shape, state, c.conjunction(path, ready))
                run.act_as(kind.name, self.actor, self._who(kind), self.own[kind.name])
                run.block(kind.on_flush)
                # Only of this kind: what a run leaves as it was would undo what another kind's has written.
                acts = c.some(self.actor[i] for i in self.members[kind.name])
                self._finish(run, c.conjunction(bit, acts), kind, flushing=True)
        self._put_disks(bit, {i: disk for i, disk in enumerate(state.disk) if disk is not None})

    def _put_disks(self, bit: Bit, disks: dict[int, tuple[Symbolic, ...]]) -> None:
        for i, new in disks.items():
            old = self.disk[i]
            assert old is not None
            here = self.c.conjunction(bit, self.actor[i])
            self.disk[i] = tuple(choose(self.c, here, a, b) for a, b in zip(new, old, strict=True))

    def _crash(self, bit: Bit, path: Bit) -> None:
        c = self.c
        self.crashing = bit
        for kind in self.kinds:
            if kind.crashes:
                record, possible = storage.surviving(c, self.shape, self.before, self.actor, kind, self.chosen.keep)
                memory = storage.after_crash(c, self.shape, self.actor, kind, record)
                self.memories[kind.name].append((bit, memory))
                self._put_disks(bit, dict.fromkeys(self.members[kind.name], record))
                self.enabled.append(c.every((path, self._up(kind), possible)))
        for i, here in enumerate(self.actor):
            self.up[i] = c.conjunction(self.up[i], c.conjunction(bit, here) ^ 1)

    def _restart(self, path: Bit) -> None:
        c = self.c
        for i, kind in enumerate(self.shape.kinds):
            if kind.crashes:
                restarts = c.every((path, self.actor[i], self.before.up[i] ^ 1))
                self.enabled.append(restarts)
                self.up[i] = c.disjunction(self.up[i], restarts)

    def _drop_or_duplicate(self, name: str, path: Bit) -> None:
        c = self.c
        happens = c.conjunction(path, self.deliverable)
        if happens == FALSE or self.picked is None:
            return
        self.enabled.append(happens)
        if name == "drop":
            self.consumed = c.disjunction(self.consumed, happens)
        else:
            self.sent = overlaid_sends(c, happens, [Sent(happens, self.picked, FALSE)], self.sent)

    # -------------------------------------------------------------------------------------- the target

    def _after(self) -> SymbolicState:
        c, before = self.c, self.before
        memory = list(before.memory)
        for kind in self.kinds:
            changes = self.memories[kind.name]
            acts = c.some(bit for bit, _ in changes)
            own = list(self.own[kind.name])
            for bit, values in changes:
                own = [choose(c, bit, new, old) for new, old in zip(values, own, strict=True)]
            for i in self.members[kind.name]:
                here = c.conjunction(acts, self.actor[i])
                memory[i] = tuple(choose(c, here, new, old) for new, old in zip(own, before.memory[i], strict=True))
        shared, ghosts = list(before.shared), list(before.ghosts)
        for bit, run in self.runs:
            shared = [choose(c, bit, new, old) for new, old in zip(run.shared, shared, strict=True)]
            ghosts = [choose(c, bit, new, old) for new, old in zip(run.ghosts, ghosts, strict=True)]
        after = replace(
            before,
            memory=tuple(memory),
            disk=tuple(self.disk),
            pending=self._pending(),
            up=tuple(self.up),
            shared=tuple(shared),
            ghosts=tuple(ghosts),
            messages=self._messages(),
            budgets=self._budgets(),
        )
        if not self.buffered:
            disks = (None if d is None else storage.durable_of(self.shape, after, i) for i, d in enumerate(self.disk))
            after = replace(after, disk=tuple(disks))
        return after

    def _pending(self) -> tuple[PendingRecord, ...]:
        c = self.c
        emptied = c.disjunction(self.flushing, self.crashing)
        gone = tuple(c.conjunction(emptied, here) for here in self.actor)
        pending = list(storage.without_pending(c, self.before, gone))
        for kind in self.kinds:
            for written in self.records[kind.name]:
                mine = self.members[kind.name]
                actors = (here if i in mine else FALSE for i, here in enumerate(self.actor))
                of = tuple(c.conjunction(written.there, here) for here in actors)
                pending.append(PendingRecord(of, written.record))
        return tuple(record for record in pending if any(bit != FALSE for bit in record.of))

    def _messages(self) -> tuple[Slot, ...]:
        c, shape = self.c, self.shape
        stays = self.system.network.kind is NetworkKind.SET
        stamped: Number = number(self.now + len(self.before.messages))
        slots = []
        for j, slot in enumerate(self.before.messages):
            mine = storage.sender_acts(c, shape, self.actor, slot) if slot.waiting != FALSE else FALSE
            leaves = c.every((slot.waiting, mine, self.flushing))
            lost = c.every((slot.waiting, mine, self.crashing))
            removed = FALSE if stays else c.conjunction(self.consumed, self.chosen.slot_is[j])
            in_network = c.disjunction(c.conjunction(slot.in_network, removed ^ 1), leaves)
            waiting = c.every((slot.waiting, leaves ^ 1, lost ^ 1))
            stamp = choose(c, leaves, number(self.now + j), slot.stamp) if shape.fifo else slot.stamp
            slots.append(Slot(slot.message, in_network, waiting, cast(Number, stamp)))
        for j, sent in enumerate(self.sent):
            waits = c.conjunction(sent.there, sent.fsynced)
            stamp_ = self._stamp_of_duplicate(stamped) if j == 0 else add(c, stamped, number(j))
            slots.append(Slot(sent.message, c.conjunction(sent.there, sent.fsynced ^ 1), waits, stamp_))
        there = [slot.in_network != FALSE or slot.waiting != FALSE for slot in slots]
        self.fresh = sum(there[len(self.before.messages) :])
        return tuple(slot for slot, possible in zip(slots, there, strict=True) if possible)

    def _stamp_of_duplicate(self, otherwise: Number) -> Number:
        """A duplicate stands where its original does; any other first message comes last."""
        names = [kind.name for kind in self.chosen.kinds]
        if not self.shape.fifo or "duplicate" not in names or not self.before.messages:
            return otherwise
        stamps = [(here, s.stamp) for here, s in zip(self.chosen.slot_is, self.before.messages, strict=True)]
        original = select_value(self.c, stamps)
        return cast(Number, choose(self.c, self.chosen.is_kind[names.index("duplicate")], original, otherwise))

    def _budgets(self) -> tuple[Number, ...]:
        c = self.c
        budgets = list(self.before.budgets)
        for bit, kind in zip(self.chosen.is_kind, self.chosen.kinds, strict=True):
            if kind.name in self.budget:
                position = self.budget[kind.name]
                spent = budgets[position]
                limit = max(self.shape.budgets[position][1], spent.low)
                more = ranged(add(c, spent, number(1)), min(spent.low + 1, limit), limit)
                budgets[position] = cast(Number, choose(c, bit, more, spent))
        return tuple(budgets)
