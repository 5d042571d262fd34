"""The messages in flight, unpacked while code works on them: how many slots, each one's copies, each one's key.

Slots stand in the order of their keys; in a fifo network in that of their channels (waiting, source, destination) and
within one in the order they were sent. The functions here are emitted once for a system.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_types import BIT, I64, POINTER, number, register
from checker.explicit.layout import WORD, Layout
from checker.explicit.llvm import Ssa, ir
from spec.system import NetworkKind

VOID = ir.VoidType()


class Pool:
    """The functions that work on unpacked pools, and access to what is in one."""

    def __init__(self, module: Any, layout: Layout, sends: int) -> None:
        """``sends``: how many messages one transition may send."""
        self.module, self.layout, self.sends = module, layout, sends
        self.fifo = layout.system.network.kind is NetworkKind.FIFO
        self.set = layout.system.network.kind is NetworkKind.SET
        self.key_type = register(layout.key_bits)
        self.key_words = self.key_type.width // 64
        self.most = layout.slots + sends + 2
        self.words = 1 + self.most * (1 + self.key_words)
        self.load = self._function("pool_load", VOID, POINTER, POINTER)  # from a state's words
        self.store = self._function("pool_store", VOID, POINTER, POINTER)  # into a state's words
        self.insert = self._function("pool_insert", VOID, POINTER, self.key_type, I64)
        self.remove = self._function("pool_remove", VOID, POINTER, I64)
        self.copies_of = self._function("pool_copies", I64, POINTER)  # the largest number of copies of one message
        self.total_of = self._function("pool_total", I64, POINTER)

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        function = ir.Function(self.module, ir.FunctionType(result, arguments), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        return function

    def emit(self) -> None:
        self._load()
        self._store()
        self._insert()
        self._remove()
        self._copies()
        self._total()

    # ------------------------------------------------------------------------------------------- access

    def cell(self, code: Code) -> Ssa:
        return code.cell(I64, self.words)

    def _given(self, code: Code, pool: Ssa) -> Ssa:
        return code.bounded(pool, self.words)

    def size(self, code: Code, pool: Ssa) -> Ssa:
        return code.word(pool, 0)

    def set_size(self, code: Code, pool: Ssa, size: Ssa) -> None:
        code.put_word(pool, 0, size)

    def copies(self, code: Code, pool: Ssa, i: Ssa) -> Ssa:
        return code.word(pool, code.add(i, number(1)))

    def set_copies(self, code: Code, pool: Ssa, i: Ssa, copies: Ssa) -> None:
        code.put_word(pool, code.add(i, number(1)), copies)

    def key(self, code: Code, pool: Ssa, i: Ssa) -> Ssa:
        return code.get(self._key_at(code, pool, i), self.key_type)

    def set_key(self, code: Code, pool: Ssa, i: Ssa, key: Ssa) -> None:
        code.put(self._key_at(code, pool, i), key)

    def _key_at(self, code: Code, pool: Ssa, i: Ssa) -> Ssa:
        return code.at(code.at(pool, 1 + self.most), i, self.key_type)

    def part(self, code: Code, key: Ssa, shift: int, width: int) -> Ssa:
        return code.low_bits(code.resize(code.shift_right(key, number(shift)), I64), width)

    def waits(self, code: Code, key: Ssa) -> Ssa:
        return code.resize(self.part(code, key, self.layout.waiting_shift, 1), BIT)

    def tag(self, code: Code, key: Ssa) -> Ssa:
        return self.part(code, key, self.layout.tag_shift, self.layout.tag_bits)

    def source(self, code: Code, key: Ssa) -> Ssa:
        return self.part(code, key, self.layout.source_shift, self.layout.process_bits)

    def destination(self, code: Code, key: Ssa) -> Ssa:
        return self.part(code, key, self.layout.destination_shift, self.layout.process_bits)

    def channel(self, code: Code, key: Ssa) -> Ssa:
        """Waiting, source and destination."""
        return code.shift_right(key, number(self.layout.destination_shift))

    def is_deliverable(self, code: Code, pool: Ssa, i: Ssa, key: Ssa) -> Ssa:
        """In the network, and the head of its channel in a fifo one."""
        here = code.negation(self.waits(code, key))
        if not self.fifo:
            return here
        first = code.is_equal(i, number(0))
        before = self.key(code, pool, code.select(first, number(0), code.sub(i, number(1))))
        other = code.negation(code.is_equal(self.channel(code, before), self.channel(code, key)))
        return code.both(here, code.disjunction(first, other))

    def copy(self, code: Code, to: Ssa, source: Ssa) -> None:
        code.copy(to, source, self.words)

    # ---------------------------------------------------------------------------------------- functions

    def _slot_words(self, code: Code, state: Ssa, i: Ssa) -> tuple[Ssa, Ssa]:
        """The word that a slot begins in, and its lowest bit there."""
        layout = self.layout
        per = number(layout.slots_per_word)
        word = code.b.udiv(i, per) if layout.slots_per_word > 1 else i
        shift = code.mul(code.b.urem(i, per), number(layout.slot_bits)) if layout.slots_per_word > 1 else number(0)
        at = code.add(number(layout.pool_base), code.mul(word, number(layout.words_per_slot)))
        return code.at(state, at), shift

    def _load(self) -> None:
        layout = self.layout
        code = Code(self.load)
        state, pool = code.bounded(self.load.args[0], layout.words), self._given(code, self.load.args[1])
        done = code.block()
        type_ = register(layout.slot_bits)
        self.set_size(code, pool, number(0))

        def slot(i: Ssa) -> None:
            at, shift = self._slot_words(code, state, i)
            found = ir.Constant(type_, 0)
            if layout.words_per_slot == 1:
                found = code.low_bits(code.shift_right(code.word(at, 0), shift), layout.slot_bits)
                found = code.resize(found, type_)
            else:
                for part in range(layout.words_per_slot):
                    word = code.resize(code.word(at, part), type_)
                    found = code.either(found, code.shift_left(word, ir.Constant(type_, part * WORD)))
            code.leave_if(code.is_equal(found, ir.Constant(type_, 0)), done)
            copies = code.add(code.resize(code.low_bits(found, layout.copy_bits), I64), number(1))
            key = code.resize(code.shift_right(found, number(layout.copy_bits)), self.key_type)
            self.set_key(code, pool, i, key)
            self.set_copies(code, pool, i, copies)
            self.set_size(code, pool, code.add(i, number(1)))

        code.for_range(number(0), number(layout.slots - 1), slot)
        code.b.branch(done)
        code.b.position_at_end(done)
        code.b.ret_void()
        code.finish()

    def _store(self) -> None:
        layout = self.layout
        code = Code(self.store)
        pool, state = self._given(code, self.store.args[0]), code.bounded(self.store.args[1], layout.words)
        type_ = register(layout.slot_bits)
        for word in range(layout.pool_words):
            code.put_word(state, layout.pool_base + word, number(0))

        def slot(i: Ssa) -> None:
            at, shift = self._slot_words(code, state, i)
            key = code.resize(self.key(code, pool, i), type_)
            copies = code.resize(code.sub(self.copies(code, pool, i), number(1)), type_)
            code.fits(copies, layout.copy_bits, "a number of copies")
            new = code.either(code.shift_left(key, number(layout.copy_bits)), code.low_bits(copies, layout.copy_bits))
            if layout.words_per_slot == 1:
                code.put_word(at, 0, code.either(code.word(at, 0), code.shift_left(code.resize(new, I64), shift)))
            else:
                for part in range(layout.words_per_slot):
                    word = code.low_bits(code.resize(code.shift_right(new, number(part * WORD)), I64), WORD)
                    code.put_word(at, part, word)

        code.ensure(
            lambda: code.is_less_equal(self.size(code, pool), number(layout.slots)), "more messages than slots"
        )
        last = code.sub(self.size(code, pool), number(1))
        code.for_range(number(0), last, slot)
        code.b.ret_void()
        code.finish()

    def _insert(self) -> None:
        """Adds copies of a message: to its slot, or a new slot in its place. In a network set, one that is there
        already stays one."""
        code = Code(self.insert)
        pool, new, copies = self.insert.args
        pool = self._given(code, pool)
        size = self.size(code, pool)
        found, place = code.block("found"), code.block("place")
        at = code.cell(I64)
        code.put(at, size)

        def look(i: Ssa) -> None:
            key = self.key(code, pool, i)
            code.put(at, i)
            if self.fifo:
                later = code.b.icmp_unsigned(">", self.channel(code, key), self.channel(code, new))
            else:
                code.leave_if(code.is_equal(key, new), found)
                later = code.b.icmp_unsigned(">", key, new)
            code.leave_if(later, place)
            code.put(at, size)

        code.for_range(number(0), code.sub(size, number(1)), look)
        code.b.branch(place)
        code.b.position_at_end(place)
        where = code.get(at, I64)

        def move(i: Ssa) -> None:  # from the last slot down to the place
            low = code.sub(code.add(where, code.sub(size, number(1))), i)
            up = code.add(low, number(1))
            self.set_key(code, pool, up, self.key(code, pool, low))
            self.set_copies(code, pool, up, self.copies(code, pool, low))

        code.for_range(where, code.sub(size, number(1)), move)
        self.set_key(code, pool, where, new)
        self.set_copies(
            code, pool, where, code.select(self.waits(code, new), copies, number(1)) if self.set else copies
        )
        self.set_size(code, pool, code.add(size, number(1)))
        code.b.ret_void()
        code.b.position_at_end(found)
        if not self.fifo:
            here = code.get(at, I64)
            more = code.add(self.copies(code, pool, here), copies)
            if self.set:
                more = code.select(self.waits(code, new), more, number(1))
            self.set_copies(code, pool, here, more)
        code.b.ret_void()
        code.finish()

    def _remove(self) -> None:
        """Takes one copy out of a slot; a slot without copies goes."""
        code = Code(self.remove)
        pool, i = self.remove.args
        pool = self._given(code, pool)
        left = code.sub(self.copies(code, pool, i), number(1))
        self.set_copies(code, pool, i, left)
        gone, done = code.block(), code.block()
        code.b.cbranch(code.is_equal(left, number(0)), gone, done)
        code.b.position_at_end(gone)
        last = code.sub(self.size(code, pool), number(1))

        def move(j: Ssa) -> None:
            above = code.add(j, number(1))
            self.set_key(code, pool, j, self.key(code, pool, above))
            self.set_copies(code, pool, j, self.copies(code, pool, above))

        code.for_range(i, code.sub(last, number(1)), move)
        self.set_size(code, pool, last)
        code.b.branch(done)
        code.b.position_at_end(done)
        code.b.ret_void()
        code.finish()

    def _copies(self) -> None:
        """Of one message, those waiting in outboxes and those in the network together."""
        code = Code(self.copies_of)
        pool = self._given(code, self.copies_of.args[0])
        most, sum_ = code.cell(I64), code.cell(I64)
        code.put(most, number(0))
        last = code.sub(self.size(code, pool), number(1))
        width = self.layout.waiting_shift

        def outer(i: Ssa) -> None:
            mine = code.low_bits(self.key(code, pool, i), width)
            code.put(sum_, number(0))

            def inner(j: Ssa) -> None:
                same = code.is_equal(mine, code.low_bits(self.key(code, pool, j), width))
                more = code.select(same, self.copies(code, pool, j), number(0))
                code.put(sum_, code.add(code.get(sum_, I64), more))

            code.for_range(number(0), last, inner)
            found = code.get(sum_, I64)
            code.put(most, code.select(code.is_less(code.get(most, I64), found), found, code.get(most, I64)))

        code.for_range(number(0), last, outer)
        code.b.ret(code.get(most, I64))
        code.finish()

    def _total(self) -> None:
        code = Code(self.total_of)
        pool = self._given(code, self.total_of.args[0])
        total = code.cell(I64)
        code.put(total, number(0))

        def add(i: Ssa) -> None:
            code.put(total, code.add(code.get(total, I64), self.copies(code, pool, i)))

        code.for_range(number(0), code.sub(self.size(code, pool), number(1)), add)
        code.b.ret(code.get(total, I64))
        code.finish()
