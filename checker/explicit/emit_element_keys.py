"""The keys of elements, as code: a hash of all that a state says of an element, without who else is named.

Permuting a state permutes its keys. What a small value says of an element is a table, by element and bits: the number
of the orbit that the pair is in. What is too large for a table is left out: a key may be equal where it need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_frame import read_bits
from checker.explicit.emit_packing import part_of
from checker.explicit.emit_pool import VOID, Pool
from checker.explicit.emit_renaming import Named, Region, RenamingCode
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.layout import KindLayout, Layout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import AtomShape, MapShape, Shape, bits, pack, sort_of, values_of
from spec.renaming import renamed

MULTIPLIER = number(-7046029254386353131)
ABSENT = number((1 << 16) - 1)
"""What is observed in a pending record that is not there; no table's entry."""
OBSERVATION_BITS = 16


class KeyCode:
    """Emits ``keys``, from what is an element's own, and ``refine``, which adds the keys of those that name it."""

    def __init__(self, module: Any, layout: Layout, pool: Pool, renaming: RenamingCode) -> None:
        self.module, self.layout, self.pool, self.renaming = module, layout, pool, renaming
        self.tables, self.symmetry = renaming.tables, renaming.symmetry
        self.size = len(self.symmetry.elements)
        self.first = {sort.name: self.symmetry.elements.index(sort.elements[0]) for sort in self.symmetry.sets}
        self.kinds = {name for name, kind in layout.kinds.items() if kind.kind.sort in self.symmetry.sets}
        self._orbits: dict[Shape, tuple[Any, int]] = {}

    def emit(self) -> None:
        self._keys()
        self._refine()

    # --------------------------------------------------------------------------- what is seen of an element

    def _observed(self, code: Code, source: Ssa, shape: Shape, element: Ssa) -> Ssa | None:
        """A number below ``ABSENT`` that says how an element stands to a value, and stays if both are permuted."""
        width = bits(shape)
        if self.tables.is_small(shape, self.size):
            at = code.either(code.shift_left(element, number(width)), code.resize(source, I64))
            return self.tables.look_up(code, self._orbit_table(shape), at)
        if isinstance(shape, MapShape) and isinstance(shape.key, AtomShape) and not self.tables.touches(shape.of):
            return self._value_at(code, source, shape, shape.key, element)
        return None

    def _value_at(self, code: Code, source: Ssa, shape: MapShape, key: AtomShape, element: Ssa) -> Ssa | None:
        """The part of a map that is the element's; none of another set's."""
        width = bits(shape.of)
        if width >= OBSERVATION_BITS:
            return None
        places = [key.elements.index(e) if e in key.elements else len(key.elements) for e in self.symmetry.elements]
        place = code.table(places, I64, element)
        there = code.is_less(place, number(len(key.elements)))
        at = code.mul(code.select(there, place, number(0)), number(width))
        part = code.resize(part_of(code, source, at, shape.of), I64)
        return code.select(there, part, ABSENT)

    def _orbit_table(self, shape: Shape) -> tuple[Any, int]:
        """Row by element: packed value → the number of the orbit that the pair is in."""
        if shape not in self._orbits:
            sort, width, elements = sort_of(shape), bits(shape), self.symmetry.elements
            place = {element: i for i, element in enumerate(elements)}
            entries = [0] * (len(elements) << width)
            known: set[int] = set()
            orbits = 0
            for element in elements:
                for value in values_of(shape):
                    if place[element] << width | pack(shape, value) in known:
                        continue
                    orbits += 1
                    for names in self.tables.renamings:
                        at = place[names[element]] << width | pack(shape, renamed(sort, value, names))
                        entries[at] = orbits
                        known.add(at)
            self._orbits[shape] = self.tables.constant(entries)
        return self._orbits[shape]

    def _seen(self, code: Code, names: list[Named], source: Ssa, element: Ssa, pending: Ssa | None) -> Iterator[Ssa]:
        """Words that hold all that is observed of an element in a region."""
        word, used = number(0), 0
        for name in names:
            found = self._observed(code, read_bits(code, source, 0, name.place), name.shape, element)
            if found is None:
                continue
            if name.record is not None:
                assert pending is not None
                found = code.select(code.is_less(number(name.record), pending), found, ABSENT)
            word = code.either(code.shift_left(word, number(OBSERVATION_BITS)), found)
            used += OBSERVATION_BITS
            if used + OBSERVATION_BITS > 64:
                yield word
                word, used = number(0), 0
        if used:
            yield word

    def _mixed(self, code: Code, h: Ssa, more: Ssa) -> Ssa:
        h = code.b.mul(code.b.xor(h, more), MULTIPLIER)
        return code.b.xor(h, code.b.lshr(h, number(32)))

    def _add(self, code: Code, keys: Ssa, element: Ssa, more: Ssa) -> None:
        code.put_word(keys, element, code.b.add(code.word(keys, element), more))

    def _region(self, code: Code, state: Ssa, kind: KindLayout, local: Ssa) -> tuple[Ssa, Ssa | None]:
        """Where a process's words are, and how many records are pending."""
        source = code.at(state, code.add(number(kind.base), code.mul(local, number(kind.stride))))
        return source, code.resize(read_bits(code, source, 0, kind.pending), I64) if kind.records else None

    # -------------------------------------------------------------------------------------------- keys

    def _function(self, name: str, *arguments: Any) -> Code:
        function = ir.Function(self.module, ir.FunctionType(VOID, arguments), name)
        function.linkage = "internal"
        return Code(function)

    def _given(self, code: Code) -> list[Ssa]:
        """A function's arguments: a state, its unpacked pool, one or two arrays of keys."""
        extents = (self.layout.words, self.pool.words, self.size + 1, self.size + 1)
        return [code.bounded(pointer, words) for pointer, words in zip(code.function.args, extents, strict=False)]

    def _keys(self) -> None:
        """(state, pool, keys): from an element's own process, what is shared, and its messages."""
        code = self._function("keys", POINTER, POINTER, POINTER)
        state, pool, keys = self._given(code)
        code.put_word(keys, self.size, number(0))
        for sort in self.symmetry.sets:
            kind = next((kind for kind in self.layout.kinds.values() if kind.kind.sort == sort), None)

            def element(i: Ssa, kind: KindLayout | None = kind, first: int = self.first[sort.name]) -> None:
                e = code.add(number(first), i)
                h: Ssa = number(0x2545F4914F6CDD1D + first)
                if kind is not None:
                    region = self.renaming.regions[kind.kind.name]
                    source, pending = self._region(code, state, kind, i)
                    for word, rest in enumerate(region.rest):
                        h = self._mixed(code, h, code.both(code.word(source, word), number(rest)))
                    for seen in self._seen(code, region.names, source, e, pending):
                        h = self._mixed(code, h, seen)
                for seen in self._seen(code, self.renaming.common.names, state, e, None):
                    h = self._mixed(code, h, seen)
                code.put_word(keys, e, h)
                if kind is None:
                    self._seen_in_processes(code, state, keys, e, None)

            code.for_range(number(0), number(len(sort.elements) - 1), element)

        def message(h: Ssa, key: Ssa) -> None:
            source, destination = self._ends(code, key)
            self._add(code, keys, source, h)
            self._add(code, keys, destination, self._mixed(code, h, number(1)))

        self._for_messages(code, pool, message)
        code.b.ret_void()
        code.finish()

    def _refine(self) -> None:
        """(state, pool, keys, finer): adds the keys of the processes and messages that an element occurs in."""
        code = self._function("refine", POINTER, POINTER, POINTER, POINTER)
        code.function.attributes.add("noinline")
        state, pool, keys, finer = self._given(code)

        def element(e: Ssa) -> None:
            code.put_word(finer, e, self._mixed(code, code.word(keys, e), number(2)))
            self._seen_in_processes(code, state, finer, e, keys)

        code.put_word(finer, self.size, number(0))
        code.for_range(number(0), number(self.size - 1), element)

        def message(h: Ssa, key: Ssa) -> None:
            source, destination = self._ends(code, key)
            to = self._mixed(code, code.b.xor(h, number(3)), code.word(keys, destination))
            from_ = self._mixed(code, code.b.xor(h, number(4)), code.word(keys, source))
            self._add(code, finer, source, to)
            self._add(code, finer, destination, from_)
            self._seen_in_payload(code, finer, h, key)

        self._for_messages(code, pool, message)
        code.b.ret_void()
        code.finish()

    def _seen_in_processes(self, code: Code, state: Ssa, into: Ssa, e: Ssa, keys: Ssa | None) -> None:
        """Adds what every process's region says of an element, with that process's key if there are keys yet."""
        for name, kind in self.layout.kinds.items():
            region: Region = self.renaming.regions[name]
            if not region.names:
                continue

            def process(i: Ssa, name: str = name, kind: KindLayout = kind, region: Region = region) -> None:
                source, pending = self._region(code, state, kind, i)
                whose = number(kind.first)
                if name not in self.kinds:
                    whose = code.add(whose, i)
                elif keys is not None:
                    whose = code.word(keys, code.add(number(self.first[kind.kind.sort.name]), i))
                h = code.b.mul(whose, MULTIPLIER)
                for seen in self._seen(code, region.names, source, e, pending):
                    h = self._mixed(code, h, seen)
                self._add(code, into, e, h)

            code.for_range(number(0), number(kind.size - 1), process)

    def _seen_in_payload(self, code: Code, finer: Ssa, h: Ssa, key: Ssa) -> None:
        for name, parts in self.renaming.payloads.items():
            if not parts:
                continue

            def payload(parts: list[tuple[int, Shape]] = parts) -> None:
                def element(e: Ssa) -> None:
                    mixed = self._mixed(code, h, number(5))
                    for offset, shape in parts:
                        part = part_of(code, key, ir.Constant(key.type, offset), shape)
                        found = self._observed(code, part, shape, e)
                        mixed = mixed if found is None else self._mixed(code, mixed, found)
                    self._add(code, finer, e, mixed)

                code.for_range(number(0), number(self.size - 1), element)

            code.if_(code.is_equal(self.pool.tag(code, key), number(self.layout.messages[name].tag)), payload)

    def _ends(self, code: Code, key: Ssa) -> tuple[Ssa, Ssa]:
        """The numbers of a message's source and destination among the elements; one after the last if it is none."""
        numbers = {element: i for i, element in enumerate(self.symmetry.elements)}
        table = [numbers.get(process, self.size) for process in self.layout.processes]
        table += [self.size] * ((1 << self.layout.process_bits) - len(table))
        source, destination = self.pool.source(code, key), self.pool.destination(code, key)
        return code.table(table, I64, source), code.table(table, I64, destination)

    def _for_messages(self, code: Code, pool: Ssa, body: Callable[[Ssa, Ssa], None]) -> None:
        """``body(hash of what a message says without names, its bits)``."""
        if not self.layout.slots:
            return
        access, layout = self.pool, self.layout
        type_ = access.key_type
        ends = ((1 << 2 * layout.process_bits) - 1) << layout.destination_shift

        def slot(i: Ssa) -> None:
            key = access.key(code, pool, i)
            bare = code.both(key, self._all_but(type_, ends))
            for name, parts in self.renaming.payloads.items():
                if parts:
                    named = sum(((1 << bits(shape)) - 1) << offset for offset, shape in parts)
                    is_it = code.is_equal(access.tag(code, key), number(layout.messages[name].tag))
                    bare = code.select(is_it, code.both(bare, self._all_but(type_, named)), bare)
            h = self._mixed(code, access.copies(code, pool, i), number(0x1B873593CC9E2D51))
            for word in range(access.key_words):
                part = code.resize(code.shift_right(bare, ir.Constant(type_, 64 * word)), I64)
                h = self._mixed(code, h, part)
            body(h, key)

        code.for_range(number(0), code.sub(access.size(code, pool), number(1)), slot)

    def _all_but(self, type_: Any, mask: int) -> Ssa:
        ones = (1 << type_.width) - 1
        value = ones & ~mask
        return ir.Constant(type_, value - (1 << 64) if type_.width == 64 and value >> 63 else value)
