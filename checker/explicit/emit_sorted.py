"""Sorted runs of states as code: what keeps a search exact when its states are on disk.

States are ordered by their hash, and among equal hashes by their words. An *item* is two words, a state's hash and its
address; an address of 0 says that the state is known already.
"""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_types import I32, I64, POINTER, number
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
        self._histogram()
        self._scatter()
        self._sift()
        self._gather()
        self._merge()

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

    def _buckets(self, code: Code, table: Ssa, shift: Ssa) -> Ssa:
        return code.bounded(table, lambda: code.shift_left(number(1), code.sub(number(64), shift)))

    def _histogram(self) -> None:
        """(items, number, shift, sizes): counts the items by the highest bits of their hashes."""
        code = self._function("histogram", VOID, POINTER, I64, I64, POINTER)
        items, size, shift, sizes = code.function.args
        items, sizes = self._items(code, items, size), self._buckets(code, sizes, shift)

        def one(i: Ssa) -> None:
            bucket = code.b.lshr(code.word(code.at(items, code.mul(i, number(2))), 0), shift)
            code.put_word(sizes, bucket, code.add(code.word(sizes, bucket), number(1)))

        code.for_range(number(0), code.sub(size, number(1)), one)
        code.b.ret_void()
        code.finish()

    def _scatter(self) -> None:
        """(items, number, shift, places, out, its number): puts the items where the places of their buckets say, which
        move on."""
        code = self._function("scatter", VOID, POINTER, I64, I64, POINTER, POINTER, I64)
        items, size, shift, places, out, room = code.function.args
        items, out = self._items(code, items, size), self._items(code, out, room)
        places = self._buckets(code, places, shift)

        def one(i: Ssa) -> None:
            item = code.at(items, code.mul(i, number(2)))
            bucket = code.b.lshr(code.word(item, 0), shift)
            place = code.word(places, bucket)
            code.copy(code.at(out, code.mul(place, number(2))), item, 2)
            code.put_word(places, bucket, code.add(place, number(1)))

        code.for_range(number(0), code.sub(size, number(1)), one)
        code.b.ret_void()
        code.finish()

    def _sift(self) -> None:
        """(items, number, run, its number): marks the items whose states are in the run. Both are sorted. Returns how
        many of the items are less than what may follow the run."""
        code = self._function("sift", I64, POINTER, I64, POINTER, I64)
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
        code.b.ret(code.get(i, I64))
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

    def _merge(self) -> None:
        """(heads, number, states, room): copies the next states of some runs in their order; how many there are. A head
        is three words: the address of a run's next state, how many are left of it, and that state's hash."""
        code = self._function("merge", I64, POINTER, I64, POINTER, I64)
        heads, runs, out, room = code.function.args
        heads, out = code.bounded(heads, lambda: code.mul(number(3), runs)), self._states(code, out, room)
        count, least = code.cell(I64), code.cell(I64)
        code.put(count, number(0))
        head, look, take, done = (code.block() for _ in range(4))
        code.b.branch(head)
        code.b.position_at_end(head)
        code.b.cbranch(code.is_less(code.get(count, I64), room), look, done)
        code.b.position_at_end(look)
        code.put(least, number(-1))
        code.for_range(number(0), code.sub(runs, number(1)), lambda i: self._consider(code, heads, i, least))
        code.b.cbranch(code.is_less(code.get(least, I64), number(0)), done, take)
        code.b.position_at_end(take)
        first, at = self._head(code, heads, code.get(least, I64)), code.get(count, I64)
        state = code.bounded(code.b.inttoptr(code.word(first, 0), POINTER), self.words)
        code.copy(code.at(out, code.mul(at, number(self.words))), state, self.words)
        code.put(count, code.add(at, number(1)))
        following = code.add(code.word(first, 0), number(8 * self.words))
        left = code.sub(code.word(first, 1), number(1))
        code.put_word(first, 0, following)
        code.put_word(first, 1, left)

        def look_ahead() -> None:
            code.put_word(first, 2, self._call(code, "hash", code.b.inttoptr(following, POINTER)))

        code.if_(code.is_less(number(0), left), look_ahead)
        code.b.branch(head)
        code.b.position_at_end(done)
        code.b.ret(code.get(count, I64))
        code.finish()

    def _head(self, code: Code, heads: Ssa, i: Ssa) -> Ssa:
        return code.at(heads, code.mul(i, number(3)))

    def _consider(self, code: Code, heads: Ssa, i: Ssa, least: Ssa) -> None:
        """Makes a head the least one, if it is less than that or there is none yet."""
        this = self._head(code, heads, i)

        def compare() -> None:
            other = self._head(code, heads, code.get(least, I64))
            states = [code.b.inttoptr(code.word(one, 0), POINTER) for one in (this, other)]
            order = self._order(code, code.word(this, 2), states[0], code.word(other, 2), states[1])
            code.if_(code.is_less(order, number(0)), lambda: code.put(least, i))

        def left() -> None:
            none = code.is_less(code.get(least, I64), number(0))
            code.if_(none, lambda: code.put(least, i), compare)

        code.if_(code.is_less(number(0), code.word(this, 1)), left)
