"""All transitions of a system as code: a function for each rule and each system action, and one that fires them all.

``successors(context, state)`` appends a record for every enabled label: the label, then the words of the successor.
Evaluated in the order of spec.evaluate: what a budget forbids first, then the body, the bounds on messages in flight,
on pending records, and the constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from checker.explicit.emit_code import BIT, FALSE, I64, POINTER, TRUE, Code, number, register
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_frame import (
    Frame,
    Own,
    read_bits,
    read_message,
    read_value,
    region_of,
    write_bits,
    write_value,
)
from checker.explicit.emit_pool import VOID, Pool
from checker.explicit.emit_statements import (
    COPIES,
    PENDING,
    SLOTS,
    Cuts,
    Exits,
    Running,
    assigned,
    mentions,
    most_sends,
)
from checker.explicit.emit_values import Int, at_position, unpacked
from checker.explicit.layout import KindLayout, Layout, Place
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import IntShape, bits, count, pack, shape_of
from spec import system as nodes
from spec.grains import alone
from spec.system import Grain, NetworkKind, Storage

OUT, LABEL, CUTS, COUNTERS = range(4)
"""Words of a context: where the next record goes, the label that failed, how often something was cut in all, and from
``COUNTERS`` on how often each numbered cut did."""

ERROR, OVERFLOW = 2, 16
"""What a function returns: 0, ``ERROR``, or ``OVERFLOW`` plus the number of the capacity."""

SYSTEM_ACTIONS = ("flush", "crash", "restart", "drop", "duplicate")


@dataclass(frozen=True, slots=True)
class _Arguments:
    """A rule function's: the acting process's position in its kind, which choice, slot or keep, and the label."""

    context: Ssa
    state: Ssa
    pool: Ssa
    local: Ssa
    choice: Ssa
    label: Ssa


class Transitions:
    """Emits the transitions of one system into a module."""

    def __init__(self, module: Any, layout: Layout, most: int, *, every_order: bool = False) -> None:
        """``most``: how many successors a state can have; the caller has room for so many. ``every_order``: a loop over
        a symmetric set fails if one of its rounds does, in whatever order they are."""
        self.module, self.layout, self.system, self.most = module, layout, layout.system, most
        self.every_order = every_order
        self.pool = Pool(module, layout, self._most_sends())
        self.cuts = Cuts()
        self.budgets = {rule: i for i, (rule, _) in enumerate(layout.budgets)}
        self.numbers: dict[str, list[int]] = {}  # the label kinds of each rule: `on any` has several
        macros = [macro.name for macro in self.system.macros] if self.system.grain is Grain.MACRO else []
        for i, name in enumerate((*(rule.name for rule in self.system.rules), *SYSTEM_ACTIONS, *macros)):
            self.numbers.setdefault(name, []).append(i)
        self.constraints: list[tuple[str, Any]] = []
        self.made: dict[str, Any] = {}

    def emit(self) -> None:
        self.pool.emit()
        for constraint in self.system.constraints:
            self.constraints.append((constraint.name, self._constraint(constraint)))

    def once(self, what: str, make: Callable[[], Any]) -> Any:
        """The function of a rule or a system action, which several labels of macros may need."""
        if what not in self.made:
            self.made[what] = make()
        return self.made[what]

    def _most_sends(self) -> int:
        limit = self.layout.capacity.sends
        on_flush = {kind.name: most_sends(kind.on_flush, limit) for kind in self.system.kinds}
        bodies = [most_sends(rule.body, limit) + on_flush.get(rule.kind or "", 0) for rule in self.system.rules]
        return min(limit, max([*bodies, *on_flush.values()], default=0))

    def _constraint(self, constraint: nodes.Property) -> Any:
        """1 where it holds, 0 where not, ERROR."""
        function = ir.Function(self.module, ir.FunctionType(I64, [POINTER]), f"constraint.{constraint.name}")
        function.linkage = "internal"
        code = Code(function)
        error = code.block("error")
        frame = self.property_frame(code, function.args[0], error)
        code.b.ret(code.resize(Expressions(frame).boolean(constraint.expr), I64))
        code.b.position_at_end(error)
        code.b.ret(number(ERROR))
        code.finish()
        return function

    def property_frame(self, code: Code, state: Ssa, error: Any) -> Frame:
        """What a property reads: a state, whose pool is unpacked when it is asked for."""
        state = code.bounded(state, self.layout.words)
        loaded: list[Ssa] = []

        def pool() -> Ssa:
            if not loaded:
                loaded.append(self.pool.cell(code))
                code.prologue.call(self.pool.load, [state, loaded[0]])
            return loaded[0]

        return Frame(code, self.layout, state, pool, self.pool, error)

    # ------------------------------------------------------------------------------------- one transition

    def _function(self, name: str) -> tuple[Code, _Arguments]:
        type_ = ir.FunctionType(I64, [POINTER, POINTER, POINTER, I64, I64, I64])
        function = ir.Function(self.module, type_, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        for argument in function.args[:3]:
            argument.add_attribute("noalias")
        code, (context, state, pool, *choice) = Code(function), function.args
        context = code.bounded_context(context)
        state, pool = code.bounded(state, self.layout.words), code.bounded(pool, self.pool.words)
        return code, _Arguments(context, state, pool, *choice)

    def _record(self, code: Code, context: Ssa) -> Ssa:
        """Where the label and the words of the next successor go."""
        return code.bounded(code.b.inttoptr(code.word(context, OUT), POINTER), self.layout.words + 1)

    def _exits(self, code: Code, context: Ssa) -> Exits:
        """The ways out, written already: a count of the cut, and what is returned."""
        body = code.b
        code.b = ir.IRBuilder(code.block("none"))
        none = code.b.block
        code.b.ret(number(0))
        code.b = ir.IRBuilder(code.block("error"))
        error = code.b.block
        code.b.ret(number(ERROR))
        code.b = ir.IRBuilder(code.block("cut"))
        cut = code.b.phi(I64)
        for counter in (code.add(cut, number(COUNTERS)), number(CUTS)):
            code.put_word(context, counter, code.add(code.word(context, counter), number(1)))
        code.b.ret(number(0))
        code.b = ir.IRBuilder(code.block("overflow"))
        overflow = code.b.phi(I64)
        code.b.ret(code.add(overflow, number(OVERFLOW)))
        code.b = body
        return Exits(none, error, cut, overflow)

    def _own(self, code: Code, kind: KindLayout, local: Ssa) -> Own:
        body = code.b
        code.b = code.prologue
        own = Own(kind, local, code.add(local, number(kind.first)), region_of(code, kind, local))
        code.b = body
        return own

    def _rule(self, which: int, rule: nodes.Rule) -> Any:
        code, given = self._function(f"rule.{which}.{rule.name}")
        layout = self.layout
        exits = self._exits(code, given.context)
        frame = Frame(code, layout, given.state, lambda: given.pool, self.pool, exits.error)
        body = rule.body
        if rule.kind is not None:
            kind = layout.kinds[rule.kind]
            frame.own = self._own(code, kind, given.local)
            frame.local["self"] = at_position(code, given.local, shape_of(kind.kind.sort))
            if kind.kind.has_storage and not layout.buffered:
                body = (*body, *kind.kind.on_flush)
        budget = self._spend(code, given.state, rule.name, exits)
        frame.changing(assigned(body))
        if rule.message is not None:
            assert rule.message_name is not None
            assert not rule.parameters, "a handler's choice is its message"
            key = self.pool.key(code, given.pool, given.choice)
            frame.local[rule.message_name] = read_message(code, layout, layout.messages[rule.message.name], key)
        choice = given.choice
        for parameter in reversed(rule.parameters):
            shape = shape_of(parameter.sort)
            size = number(count(shape))
            frame.local[parameter.name] = at_position(code, code.b.urem(choice, size), shape)
            choice = code.b.udiv(choice, size)
        running = Running(frame, rule.name, self.cuts, exits, every_order=self.every_order)
        running.block(rule.body)
        slot = given.choice if rule.message is not None else None
        self._finish(running, given, slot, budget, mentions(rule.body, nodes.EndRecord))
        return code.function

    def _spend(self, code: Code, state: Ssa, rule: str, exits: Exits) -> tuple[Place, Int] | None:
        """Not enabled if the rule's budget is used up; else what is then spent, and where that stands."""
        if rule not in self.budgets:
            return None
        which = self.budgets[rule]
        limit, place = self.layout.budgets[which][1], self.layout.budget_places[which]
        spent = read_value(code, state, 0, place, IntShape(0, limit))
        assert isinstance(spent, Int)
        code.go_on(code.is_less(spent.number, number(limit)), exits.none)
        return place, Int(code.add(spent.number, number(1)), 0, limit)

    def _finish(
        self, running: Running, given: _Arguments, slot: Ssa | None, budget: tuple[Place, Int] | None, records: bool
    ) -> None:
        """Ends the last record, lets messages go or wait, checks the bounds and appends the successor."""
        code, frame, own = running.code, running.frame, running.frame.own
        durable: set[str] = set()
        if own is not None and own.layout.kind.has_storage:
            variables = self.system.variables_of(own.layout.kind.name, Storage.DURABLE)
            durable = {variable.name for variable in variables} & frame.cells.keys()
        buffered = running.stores and self.layout.buffered
        if durable and buffered:
            running.end_record()
        elif durable:
            self._flush_at_once(running, own)
        target = code.at(self._record(code, given.context), 1)
        code.copy(target, frame.state, self.layout.words)
        for name, cell in frame.cells.items():
            if own is not None and name in own.layout.variables:
                shape, place = own.layout.variables[name]
                write_value(code, target, own.base, place, shape, cell.get())
            else:
                shape, place = self.layout.common[name]
                write_value(code, target, 0, place, shape, cell.get())
        if own is not None and durable and not buffered:
            write_bits(code, target, own.base, own.layout.disk, running.durable_record())
        if own is not None and buffered and (durable or records):
            self._write_records(running, own, target)
        if slot is not None or running.messages is not None:
            self._write_pool(running, target, slot)
        if own is not None and buffered and (durable or records):
            self._bound_pending(running)
        self._commit(running, given, target, budget)

    def _flush_at_once(self, running: Running, own: Own | None) -> None:
        """Atomic storage: if a durable variable changed, the disk has it, and then `on flush` runs."""
        code, frame = running.code, running.frame
        assert own is not None
        on_flush = own.layout.kind.on_flush
        if not on_flush:
            return
        record = running.durable_record()
        before = read_bits(code, frame.state, own.base, own.layout.disk)

        def flushed() -> None:
            state, scratch = frame.state, code.cell(I64, self.layout.words)
            code.copy(scratch, state, self.layout.words)
            write_bits(code, scratch, own.base, own.layout.disk, record)
            frame.state = scratch
            running.block(on_flush)
            frame.state = state

        code.if_(code.negation(code.is_equal(record, before)), flushed)

    def _write_records(self, running: Running, own: Own, target: Ssa) -> None:
        code = running.code
        written = code.get(running.written, I64)
        for i, place in enumerate(own.layout.records):
            new = code.both(code.is_less_equal(running.before, number(i)), code.is_less(number(i), written))

            def write(i: int = i, place: Place = place) -> None:
                record = code.get(code.at(running.records, i, running.record_type), running.record_type)
                write_bits(code, target, own.base, place, record)

            code.if_(new, write)
        room = number(running.room)
        kept = code.select(code.is_less(room, written), room, written)
        write_bits(code, target, own.base, own.layout.pending, kept)

    def _bound_pending(self, running: Running) -> None:
        code, bound = running.code, self.system.bounds.pending
        written = code.get(running.written, I64)
        if bound is not None:
            running.cut_unless(code.is_less_equal(written, number(bound)), f"max_pending = {bound}")
        else:
            running.overflow_unless(code.is_less_equal(written, number(running.room)), PENDING)

    def _write_pool(self, running: Running, target: Ssa, slot: Ssa | None) -> None:
        code, access = running.code, self.pool
        work = access.cell(code)
        access.copy(code, work, running.frame.pool())
        if slot is not None and self.system.network.kind is not NetworkKind.SET:
            kept = code.get(running.kept, BIT)
            code.if_(kept, lambda: None, lambda: code.b.call(access.remove, [work, slot]) and None)
        if running.messages is not None:
            self._let_go(running, work)
            sent = code.is_less(number(0), code.get(running.sent, I64))
            code.if_(sent, lambda: self._bound_sent(running, work))
        code.b.call(access.store, [work, target])

    def _let_go(self, running: Running, work: Ssa) -> None:
        """What was sent enters the network; after an fsync the outbox, if anything is pending."""
        code, access, type_ = running.code, self.pool, self.pool.key_type
        waits: Ssa = FALSE
        if running.stores and self.layout.buffered:
            waits = code.is_less(number(0), code.get(running.written, I64))
        last = code.sub(code.get(running.sent, I64), number(1))
        bit = ir.Constant(type_, 1 << self.layout.waiting_shift)

        def let_go(i: Ssa) -> None:  # in program order: what was sent after the fsync stands behind the rest
            key = code.get(code.at(running.messages, i, type_), type_)
            stays = code.both(access.waits(code, key), waits)
            bare = code.low_bits(key, self.layout.waiting_shift)
            moved = code.either(bare, code.select(stays, bit, ir.Constant(type_, 0)))
            code.b.call(access.insert, [work, moved, number(1)])

        code.for_range(number(0), last, let_go)

    def _bound_sent(self, running: Running, work: Ssa) -> None:
        """The bounds that are checked at the end of a transition that sends or duplicates."""
        code, bounds, access = running.code, self.system.bounds, self.pool
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
                running.overflow_unless(code.is_less_equal(copies, number(1 << self.layout.copy_bits)), COPIES)
        fits = code.is_less_equal(access.size(code, work), number(self.layout.slots))
        running.overflow_unless(fits, SLOTS)

    def _commit(self, running: Running, given: _Arguments, target: Ssa, budget: tuple[Place, Int] | None) -> None:
        code = running.code
        if budget is not None:
            place, spent = budget
            write_value(code, target, 0, place, IntShape(0, spent.high), spent)
        for name, function in self.constraints:
            holds = code.b.call(function, [target])
            code.leave_if(code.is_equal(holds, number(ERROR)), running.exits.error)
            running.cut_unless(code.is_equal(holds, number(1)), f"constraint {name}")
        code.put(self._record(code, given.context), given.label)
        record = code.word(given.context, OUT)
        code.put_word(given.context, OUT, code.add(record, number(8 * (self.layout.words + 1))))
        code.b.ret(number(0))
        self._close(running.exits)
        code.finish()

    def _close(self, exits: Exits) -> None:
        """A φ that nothing comes to is no valid code: its block becomes unreachable."""
        for phi in (exits.cut, exits.overflow):
            if not phi.incomings:
                block = phi.parent
                block.instructions.clear()
                block.terminator = None
                ir.IRBuilder(block).unreachable()

    # ------------------------------------------------------------------------------------ system actions

    def _plain(self, name: str, rule: str, kind: KindLayout | None) -> tuple[Running, _Arguments, Any]:
        """A system action's function, begun: its budget is spent and the successor's words are a copy."""
        code, given = self._function(name)
        exits = self._exits(code, given.context)
        frame = Frame(code, self.layout, given.state, lambda: given.pool, self.pool, exits.error)
        budget = self._spend(code, given.state, rule, exits)
        running = Running(frame, rule, self.cuts, exits, every_order=self.every_order)
        if kind is not None:
            frame.own = self._own(code, kind, given.local)
        return running, given, budget

    def _target(self, running: Running, given: _Arguments) -> Ssa:
        code = running.code
        target = code.at(self._record(code, given.context), 1)
        code.copy(target, running.frame.state, self.layout.words)
        return target

    def _newest(self, code: Code, state: Ssa, kind: KindLayout, base: Ssa, keep: Ssa) -> Ssa:
        """The record that stands after the first ``keep`` pending ones."""
        found = read_bits(code, state, base, kind.disk)
        for i, place in enumerate(kind.records):
            found = code.select(code.is_less(number(i), keep), read_bits(code, state, base, place), found)
        return found

    def _clear_records(self, code: Code, state: Ssa, kind: KindLayout, base: Ssa) -> None:
        for place in (*kind.records, kind.pending):
            write_bits(code, state, base, place, ir.Constant(register(place.width), 0))

    def _flushed(self, kind: KindLayout) -> Any:
        """(state, pool, local, new state, new pool): the state as a flush leaves it, before `on flush`."""
        type_ = ir.FunctionType(VOID, [POINTER, POINTER, I64, POINTER, POINTER])
        function = ir.Function(self.module, type_, f"flushed.{kind.kind.name}")
        function.linkage = "internal"
        function.attributes.add("noinline")
        code, access = Code(function), self.pool
        state, pool, local, new, new_pool = function.args
        state, new = code.bounded(state, self.layout.words), code.bounded(new, self.layout.words)
        pool, new_pool = code.bounded(pool, access.words), code.bounded(new_pool, access.words)
        base = region_of(code, kind, local)
        code.copy(new, state, self.layout.words)
        pending = read_value(code, state, base, kind.pending, IntShape(0, len(kind.records)))
        assert isinstance(pending, Int)
        write_bits(code, new, base, kind.disk, self._newest(code, state, kind, base, pending.number))
        self._clear_records(code, new, kind, base)
        if self.layout.slots:
            self._empty_outbox(code, pool, new_pool, code.add(local, number(kind.first)), to_network=True)
            code.b.call(access.store, [new_pool, new])
        else:
            access.set_size(code, new_pool, number(0))
        code.b.ret_void()
        code.finish()
        return function

    def _empty_outbox(self, code: Code, pool: Ssa, new: Ssa, process: Ssa, *, to_network: bool) -> None:
        """Copies a pool without a process's outbox; its messages go to the network, or are lost."""
        access = self.pool
        access.set_size(code, new, number(0))
        last = code.sub(access.size(code, pool), number(1))

        def is_its(key: Ssa) -> Ssa:
            return code.both(access.waits(code, key), code.is_equal(access.source(code, key), process))

        def keep(i: Ssa) -> None:
            key = access.key(code, pool, i)

            def append() -> None:
                size = access.size(code, new)
                access.set_key(code, new, size, key)
                access.set_copies(code, new, size, access.copies(code, pool, i))
                access.set_size(code, new, code.add(size, number(1)))

            code.if_(is_its(key), lambda: None, append)

        def send(i: Ssa) -> None:
            key = access.key(code, pool, i)

            def insert() -> None:
                bare = code.low_bits(key, self.layout.waiting_shift)
                code.b.call(access.insert, [new, bare, access.copies(code, pool, i)])

            code.if_(is_its(key), insert)

        code.for_range(number(0), last, keep)
        if to_network:
            code.for_range(number(0), last, send)

    def _flush(self, kind: KindLayout) -> Any:
        code, given = self._function(f"flush.{kind.kind.name}")
        exits = self._exits(code, given.context)
        state, pool = code.cell(I64, self.layout.words), self.pool.cell(code)
        code.prologue.call(self._flushed(kind), [given.state, given.pool, given.local, state, pool])
        frame = Frame(code, self.layout, state, lambda: pool, self.pool, exits.error)
        frame.own = self._own(code, kind, given.local)
        frame.local["self"] = at_position(code, given.local, shape_of(kind.kind.sort))
        frame.changing(assigned(kind.kind.on_flush))
        running = Running(frame, "flush", self.cuts, exits, every_order=self.every_order)
        running.block(kind.kind.on_flush)
        self._finish(running, given, None, None, mentions(kind.kind.on_flush, nodes.EndRecord))
        return code.function

    def _crash(self, kind: KindLayout) -> Any:
        running, given, budget = self._plain(f"crash.{kind.kind.name}", "crash", kind)
        code, own = running.code, running.frame.own
        assert own is not None
        target = self._target(running, given)
        record = self._newest(code, given.state, kind, own.base, given.choice)
        write_bits(code, target, own.base, kind.disk, record)
        self._clear_records(code, target, kind, own.base)
        fields = iter(getattr(unpacked(code, record, kind.record), "fields", ()))
        for variable in self.system.variables_of(kind.kind.name):
            shape, place = kind.variables[variable.name]
            if variable.storage is Storage.DURABLE:
                write_value(code, target, own.base, place, shape, next(fields))
                continue
            type_ = register(bits(shape))
            new = ir.Constant(type_, pack(shape, variable.initial[0]))
            for i, initial in enumerate(variable.initial):
                if initial != variable.initial[0]:
                    here = code.is_equal(given.local, number(i))
                    new = code.select(here, ir.Constant(type_, pack(shape, initial)), new)
            write_bits(code, target, own.base, place, new)
        if self.layout.slots and self.layout.buffered:
            work = self.pool.cell(code)
            self._empty_outbox(code, given.pool, work, own.index, to_network=False)
            code.b.call(self.pool.store, [work, target])
        self._put_up(code, target, own.index, up=False)
        self._commit(running, given, target, budget)
        return code.function

    def _put_up(self, code: Code, target: Ssa, index: Ssa, *, up: bool) -> None:
        piece = self.layout.up.pieces[0]
        bit = code.shift_left(number(1), code.add(index, number(piece.shift)))
        word = code.word(target, piece.word)
        new = code.either(word, bit) if up else code.both(word, code.b.xor(bit, number(-1)))
        code.put_word(target, piece.word, new)

    def _restart(self, kind: KindLayout) -> Any:
        running, given, budget = self._plain(f"restart.{kind.kind.name}", "restart", kind)
        assert running.frame.own is not None
        target = self._target(running, given)
        self._put_up(running.code, target, running.frame.own.index, up=True)
        self._commit(running, given, target, budget)
        return running.code.function

    def _drop_or_duplicate(self, rule: str) -> Any:
        running, given, budget = self._plain(rule, rule, None)
        code, access = running.code, self.pool
        work = access.cell(code)
        access.copy(code, work, given.pool)
        target = self._target(running, given)
        if rule == "drop":
            code.b.call(access.remove, [work, given.choice])
        else:
            self._duplicate(code, work, given.choice)
            self._bound_sent(running, work)
        code.b.call(access.store, [work, target])
        self._commit(running, given, target, budget)
        return code.function

    def _duplicate(self, code: Code, work: Ssa, slot: Ssa) -> None:
        """One copy more; in a fifo network right behind the message."""
        access = self.pool
        if not access.fifo:
            access.set_copies(code, work, slot, code.add(access.copies(code, work, slot), number(1)))
            return
        size = access.size(code, work)
        last = code.sub(size, number(1))

        def move(i: Ssa) -> None:  # from the last slot down to this one
            low = code.sub(code.add(slot, last), i)
            up = code.add(low, number(1))
            access.set_key(code, work, up, access.key(code, work, low))
            access.set_copies(code, work, up, access.copies(code, work, low))

        code.for_range(slot, last, move)
        access.set_size(code, work, code.add(size, number(1)))

    # -------------------------------------------------------------------------------------- all of them

    def leave_room(self, code: Code, context: Ssa, begin: Ssa) -> None:
        """In a checked module: there is room for one more successor; if not, it takes the place of the first."""
        if code.checks is None:
            return
        here, room = code.word(context, OUT), number(8 * (self.layout.words + 1) * (self.most - 1))
        fits = code.is_less_equal(code.sub(here, begin), room)
        code.ensure(lambda: fits, "more successors than there is room for")
        code.put_word(context, OUT, code.select(fits, here, begin))

    def successors(self, macros: Sequence[tuple[int, Any]] = ()) -> None:
        """Fires every label of a state. ``macros``: each one's number and its function, see emit_macros."""
        function = ir.Function(self.module, ir.FunctionType(I64, [POINTER, POINTER]), "successors")
        function.linkage = "internal"
        for argument in function.args:
            argument.add_attribute("noalias")
        code = Code(function)
        context, state = code.bounded_context(function.args[0]), code.bounded(function.args[1], self.layout.words)
        pool, begin = self.pool.cell(code), code.word(context, OUT)
        if self.layout.slots:
            code.b.call(self.pool.load, [state, pool])
        else:
            self.pool.set_size(code, pool, number(0))
        failed = code.block("failed")
        body, code.b = code.b, ir.IRBuilder(failed)
        status, failing = code.b.phi(I64), code.b.phi(I64)
        code.put_word(context, LABEL, failing)
        code.b.ret(status)
        code.b = body

        def fire(rule: Any, which: int, local: Ssa, choice: Ssa, first: int = 0) -> None:
            label = code.either(number(which), code.shift_left(code.add(local, number(first)), number(16)))
            label = code.either(label, code.shift_left(choice, number(32)))
            self.leave_room(code, context, begin)
            result = code.b.call(rule, [context, state, pool, local, choice, label])
            status.add_incoming(result, code.b.block)
            failing.add_incoming(label, code.b.block)
            code.go_on(code.is_equal(result, number(0)), failed)

        for which, function in macros:
            result = code.b.call(function, [context, state, code.b.inttoptr(begin, POINTER)])
            status.add_incoming(result, code.b.block)
            failing.add_incoming(number(which), code.b.block)
            code.go_on(code.is_equal(result, number(0)), failed)
        Firing(self, code, state, pool, fire).all()
        code.b.ret(number(0))
        if not status.incomings:
            failed.instructions.clear()
            failed.terminator = None
            ir.IRBuilder(failed).unreachable()
        code.finish()


