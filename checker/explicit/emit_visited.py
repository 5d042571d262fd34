"""The visited set as code: a state's hash, the slot where it belongs, and its insertion if it is not there.

An open-addressing table of 32-bit tag and 32-bit index into the store (0: free), compared with the stored words: exact.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import Code, declared, new_function
from checker.explicit.emit_types import I32, I64, POINTER, number
from checker.explicit.emit_worker import WorkerAccess
from checker.explicit.llvm import Ssa, ir
from checker.explicit.worker import Word


class VisitedCode:
    """Emits the functions on the visited set into a module."""

    def __init__(self, module: Any, worker: WorkerAccess) -> None:
        self.module, self.worker, self.words = module, worker, worker.words

    def emit_hash(self) -> None:
        code = new_function(self.module, "hash", I64, POINTER)
        state = code.bounded(code.function.args[0], self.words)
        lanes: list[Ssa] = [number(0x2545F4914F6CDD1D), number(0x1B873593CC9E2D51)]  # two chains that overlap in time
        for word in range(self.words):
            h = code.b.mul(code.b.xor(lanes[word % 2], code.word(state, word)), number(-7046029254386353131))
            lanes[word % 2] = code.b.xor(h, code.b.lshr(h, number(32)))
        h = code.b.mul(
            code.b.xor(code.b.mul(lanes[0], number(-7046029254386353131)), lanes[1]), number(-4417276706812531889)
        )
        h = code.b.mul(code.b.xor(h, code.b.lshr(h, number(32))), number(-4417276706812531889))
        h = code.b.xor(h, code.b.lshr(h, number(29)))
        code.b.ret(h)
        code.finish()

    def owner(self, code: Code, worker: Ssa, h: Ssa) -> Ssa:
        """By the low half of the hash: the table's slots go by the high one."""
        return code.b.lshr(code.b.mul(code.low_bits(h, 32), code.word(worker, Word.WORKERS)), number(32))

    def slot(self, code: Code, worker: Ssa, tag: Ssa) -> Ssa:
        return code.b.and_(tag, code.word(worker, Word.MASK))

    def _prefetch(self, code: Code, address: Ssa) -> None:
        type_ = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        prefetch = declared(self.module, "llvm.prefetch.p0", type_)
        code.b.call(prefetch, [address, ir.Constant(I32, 0), ir.Constant(I32, 3), ir.Constant(I32, 1)])

    def expect_slot(self, code: Code, worker: Ssa, h: Ssa) -> None:
        """Asks for the slot of a hash, long before it is looked at."""
        table = self.worker.pointer(code, worker, Word.TABLE)
        self._prefetch(code, code.at(table, self.slot(code, worker, code.b.lshr(h, number(32)))))

    def expect_state(self, code: Code, worker: Ssa, h: Ssa) -> None:
        """Asks for the state that the slot of a hash names: mostly it is the same state, and must be compared."""
        table = self.worker.pointer(code, worker, Word.TABLE)
        entry = code.low_bits(code.word(table, self.slot(code, worker, code.b.lshr(h, number(32)))), 32)
        free = code.is_equal(entry, number(0))
        index = code.select(free, number(0), code.b.sub(entry, number(1)))
        if self.worker.fingerprints:
            self._prefetch(code, code.at(self.worker.pointer(code, worker, Word.FINGERPRINTS), index))
            return
        state = self.worker.state(code, worker, index, Word.STATES)
        self._prefetch(code, state)
        if self.words > 1:
            self._prefetch(code, code.at(state, self.words - 1))

    def emit_insert(self) -> None:
        """(worker, state, hash, parent): stores a state that is not there."""
        code = new_function(self.module, "insert", ir.VoidType(), POINTER, POINTER, I64, I64)
        worker, state, h, parent = code.function.args
        worker, state = code.bounded(worker, len(Word)), code.bounded(state, self.words)
        table, mask = self.worker.pointer(code, worker, Word.TABLE), code.word(worker, Word.MASK)
        tag = code.b.lshr(h, number(32))
        probe, free, taken, same_tag, following, done = (code.block() for _ in range(6))
        first = self.slot(code, worker, tag)
        before = code.b.block
        code.b.branch(probe)
        code.b.position_at_end(probe)
        at = code.b.phi(I64)
        at.add_incoming(first, before)
        entry = code.word(table, at)
        code.b.cbranch(code.is_equal(entry, number(0)), free, taken)

        code.b.position_at_end(taken)
        code.b.cbranch(code.is_equal(code.b.lshr(entry, number(32)), tag), same_tag, following)

        code.b.position_at_end(same_tag)
        index = code.b.sub(code.low_bits(entry, 32), number(1))
        code.b.cbranch(self._is_there(code, worker, index, state, h), done, following)

        code.b.position_at_end(following)
        at.add_incoming(code.both(code.add(at, number(1)), mask), following)
        code.b.branch(probe)

        code.b.position_at_end(free)
        count = code.word(worker, Word.COUNT)
        code.copy(self.worker.state(code, worker, count, Word.STATES), state, self.words)
        if self.worker.fingerprints:
            code.put_word(self.worker.pointer(code, worker, Word.FINGERPRINTS), count, h)
        parents = self.worker.pointer(code, worker, Word.PARENTS)
        code.put(code.at(parents, count, I32), code.resize(parent, I32))
        new_count = code.add(count, number(1))
        code.put_word(table, at, code.either(code.shift_left(tag, number(32)), new_count))
        code.put_word(worker, Word.COUNT, new_count)
        code.b.branch(done)
        code.b.position_at_end(done)
        code.b.ret_void()
        code.finish()

    def _is_there(self, code: Code, worker: Ssa, index: Ssa, state: Ssa, h: Ssa) -> Ssa:
        """Whether a stored state is this one; by fingerprints: whether it has the same hash."""
        if self.worker.fingerprints:
            return code.is_equal(code.word(self.worker.pointer(code, worker, Word.FINGERPRINTS), index), h)
        other = self.worker.state(code, worker, index, Word.STATES)
        difference: Ssa = number(0)
        for word in range(self.words):
            difference = code.either(difference, code.b.xor(code.word(other, word), code.word(state, word)))
        return code.is_equal(difference, number(0))

    def emit_rehash(self) -> None:
        """(worker, part of an old table, its size): puts these entries into a new table, which has none of them. No
        state is looked at: an entry's tag says where it belongs, and neighbours stay neighbours."""
        code = new_function(self.module, "rehash", ir.VoidType(), POINTER, POINTER, I64, exported=True)
        worker, old, size = code.function.args
        worker, old = code.bounded(worker, len(Word)), code.bounded(old, lambda: size)

        def put(i: Ssa) -> None:
            entry = code.word(old, i)
            taken = code.negation(code.is_equal(entry, number(0)))
            code.if_(taken, lambda: self._put_entry(code, worker, entry))

        code.for_range(number(0), code.sub(size, number(1)), put)
        code.b.ret_void()
        code.finish()

    def emit_recall(self) -> None:
        """(worker, first, end): puts these states of the store into the table, which has none of them."""
        code = new_function(self.module, "recall", ir.VoidType(), POINTER, I64, I64, exported=True)
        worker = self.worker.given(code)
        first, end = code.function.args[1:]

        def put(i: Ssa) -> None:
            tag = code.b.lshr(code.call("hash", self.worker.state(code, worker, i, Word.STATES)), number(32))
            self._put_entry(code, worker, code.either(code.shift_left(tag, number(32)), code.add(i, number(1))))

        code.for_range(first, code.sub(end, number(1)), put)
        code.b.ret_void()
        code.finish()

    def _put_entry(self, code: Code, worker: Ssa, entry: Ssa) -> None:
        """Puts an entry that is not there into the first free slot from its own on."""
        table, mask = self.worker.pointer(code, worker, Word.TABLE), code.word(worker, Word.MASK)
        first = code.b.and_(code.b.lshr(entry, number(32)), mask)
        before, probe, free = code.b.block, code.block(), code.block()
        code.b.branch(probe)
        code.b.position_at_end(probe)
        at = code.b.phi(I64)
        at.add_incoming(first, before)
        at.add_incoming(code.b.and_(code.b.add(at, number(1)), mask), probe)
        code.b.cbranch(code.is_equal(code.word(table, at), number(0)), free, probe)
        code.b.position_at_end(free)
        code.put_word(table, at, entry)
