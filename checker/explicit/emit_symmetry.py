"""The canonical state of those that are alike, as code: elements are sorted by a key, and what it leaves open is tried.

An element's key is a hash of all that a state says of it, without who else is named: permuting the state permutes the
keys. Mostly one order of the elements is left. Where keys are equal, they are refined once by the keys of those that an
element has to do with; elements still equal are mostly twins, whose order makes no difference. What is open then is
tried: every permutation that sorts the keys, and the least state is kept.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_element_keys import KeyCode
from checker.explicit.emit_pool import VOID, Pool
from checker.explicit.emit_renaming import RenamingCode
from checker.explicit.emit_types import BIT, FALSE, I64, POINTER, number
from checker.explicit.layout import Layout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.symmetry import Symmetry


class SymmetryCode:
    """Emits ``canonical(state)``, which replaces a state by the one that stands for all that are alike."""

    def __init__(self, module: Any, layout: Layout, pool: Pool, symmetry: Symmetry) -> None:
        self.module, self.layout, self.pool, self.symmetry = module, layout, pool, symmetry
        self.renaming = RenamingCode(module, layout, pool, symmetry)
        self.keys = KeyCode(module, layout, pool, self.renaming)
        self.tables = self.renaming.tables
        self.size = len(symmetry.elements)

    def emit(self) -> None:
        self.renaming.emit()
        self.keys.emit()
        self._same()
        self._canonical()

    # ---------------------------------------------------------------------------------------- the order

    def _pairs(self) -> list[tuple[int, int, int]]:
        """Pairs of elements of one set, and what an inversion of the pair adds to a permutation's number."""
        pairs, weight = [], self.symmetry.permutations
        for sort in self.symmetry.sets:
            size, first = len(sort.elements), self.keys.first[sort.name]
            weight //= factorial(size)
            pairs += [(first + i, first + j, factorial(size - 1 - i) * weight) for i, j in combinations(range(size), 2)]
        return pairs

    def _order(self, code: Code, keys: Ssa) -> Ssa:
        """Which pairs the keys order: bit 2i: pair i as it stands, bit 2i + 1: the other way round."""
        less: Ssa = number(0)
        loaded = [code.word(keys, e) for e in range(self.size)]
        for i, (a, b, _) in enumerate(self._pairs()):
            up, down = code.is_less(loaded[a], loaded[b]), code.is_less(loaded[b], loaded[a])
            less = code.either(less, code.shift_left(code.resize(up, I64), number(2 * i)))
            less = code.either(less, code.shift_left(code.resize(down, I64), number(2 * i + 1)))
        return less

    def _is_decided(self, code: Code, less: Ssa) -> Ssa:
        return code.is_equal(code.ones_in(less), number(len(self._pairs())))

    def _sorting(self, code: Code, less: Ssa) -> Ssa:
        """The number of the one permutation that sorts, where every pair is ordered."""
        g: Ssa = number(0)
        for i, (_, _, weight) in enumerate(self._pairs()):
            down = code.low_bits(code.shift_right(less, number(2 * i + 1)), 1)
            g = code.add(g, code.mul(down, number(weight)))
        return g

    def _against(self) -> tuple[Any, int]:
        """By permutation: the orders of pairs, as bits of ``_order``, that it does not sort."""
        place = {element: i for i, element in enumerate(self.symmetry.elements)}
        entries = []
        for names in self.tables.renamings:
            mask = 0
            for i, (a, b, _) in enumerate(self._pairs()):
                kept = place[names[self.symmetry.elements[a]]] < place[names[self.symmetry.elements[b]]]
                mask |= 1 << 2 * i + (1 if kept else 0)
            entries.append(mask)
        return self.tables.constant(entries)

    def _canonical(self) -> None:
        """(state): in place."""
        function = ir.Function(self.module, ir.FunctionType(VOID, [POINTER]), "canonical")
        function.linkage = "internal"
        code = Code(function)
        state = code.bounded(function.args[0], self.layout.words)
        pool = self.pool.cell(code) if self.layout.slots else ir.Constant(POINTER, None)
        keys, finer = code.cell(I64, self.size + 1), code.cell(I64, self.size + 1)
        other = code.cell(I64, self.layout.words)
        leave = code.block("leave")
        if self.layout.slots:
            code.b.call(self.pool.load, [state, pool])
        code.b.call(self.module.globals["keys"], [state, pool, keys])
        less = self._order(code, keys)
        self._take_if_decided(code, state, pool, less, other, leave)
        code.b.call(self.module.globals["refine"], [state, pool, keys, finer])
        less = self._order(code, finer)
        self._take_if_decided(code, state, pool, less, other, leave)
        less = self._order_twins(code, state, pool, less, other)
        self._take_if_decided(code, state, pool, less, other, leave)
        self._least(code, state, pool, less, other)
        code.b.branch(leave)
        code.b.position_at_end(leave)
        code.b.ret_void()
        code.finish()

    def _take_if_decided(self, code: Code, state: Ssa, pool: Ssa, less: Ssa, other: Ssa, leave: Any) -> None:
        """Applies the permutation, if one is left, and leaves."""

        def take() -> None:
            g = self._sorting(code, less)
            code.leave_if(code.is_equal(g, number(0)), leave)
            code.b.call(self.renaming.rename, [state, pool, g, other])
            code.copy(state, other, self.layout.words)
            code.b.branch(leave)
            code.b.position_at_end(code.block("beyond"))

        code.if_(self._is_decided(code, less), take)

    def _order_twins(self, code: Code, state: Ssa, pool: Ssa, less: Ssa, other: Ssa) -> Ssa:
        """Elements that may change places and leave the state as it is: they stay in order, for each order comes
        to the same. Most elements with equal keys are such."""
        pairs = [(a, b) for a, b, _ in self._pairs()]
        bit = {pair: 1 << 2 * i for i, pair in enumerate(pairs)}
        twins = code.cell(I64)  # as in the order: bit 2i
        code.put(twins, number(0))
        for i, (a, b) in enumerate(pairs):
            found = code.get(twins, I64)
            through = [bit[c, a] | bit[c, b] for c in range(a) if (c, a) in bit]
            open_ = code.is_equal(code.both(less, number(3 << 2 * i)), number(0))
            for both in through:  # twins of one element are each other's
                known_ = code.is_equal(code.both(found, number(both)), number(both))
                found = code.select(known_, code.either(found, number(bit[a, b])), found)
                open_ = code.both(open_, code.negation(known_))
            code.put(twins, found)

            def look(a: int = a, b: int = b) -> None:
                code.b.call(self.renaming.rename, [state, pool, number(self._swap(a, b)), other])
                same = code.b.call(self.module.globals["same"], [state, other])
                one = code.select(same, number(bit[a, b]), number(0))
                code.put(twins, code.either(code.get(twins, I64), one))

            code.if_(open_, look)
        return code.either(less, code.get(twins, I64))

    def _swap(self, a: int, b: int) -> int:
        """The number of the permutation that makes two elements change places."""
        elements = self.symmetry.elements
        swap = {**{element: element for element in elements}, elements[a]: elements[b], elements[b]: elements[a]}
        return self.tables.renamings.index(swap)

    def _same(self) -> None:
        """(state, state): whether they are equal."""
        function = ir.Function(self.module, ir.FunctionType(BIT, [POINTER, POINTER]), "same")
        function.linkage = "internal"
        code = Code(function)
        state, other = (code.bounded(words, self.layout.words) for words in function.args)
        difference: Ssa = number(0)
        for word in range(self.layout.words):
            difference = code.either(difference, code.b.xor(code.word(state, word), code.word(other, word)))
        code.b.ret(code.is_equal(difference, number(0)))
        code.finish()

    def _least(self, code: Code, state: Ssa, pool: Ssa, less: Ssa, other: Ssa) -> None:
        """Tries all that sort the keys, and keeps the least state."""
        words = self.layout.words
        best = code.cell(I64, words)
        some = code.cell(BIT)
        code.put(some, FALSE)
        against = self._against()

        def attempt(g: Ssa) -> None:
            sorts = code.is_equal(code.both(less, self.tables.look_up(code, against, g)), number(0))
            code.if_(sorts, lambda: keep_less(g))

        def keep_less(g: Ssa) -> None:
            code.b.call(self.renaming.rename, [state, pool, g, other])
            less_: Ssa = FALSE
            for word in reversed(range(words)):
                a, b = code.word(other, word), code.word(best, word)
                less_ = code.either(code.is_less(a, b), code.both(code.is_equal(a, b), less_))
            better = code.either(less_, code.negation(code.get(some, BIT)))

            def keep() -> None:
                code.copy(best, other, words)
                code.put(some, ir.Constant(BIT, 1))

            code.if_(better, keep)

        code.for_range(number(0), number(self.symmetry.permutations - 1), attempt)
        code.copy(state, best, words)
