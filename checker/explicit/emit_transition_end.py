"""How one transition ends: its last record, its messages, the bounds, and the successor appended."""

from __future__ import annotations

from dataclasses import dataclass

from checker.explicit.context import COPIES, ERROR, OUT, PENDING, SLOTS
from checker.explicit.emit_code import unreachable_if_unused
from checker.explicit.emit_frame import Own, read_bits, write_bits, write_value
from checker.explicit.emit_records import Records, durable_record
from checker.explicit.emit_statements import Running
from checker.explicit.emit_transition_begin import Arguments, Spent, record_of
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import BIT, FALSE, I64, number
from checker.explicit.layout import Place
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import IntShape
from spec.system import NetworkKind, Storage


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a running transition. ``spent``: what it takes from its rule's budget."""

    of: Transitions
    running: Running
    given: Arguments
    spent: Spent | None

    def finish(self, slot: Ssa | None, *, records: bool) -> None:
        """Ends the last record, lets messages go or wait, checks the bounds and appends the successor. ``slot``: of the
        message that a handler consumes. ``records``: the body may end records of its own."""
        running, code, frame, own = self.running, self.running.code, self.running.frame, self.running.frame.own
        durable: set[str] = set()
        if own is not None and own.layout.kind.has_storage:
            variables = self.of.system.variables_of(own.layout.kind.name, Storage.DURABLE)
            durable = {variable.name for variable in variables} & frame.cells.keys()
        if durable and running.records is not None:
            running.records.end()
        elif durable:
            self._flush_at_once(own)
        target = self.target()
        for name, cell in frame.cells.items():
            if own is not None and name in own.layout.variables:
                shape, place = own.layout.variables[name]
                write_value(code, target, own.base, place, shape, cell.get())
            else:
                shape, place = self.of.layout.common[name]
                write_value(code, target, 0, place, shape, cell.get())
        if own is not None and durable and running.records is None:
            write_bits(code, target, own.base, own.layout.disk, durable_record(frame))
        writes = running.records if durable or records else None
        if own is not None and writes is not None:
            self._write_records(writes, own, target)
        if slot is not None or running.messages is not None:
            self._write_pool(target, slot)
        if writes is not None:
            self._bound_pending(writes)
        self.commit(target)

    def target(self) -> Ssa:
        """Where the successor's words go, to begin with a copy of the state's."""
        running = self.running
        target = running.code.at(record_of(self.of, running.code, self.given.context), 1)
        running.code.copy(target, running.frame.state, self.of.layout.words)
        return target

    def _flush_at_once(self, own: Own | None) -> None:
        """Atomic storage: if a durable variable changed, the disk has it, and then `on flush` runs."""
        running, code, frame = self.running, self.running.code, self.running.frame
        assert own is not None
        on_flush = own.layout.kind.on_flush
        if not on_flush:
            return
        record = durable_record(frame)
        before = read_bits(code, frame.state, own.base, own.layout.disk)

        def flushed() -> None:
            state, scratch = frame.state, code.cell(I64, self.of.layout.words)
            code.copy(scratch, state, self.of.layout.words)
            write_bits(code, scratch, own.base, own.layout.disk, record)
            frame.state = scratch
            running.block(on_flush)
            frame.state = state

        code.if_(code.negation(code.is_equal(record, before)), flushed)

    def _write_records(self, records: Records, own: Own, target: Ssa) -> None:
        code = self.running.code
        written = code.get(records.written, I64)
        for i, place in enumerate(own.layout.records):
            new = code.both(code.is_less_equal(records.before, number(i)), code.is_less(number(i), written))

            def write(i: int = i, place: Place = place) -> None:
                record = code.get(code.at(records.new, i, records.type), records.type)
                write_bits(code, target, own.base, place, record)

            code.if_(new, write)
        room = number(records.room)
        kept = code.select(code.is_less(room, written), room, written)
        write_bits(code, target, own.base, own.layout.pending, kept)

    def _bound_pending(self, records: Records) -> None:
        running, code, bound = self.running, self.running.code, self.of.system.bounds.pending
        written = code.get(records.written, I64)
        if bound is not None:
            running.cut_unless(code.is_less_equal(written, number(bound)), f"max_pending = {bound}")
        else:
            running.overflow_unless(code.is_less_equal(written, number(records.room)), PENDING)

    def _write_pool(self, target: Ssa, slot: Ssa | None) -> None:
        running, code, access = self.running, self.running.code, self.of.pool
        work = access.cell(code)
        access.copy(code, work, running.frame.pool())
        if slot is not None and self.of.system.network.kind is not NetworkKind.SET:
            kept = code.get(running.kept, BIT)
            code.if_(kept, lambda: None, lambda: code.b.call(access.remove, [work, slot]) and None)
        if running.messages is not None:
            self._let_go(work)
            sent = code.is_less(number(0), code.get(running.sent, I64))
            code.if_(sent, lambda: self.bound_sent(work))
        code.b.call(access.store, [work, target])

    def _let_go(self, work: Ssa) -> None:
        """What was sent enters the network; after an fsync the outbox, if anything is pending."""
        running, code, access = self.running, self.running.code, self.of.pool
        type_ = access.key_type
        waits: Ssa = FALSE
        if running.records is not None:
            waits = code.is_less(number(0), code.get(running.records.written, I64))
        last = code.sub(code.get(running.sent, I64), number(1))
        bit = ir.Constant(type_, 1 << self.of.layout.waiting_shift)

        def let_go(i: Ssa) -> None:  # in program order: what was sent after the fsync stands behind the rest
            key = code.get(code.at(running.messages, i, type_), type_)
            stays = code.both(access.waits(code, key), waits)
            bare = code.low_bits(key, self.of.layout.waiting_shift)
            moved = code.either(bare, code.select(stays, bit, ir.Constant(type_, 0)))
            code.b.call(access.insert, [work, moved, number(1)])

        code.for_range(number(0), last, let_go)

    def bound_sent(self, work: Ssa) -> None:
        """The bounds that are checked at the end of a transition that sends or duplicates."""
        running, code = self.running, self.running.code
        bounds, access = self.of.system.bounds, self.of.pool
        if bounds.in_flight is not None:
            total = code.b.call(access.total_of, [work])
            within = code.is_less_equal(total, number(bounds.in_flight))
            running.cut_unless(within, f"max_in_flight = {bounds.in_flight}")
        if bounds.copies is not None or bounds.in_flight is None:
            copies = code.b.call(access.copies_of, [work])
            if bounds.copies is not None:
                within = code.is_less_equal(copies, number(bounds.copies))
                running.cut_unless(within, f"max_copies = {bounds.copies}")
            elif not access.fifo:
                running.overflow_unless(code.is_less_equal(copies, number(1 << self.of.layout.copy_bits)), COPIES)
        fits = code.is_less_equal(access.size(code, work), number(self.of.layout.slots))
        running.overflow_unless(fits, SLOTS)

    def commit(self, target: Ssa) -> None:
        """Appends the successor, whose words stand in the target, if the constraints hold."""
        running, given, code = self.running, self.given, self.running.code
        if self.spent is not None:
            value = self.spent.value
            write_value(code, target, 0, self.spent.place, IntShape(0, value.high), value)
        for name, function in self.of.constraints:
            holds = code.b.call(function, [target])
            code.leave_if(code.is_equal(holds, number(ERROR)), running.exits.error)
            running.cut_unless(code.is_equal(holds, number(1)), f"constraint {name}")
        code.put(record_of(self.of, code, given.context), given.label)
        record = code.word(given.context, OUT)
        code.put_word(given.context, OUT, code.add(record, number(8 * (self.of.layout.words + 1))))
        code.b.ret(number(0))
        for phi in (running.exits.cut, running.exits.overflow):
            unreachable_if_unused(phi)
        code.finish()