@dataclass(slots=True)
class Firing:
    """Writes the loops over processes, choices and slots that fire every label that may be enabled."""

    of: Transitions
    code: Code
    state: Ssa
    pool: Ssa
    fire: Callable[..., None]

    def all(self) -> None:
        for name in alone(self.of.system):
            self.named(name)

    def named(self, name: str) -> None:
        """All labels of a rule or a system action."""
        system, of = self.of.system, self.of
        kinds = [*of.layout.kinds.values()] if name in ("flush", "crash", "restart") else []
        which = of.numbers[name][-1]
        for kind in kinds:
            if name == "flush" and kind.records:
                self._flushes(which, kind)
            elif name == "crash" and kind.kind.crashes and system.bounds.crashes:
                self._crashes(which, kind)
            elif name == "restart" and kind.kind.crashes and of.layout.crashes:
                self._restarts(which, kind)
        if name in ("drop", "duplicate"):
            there = system.network.loss if name == "drop" else system.network.duplication
            if there and of.layout.slots:
                self._slots(of.once(name, lambda: of._drop_or_duplicate(name)), which)
        elif name not in SYSTEM_ACTIONS:
            for which in of.numbers[name]:
                self._rule(which, system.rules[which])

    def _is_up(self, index: Ssa) -> Ssa:
        if not self.of.layout.crashes:
            return TRUE
        code, piece = self.code, self.of.layout.up.pieces[0]
        word = code.shift_right(code.word(self.state, piece.word), code.add(index, number(piece.shift)))
        return code.resize(code.low_bits(word, 1), BIT)

    def _processes(self, kind: KindLayout, body: Callable[[Ssa], None], *, up: bool = True) -> None:
        code = self.code
        last = number(len(kind.kind.sort.elements) - 1)

        def process(local: Ssa) -> None:
            there = self._is_up(code.add(local, number(kind.first)))
            code.if_(there if up else code.negation(there), lambda: body(local))

        code.for_range(number(0), last, process)

    def _rule(self, which: int, rule: nodes.Rule) -> None:
        code, of = self.code, self.of
        choices = 1
        for parameter in rule.parameters:
            choices *= count(shape_of(parameter.sort))
        if rule.message is not None:
            if of.layout.slots and rule.message.name in of.layout.messages:
                self._handler(which, rule)
            return
        if not choices:
            return
        function = of.once(f"rule {which}", lambda: of._rule(which, rule))

        def choose(local: Ssa) -> None:
            code.for_range(number(0), number(choices - 1), lambda i: self.fire(function, which, local, i))

        if rule.kind is None:
            choose(number(0))
        else:
            self._processes(of.layout.kinds[rule.kind], choose)

    def _handler(self, which: int, rule: nodes.Rule) -> None:
        code, of = self.code, self.of
        assert rule.message is not None
        assert rule.kind is not None
        function = of.once(f"rule {which}", lambda: of._rule(which, rule))
        kind, access = of.layout.kinds[rule.kind], of.pool
        tag = number(of.layout.messages[rule.message.name].tag)

        def slot(i: Ssa) -> None:
            key = access.key(code, self.pool, i)
            able = code.both(access.is_deliverable(code, self.pool, i, key), code.is_equal(access.tag(code, key), tag))
            destination = access.destination(code, key)
            able = code.both(able, self._is_up(destination))
            local = code.sub(destination, number(kind.first))
            code.if_(able, lambda: self.fire(function, which, local, i))

        code.for_range(number(0), code.sub(access.size(code, self.pool), number(1)), slot)

    def _slots(self, function: Any, which: int) -> None:
        code, access = self.code, self.of.pool

        def slot(i: Ssa) -> None:
            able = access.is_deliverable(code, self.pool, i, access.key(code, self.pool, i))
            code.if_(able, lambda: self.fire(function, which, number(0), i))

        code.for_range(number(0), code.sub(access.size(code, self.pool), number(1)), slot)

    def _pending(self, kind: KindLayout, local: Ssa) -> Ssa:
        base = region_of(self.code, kind, local)
        found = read_value(self.code, self.state, base, kind.pending, IntShape(0, len(kind.records)))
        assert isinstance(found, Int)
        return found.number

    def _flushes(self, which: int, kind: KindLayout) -> None:
        code, of = self.code, self.of
        function = of.once(f"flush {kind.kind.name}", lambda: of._flush(kind))

        def process(local: Ssa) -> None:
            some = code.is_less(number(0), self._pending(kind, local))
            code.if_(some, lambda: self.fire(function, which, local, number(0), kind.first))

        self._processes(kind, process)

    def _crashes(self, which: int, kind: KindLayout) -> None:
        code, of = self.code, self.of
        function = of.once(f"crash {kind.kind.name}", lambda: of._crash(kind))

        def process(local: Ssa) -> None:
            keeps = self._pending(kind, local) if kind.records else number(0)
            code.for_range(number(0), keeps, lambda keep: self.fire(function, which, local, keep, kind.first))

        self._processes(kind, process)

    def _restarts(self, which: int, kind: KindLayout) -> None:
        of = self.of
        function = of.once(f"restart {kind.kind.name}", lambda: of._restart(kind))
        self._processes(kind, lambda local: self.fire(function, which, local, number(0), kind.first), up=False)
