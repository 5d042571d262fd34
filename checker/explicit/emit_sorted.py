"""Sorted runs of states as code: what keeps a search exact when its states are on disk.

States are ordered by their hash, and among equal hashes by their words. An *item* is two words, a state's hash and its
address; an address of 0 says that the state is known already.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import I32, I64, POINTER, Code, number
from checker.explicit.llvm import Ssa, ir

VOID = ir.VoidType()


class SortedCode:
    """Emits the functions on items and runs into a module that has ``hash``."""

    def __init__(self, module: Any, words: int) -> None:
        self.module, self.words = module, words

    def emit(self) -> None:
        self._compare_states()
        self._itemise()
        self._compare_items()
        self._sift()
        self._gather()

    def _function(self, name: str, result: Any, *arguments: Any) -> Code:
        return Code(ir.Function(self.module, ir.FunctionType(result, arguments), name))

    def _call(self, code: Code, name: str, *arguments: Ssa) -> Ssa:
        return code.b.call(self.module.globals[name], arguments)

    def _items(self, code: Code, items: Ssa, size: Ssa) -> Ssa:
        return code.bounded(items, lambda: code.mul(number(2), size))

    def _states(self, code: Code, states: Ssa, size: Ssa) -> Ssa:
        return code.bounded(states, lambda: code.mul(number(self.words), size))

    def _parents(self, code: Code, parents: Ssa, size: Ssa) -> Ssa:
        return code.bounded(parents, lambda: code.b.lshr(code.add(size, number(1)), number(1)))

    def _compare_states(self) -> None:
        """(state, state): -1, 0 or 1, by their words."""
        code = self._function("compare_states", I64, POINTER, POINTER)
        code.function.linkage = "internal"
        left, right = (code.bounded(state, self.words) for state in code.function.args)
        for word in range(self.words):
            a, b = code.word(left, word), code.word(right, word)
            leave = code.block()
            code.leave_if(code.negation(code.is_equal(a, b)), leave)
            rest = code.b.block
            code.b.position_at_end(leave)
            code.b.ret(code.select(code.is_less(a, b), number(-1), number(1)))
            code.b.position_at_end(rest)
        code.b.ret(number(0))
        code.finish()

    def _order(self, code: Code, hash_a: Ssa, a: Ssa, hash_b: Ssa, b: Ssa) -> Ssa:
        """-1, 0 or 1; the states are looked at only if their hashes are equal."""
        order = code.cell(I64)
        less = code.b.icmp_unsigned("<", hash_a, hash_b)
        code.put(order, code.select(less, number(-1), number(1)))
        same = code.is_equal(hash_a, hash_b)
        code.if_(same, lambda: code.put(order, self._call(code, "compare_states", a, b)))
        return code.get(order, I64)

    def _itemise(self) -> None:
        """(states, number, items): an item for each state."""
        code = self._function("itemise", VOID, POINTER, I64, POINTER)
        states, size, items = code.function.args
        states, items = self._states(code, states, size), self._items(code, items, size)

        def item(i: Ssa) -> None:
            state = code.at(states, code.mul(i, number(self.words)))
            at = code.at(items, code.mul(i, number(2)))
            code.put_word(at, 0, self._call(code, "hash", state))
            code.put_word(at, 1, code.b.ptrtoint(state, I64))

        code.for_range(number(0), code.sub(size, number(1)), item)
        code.b.ret_void()
        code.finish()

    def _compare_items(self) -> None:
        """(item, item): what C's qsort asks."""
        code = self._function("compare_items", I32, POINTER, POINTER)
        left, right = (code.bounded(item, 2) for item in code.function.args)
        states = [code.b.inttoptr(code.word(item, 1), POINTER) for item in (left, right)]
        order = self._order(code, code.word(left, 0), states[0], code.word(right, 0), states[1])
        code.b.ret(code.b.trunc(order, I32))
        code.finish()

    def _sift(self) -> None:
        """(items, number, run, its number): marks the items whose states are in the run. Both are sorted."""
        code = self._function("sift", VOID, POINTER, I64, POINTER, I64)
        items, size, run, length = code.function.args
        items, run = self._items(code, items, size), self._states(code, run, length)
        i, j = code.cell(I64), code.cell(I64)
        code.put(i, number(0))
        code.put(j, number(0))
        head, both, compare, dead, done = (code.block() for _ in range(5))
        code.b.branch(head)
        code.b.position_at_end(head)
        code.b.cbranch(code.is_less(code.get(i, I64), size), both, done)
        code.b.position_at_end(both)
        item = code.at(items, code.mul(code.get(i, I64), number(2)))
        code.leave_if(code.negation(code.is_less(code.get(j, I64), length)), done)
        code.b.cbranch(code.is_equal(code.word(item, 1), number(0)), dead, compare)
        code.b.position_at_end(dead)
        code.put(i, code.add(code.get(i, I64), number(1)))
        code.b.branch(head)
        code.b.position_at_end(compare)
        state = code.b.inttoptr(code.word(item, 1), POINTER)
        other = code.at(run, code.mul(code.get(j, I64), number(self.words)))
        order = self._order(code, code.word(item, 0), state, self._call(code, "hash", other), other)
        code.if_(code.is_equal(order, number(0)), lambda: code.put_word(item, 1, number(0)))
        ahead = code.is_less_equal(order, number(0))
        code.put(i, code.add(code.get(i, I64), code.select(ahead, number(1), number(0))))
        behind = code.is_less_equal(number(0), order)
        code.put(j, code.add(code.get(j, I64), code.select(behind, number(1), number(0))))
        code.b.branch(head)
        code.b.position_at_end(done)
        code.b.ret_void()
        code.finish()

    def _gather(self) -> None:
        """(items, number, the store that they are in, its number, its parents or null, states, parents): copies the
        states of the items that are not marked, in their order, with their parents; how many there are."""
        code = self._function("gather", I64, POINTER, I64, POINTER, I64, POINTER, POINTER, POINTER)
        items, size, store, length, parents, out, out_parents = code.function.args
        items, out = self._items(code, items, size), self._states(code, out, size)
        store = self._states(code, store, length)
        parents, out_parents = self._parents(code, parents, length), self._parents(code, out_parents, size)
        count = code.cell(I64)
        code.put(count, number(0))
        first = code.b.ptrtoint(store, I64)
        known = code.is_equal(code.b.ptrtoint(parents, I64), number(0))

        def take(i: Ssa) -> None:
            address = code.word(items, code.add(code.mul(i, number(2)), number(1)))

            def copy() -> None:
                at = code.get(count, I64)
                target = code.at(out, code.mul(at, number(self.words)))
                index = code.b.udiv(code.sub(address, first), number(8 * self.words))
                index = code.within(index, lambda: length, "a state outside the store")
                code.copy(target, code.at(store, code.mul(index, number(self.words))), self.words)

                def parent() -> None:
                    code.put(code.at(out_parents, at, I32), code.get(code.at(parents, index, I32), I32))

                code.if_(code.negation(known), parent)
                code.put(count, code.add(at, number(1)))

            code.if_(code.negation(code.is_equal(address, number(0))), copy)

        code.for_range(number(0), code.sub(size, number(1)), take)
        code.b.ret(code.get(count, I64))
        code.finish()
