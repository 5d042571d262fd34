"""The system actions flush, crash, restart, drop and duplicate as functions that append a label's successor."""

from __future__ import annotations

from typing import Any

from checker.explicit.blocks import assigned, mentions
from checker.explicit.emit_code import Code
from checker.explicit.emit_exits import exits_of
from checker.explicit.emit_frame import Frame, read_bits, read_value, region_of, write_bits, write_value
from checker.explicit.emit_packing import unpacked
from checker.explicit.emit_pool import VOID
from checker.explicit.emit_positions import at_position
from checker.explicit.emit_statements import Running
from checker.explicit.emit_transition_begin import begun, own_of, spent
from checker.explicit.emit_transition_end import Ending
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import I64, POINTER, number, register
from checker.explicit.emit_values import Int
from checker.explicit.layout import KindLayout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import IntShape, bits, pack, shape_of
from spec.system import EndRecord, Storage


def flush_function(of: Transitions, kind: KindLayout) -> Any:
    code, given = begun(of, f"flush.{kind.kind.name}")
    exits = exits_of(code, given.context)
    state, pool = code.cell(I64, of.layout.words), of.pool.cell(code)
    code.prologue.call(_flushed(of, kind), [given.state, given.pool, given.local, state, pool])
    frame = Frame(code, of.layout, state, lambda: pool, of.pool, exits.error)
    frame.own = own_of(code, kind, given.local)
    frame.local["self"] = at_position(code, given.local, shape_of(kind.kind.sort))
    frame.changing(assigned(kind.kind.on_flush))
    running = Running(frame, "flush", of.cuts, exits, every_order=of.every_order)
    running.block(kind.kind.on_flush)
    Ending(of, running, given, None).finish(None, records=mentions(kind.kind.on_flush, EndRecord))
    return code.function


def crash_function(of: Transitions, kind: KindLayout) -> Any:
    ending = _plain(of, f"crash.{kind.kind.name}", "crash", kind)
    code, given, own = ending.running.code, ending.given, ending.running.frame.own
    assert own is not None
    target = ending.target()
    record = _newest(code, given.state, kind, own.base, given.choice)
    write_bits(code, target, own.base, kind.disk, record)
    _clear_records(code, target, kind, own.base)
    fields = iter(getattr(unpacked(code, record, kind.record), "fields", ()))
    for variable in of.system.variables_of(kind.kind.name):
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
    if of.layout.slots and of.layout.buffered:
        work = of.pool.cell(code)
        _empty_outbox(of, code, given.pool, work, own.index, to_network=False)
        code.b.call(of.pool.store, [work, target])
    _put_up(of, code, target, own.index, up=False)
    ending.commit(target)
    return code.function


def restart_function(of: Transitions, kind: KindLayout) -> Any:
    ending = _plain(of, f"restart.{kind.kind.name}", "restart", kind)
    code, own = ending.running.code, ending.running.frame.own
    assert own is not None
    target = ending.target()
    _put_up(of, code, target, own.index, up=True)
    ending.commit(target)
    return code.function


def drop_or_duplicate_function(of: Transitions, rule: str) -> Any:
    ending = _plain(of, rule, rule, None)
    code, given, access = ending.running.code, ending.given, of.pool
    work = access.cell(code)
    access.copy(code, work, given.pool)
    target = ending.target()
    if rule == "drop":
        code.b.call(access.remove, [work, given.choice])
    else:
        _duplicate(of, code, work, given.choice)
        ending.bound_sent(work)
    code.b.call(access.store, [work, target])
    ending.commit(target)
    return code.function


def _plain(of: Transitions, name: str, rule: str, kind: KindLayout | None) -> Ending:
    """A system action's function, begun: its budget is spent, and only its end is left."""
    code, given = begun(of, name)
    exits = exits_of(code, given.context)
    frame = Frame(code, of.layout, given.state, lambda: given.pool, of.pool, exits.error)
    budget = spent(of, code, given.state, rule, exits)
    running = Running(frame, rule, of.cuts, exits, every_order=of.every_order)
    if kind is not None:
        frame.own = own_of(code, kind, given.local)
    return Ending(of, running, given, budget)


def _flushed(of: Transitions, kind: KindLayout) -> Any:
    """(state, pool, local, new state, new pool): the state as a flush leaves it, before `on flush`."""
    type_ = ir.FunctionType(VOID, [POINTER, POINTER, I64, POINTER, POINTER])
    function = ir.Function(of.module, type_, f"flushed.{kind.kind.name}")
    function.linkage = "internal"
    function.attributes.add("noinline")
    code, access = Code(function), of.pool
    state, pool, local, new, new_pool = function.args
    state, new = code.bounded(state, of.layout.words), code.bounded(new, of.layout.words)
    pool, new_pool = code.bounded(pool, access.words), code.bounded(new_pool, access.words)
    base = region_of(code, kind, local)
    code.copy(new, state, of.layout.words)
    pending = read_value(code, state, base, kind.pending, IntShape(0, len(kind.records)))
    assert isinstance(pending, Int)
    write_bits(code, new, base, kind.disk, _newest(code, state, kind, base, pending.number))
    _clear_records(code, new, kind, base)
    if of.layout.slots:
        _empty_outbox(of, code, pool, new_pool, code.add(local, number(kind.first)), to_network=True)
        code.b.call(access.store, [new_pool, new])
    else:
        access.set_size(code, new_pool, number(0))
    code.b.ret_void()
    code.finish()
    return function


def _newest(code: Code, state: Ssa, kind: KindLayout, base: Ssa, keep: Ssa) -> Ssa:
    """The record that stands after the first ``keep`` pending ones."""
    found = read_bits(code, state, base, kind.disk)
    for i, place in enumerate(kind.records):
        found = code.select(code.is_less(number(i), keep), read_bits(code, state, base, place), found)
    return found


def _clear_records(code: Code, state: Ssa, kind: KindLayout, base: Ssa) -> None:
    for place in (*kind.records, kind.pending):
        write_bits(code, state, base, place, ir.Constant(register(place.width), 0))


def _empty_outbox(of: Transitions, code: Code, pool: Ssa, new: Ssa, process: Ssa, *, to_network: bool) -> None:
    """Copies a pool without a process's outbox; its messages go to the network, or are lost."""
    access = of.pool
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
            bare = code.low_bits(key, of.layout.waiting_shift)
            code.b.call(access.insert, [new, bare, access.copies(code, pool, i)])

        code.if_(is_its(key), insert)

    code.for_range(number(0), last, keep)
    if to_network:
        code.for_range(number(0), last, send)


def _put_up(of: Transitions, code: Code, target: Ssa, index: Ssa, *, up: bool) -> None:
    piece = of.layout.up.pieces[0]
    bit = code.shift_left(number(1), code.add(index, number(piece.shift)))
    word = code.word(target, piece.word)
    new = code.either(word, bit) if up else code.both(word, code.b.xor(bit, number(-1)))
    code.put_word(target, piece.word, new)


def _duplicate(of: Transitions, code: Code, work: Ssa, slot: Ssa) -> None:
    """One copy more; in a fifo network right behind the message."""
    access = of.pool
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
