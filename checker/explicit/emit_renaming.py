"""A state with the elements of symmetric sets permuted, as code: processes change places, and values name others.

A permutation is a number, the same as in :meth:`Symmetry.renamings`. What it does to a small value is a table by
permutation and bits; to a larger one, a walk over its parts. What no permutation changes is copied word by word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_frame import read_bits
from checker.explicit.emit_packing import part_of
from checker.explicit.emit_pool import VOID, Pool
from checker.explicit.emit_types import I64, POINTER, number, register
from checker.explicit.errors import NotPermutable
from checker.explicit.layout import KindLayout, Layout, Piece, Place
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import (
    AtomShape,
    BoolShape,
    IntShape,
    MapShape,
    NeverShape,
    OptionalShape,
    RecordShape,
    SeqShape,
    SetShape,
    Shape,
    bits,
    count,
    pack,
    position_of,
    sort_of,
    values_of,
)
from checker.explicit.symmetry import Symmetry
from spec.renaming import renamed

SMALL_TABLE = 1 << 12
"""Entries of a table that is worth its cache lines."""
LARGE_TABLE = 1 << 17


@dataclass(frozen=True, slots=True)
class Named:
    """A place whose value may name elements. ``record``: it is of this pending record, which must be there for it to
    have a value."""

    place: Place
    shape: Shape
    record: int | None = None


class Tables:
    """Constant tables by permutation, one for each purpose and shape."""

    def __init__(self, module: Any, symmetry: Symmetry) -> None:
        self.module, self.renamings = module, symmetry.renamings()
        self.elements = frozenset(symmetry.elements)
        self._known: dict[tuple[str, object], tuple[Any, int]] = {}

    def touches(self, shape: Shape) -> bool:
        """Whether values of the shape may name elements."""
        match shape:
            case NeverShape() | BoolShape() | IntShape():
                return False
            case AtomShape(elements):
                return not self.elements.isdisjoint(elements)
            case OptionalShape(of) | SetShape(of) | SeqShape(of):
                return self.touches(of)
            case MapShape(key, of):
                return self.touches(key) or self.touches(of)
            case RecordShape(fields):
                return any(self.touches(field) for field in fields)

    def is_small(self, shape: Shape, rows: int) -> bool:
        return bits(shape) <= 16 and rows << bits(shape) <= SMALL_TABLE

    def packed(self, shape: Shape) -> tuple[Any, int]:
        """Row by permutation: packed value → packed value."""
        if ("packed", shape) not in self._known:
            sort, width = sort_of(shape), bits(shape)
            entries = [0] * (len(self.renamings) << width)
            for value in values_of(shape):
                before = pack(shape, value)
                for g, names in enumerate(self.renamings):
                    entries[g << width | before] = pack(shape, renamed(sort, value, names))
            self._known["packed", shape] = self.constant(entries)
        return self._known["packed", shape]

    def positions(self, shape: Shape) -> tuple[Any, int]:
        """Row by permutation: position in the shape's domain → position."""
        if ("positions", shape) not in self._known:
            if len(self.renamings) * count(shape) > LARGE_TABLE:
                raise NotPermutable(f"there is a set or a map over {count(shape):,} values that name elements")
            sort, place = sort_of(shape), position_of(shape)
            entries = [place[renamed(sort, value, g)] for g in self.renamings for value in values_of(shape)]
            self._known["positions", shape] = self.constant(entries)
        return self._known["positions", shape]

    def constant(self, entries: list[int]) -> tuple[Any, int]:
        """A table of non-negative numbers, in whole words, and the bits of an entry."""
        width = next(width for width in (8, 16, 32, 64) if max(entries, default=0) >> width == 0)
        content = b"".join(entry.to_bytes(width // 8, "little") for entry in entries)
        content += bytes(-len(content) % 8)
        array = ir.ArrayType(ir.IntType(8), len(content))
        constant = ir.GlobalVariable(self.module, array, self.module.get_unique_name("renaming"))
        constant.type = POINTER
        constant.linkage = "internal"
        constant.global_constant = True
        constant.align = 8
        constant.initializer = ir.Constant(array, bytearray(content))
        return constant, width

    def look_up(self, code: Code, table: tuple[Any, int], at: Ssa) -> Ssa:
        constant, width = table
        type_, words = ir.IntType(width), constant.initializer.type.count // 8
        return code.resize(code.get(code.at(code.bounded(constant, words), at, type_), type_), I64)


def named_parts(tables: Tables, shape: Shape, offset: int = 0) -> Iterator[tuple[int, Shape]]:
    """The parts of a packed value that may name elements and that stand in the same place in every value of the shape:
    their first bits and shapes."""
    match shape:
        case RecordShape(fields):
            for field in fields:
                yield from named_parts(tables, field, offset)
                offset += bits(field)
        case MapShape(key, of) if not tables.touches(key):
            for i in range(count(key)):
                yield from named_parts(tables, of, offset + i * bits(of))
        case _:
            if tables.touches(shape) and bits(shape):
                yield offset, shape


def inside(place: Place, offset: int, width: int) -> Place:
    """Where so many bits of a place stand, from its bit ``offset`` on."""
    pieces = []
    for piece in place.pieces:
        first, last = max(piece.offset, offset), min(piece.offset + piece.width, offset + width)
        if first < last:
            pieces.append(Piece(first - offset, last - first, piece.word, piece.shift + first - piece.offset))
    return Place(width, tuple(pieces))


class Region:
    """Words of a state: the places in them that may name elements, and what else is in each word."""

    def __init__(self, tables: Tables, words: int, values: list[tuple[Place, Shape, int | None]]) -> None:
        self.names = [
            Named(inside(place, offset, bits(part)), part, record)
            for place, shape, record in values
            for offset, part in named_parts(tables, shape)
        ]
        self.rest = [(1 << 62) - 1] * words
        for name in self.names:
            for piece in name.place.pieces:
                self.rest[piece.word] &= ~(((1 << piece.width) - 1) << piece.shift)


class RenamingCode:
    """Emits ``rename(state, pool, permutation, target)`` and has what the keys of elements are computed from."""

    def __init__(self, module: Any, layout: Layout, pool: Pool, symmetry: Symmetry) -> None:
        self.module, self.layout, self.pool, self.symmetry = module, layout, pool, symmetry
        self.tables = Tables(module, symmetry)
        self.processes = AtomShape(layout.processes)
        common: list[tuple[Place, Shape, int | None]] = [(p, s, None) for s, p in layout.common.values()]
        common.append((layout.up, SetShape(self.processes), None))
        self.common = Region(self.tables, layout.common_words, common)
        self.regions = {name: self._region(kind) for name, kind in layout.kinds.items()}
        self.payloads = {
            name: list(named_parts(self.tables, message.payload)) for name, message in layout.messages.items()
        }
        type_ = ir.FunctionType(VOID, [POINTER, POINTER, I64, POINTER])
        self.rename = ir.Function(module, type_, "rename")
        self.rename.linkage = "internal"
        self.rename.attributes.add("noinline")

    def _region(self, kind: KindLayout) -> Region:
        values: list[tuple[Place, Shape, int | None]] = [(p, s, None) for s, p in kind.variables.values()]
        values.append((kind.disk, kind.record, None))
        values += [(place, kind.record, i) for i, place in enumerate(kind.records)]
        return Region(self.tables, kind.stride, values)

    # ------------------------------------------------------------------------------------------ values

    def renamed(self, code: Code, source: Ssa, shape: Shape, g: Ssa) -> Ssa:
        """The packed bits of a value, after the permutation."""
        tables = self.tables
        if not tables.touches(shape):
            return source
        width, type_ = bits(shape), register(bits(shape))
        rows = len(tables.renamings)
        if tables.is_small(shape, rows) or isinstance(shape, AtomShape):
            at = code.either(code.shift_left(g, number(width)), code.resize(source, I64))
            return code.resize(tables.look_up(code, tables.packed(shape), at), type_)
        match shape:
            case OptionalShape(of):
                payload = code.resize(code.shift_right(source, ir.Constant(type_, 1)), register(bits(of)))
                moved = code.resize(self.renamed(code, payload, of, g), type_)
                there = code.either(code.shift_left(moved, ir.Constant(type_, 1)), ir.Constant(type_, 1))
                present = code.is_equal(code.low_bits(source, 1), ir.Constant(type_, 1))
                return code.select(present, there, ir.Constant(type_, 0))
            case RecordShape():
                return self._renamed_parts(code, source, list(named_parts(tables, shape)), g)
            case SetShape(of):
                return self._renamed_set(code, source, of, g)
            case SeqShape(of, capacity):
                return self._renamed_seq(code, source, of, capacity, g)
            case MapShape(key, _) if not tables.touches(key):
                return self._renamed_parts(code, source, list(named_parts(tables, shape)), g)
            case MapShape(key, of):
                return self._renamed_map(code, source, key, of, g)
            case NeverShape() | BoolShape() | IntShape():
                raise AssertionError(f"{shape} names nothing")

    def _renamed_parts(self, code: Code, source: Ssa, parts: list[tuple[int, Shape]], g: Ssa) -> Ssa:
        """Packed bits in which these parts are renamed."""
        type_ = source.type
        rest, moved = (1 << type_.width) - 1, ir.Constant(type_, 0)
        for offset, shape in parts:
            rest &= ~(((1 << bits(shape)) - 1) << offset)
            at = ir.Constant(type_, offset)
            part = self.renamed(code, part_of(code, source, at, shape), shape, g)
            moved = code.either(moved, code.shift_left(code.resize(part, type_), at))
        return code.either(moved, code.both(source, ir.Constant(type_, rest if type_.width > 64 else _signed(rest))))

    def _position(self, code: Code, shape: Shape, g: Ssa, place: Ssa) -> Ssa:
        row = code.mul(g, number(count(shape)))
        return self.tables.look_up(code, self.tables.positions(shape), code.add(row, place))

    def _renamed_set(self, code: Code, source: Ssa, of: Shape, g: Ssa) -> Ssa:
        type_ = source.type
        result = code.cell(type_)
        code.put(result, ir.Constant(type_, 0))

        def element(place: Ssa) -> None:
            bit = code.shift_left(ir.Constant(type_, 1), self._position(code, of, g, place))
            code.put(result, code.either(code.get(result, type_), bit))

        code.for_ones(source, element)
        return code.get(result, type_)

    def _renamed_seq(self, code: Code, source: Ssa, of: Shape, capacity: int, g: Ssa) -> Ssa:
        type_, first = source.type, capacity.bit_length()
        length = code.resize(code.low_bits(source, first), I64)
        result = code.cell(type_)
        code.put(result, code.low_bits(source, first))

        def slot(i: Ssa) -> None:
            at = code.add(number(first), code.mul(i, number(bits(of))))
            self._put_part(code, result, type_, at, self.renamed(code, part_of(code, source, at, of), of, g))

        code.for_range(number(0), code.sub(length, number(1)), slot)
        return code.get(result, type_)

    def _renamed_map(self, code: Code, source: Ssa, key: Shape, of: Shape, g: Ssa) -> Ssa:
        type_, width = source.type, number(bits(of))
        result = code.cell(type_)
        code.put(result, ir.Constant(type_, 0))

        def slot(i: Ssa) -> None:
            part = self.renamed(code, part_of(code, source, code.mul(i, width), of), of, g)
            to = code.mul(self._position(code, key, g, i), width)
            self._put_part(code, result, type_, to, part)

        code.for_range(number(0), number(count(key) - 1), slot)
        return code.get(result, type_)

    def _put_part(self, code: Code, cell: Ssa, type_: Any, at: Ssa, part: Ssa) -> None:
        code.put(cell, code.either(code.get(cell, type_), code.shift_left(code.resize(part, type_), at)))

    # ------------------------------------------------------------------------------------------ a state

    def emit(self) -> None:
        code = Code(self.rename)
        state, pool, g, target = self.rename.args
        state, target = (code.bounded(words, self.layout.words) for words in (state, target))
        pool = code.bounded(pool, self.pool.words)
        self._write_region(code, self.common, state, target, g, None)
        for name, kind in self.layout.kinds.items():
            self._move_processes(code, kind, self.regions[name], state, target, g)
        self._rename_pool(code, pool, target, g)
        code.b.ret_void()
        code.finish()

    def _move_processes(self, code: Code, kind: KindLayout, region: Region, state: Ssa, target: Ssa, g: Ssa) -> None:
        shape = AtomShape(kind.kind.sort.elements)

        def move(local: Ssa) -> None:
            to = self._position(code, shape, g, local) if self.tables.touches(shape) else local
            source = code.at(state, code.add(number(kind.base), code.mul(local, number(kind.stride))))
            destination = code.at(target, code.add(number(kind.base), code.mul(to, number(kind.stride))))
            pending = code.resize(read_bits(code, source, 0, kind.pending), I64) if kind.records else None
            self._write_region(code, region, source, destination, g, pending)

        code.for_range(number(0), number(kind.size - 1), move)

    def _write_region(
        self, code: Code, region: Region, source: Ssa, destination: Ssa, g: Ssa, pending: Ssa | None
    ) -> None:
        new = [code.both(code.word(source, word), number(rest)) for word, rest in enumerate(region.rest)]
        for name in region.names:
            moved = self.renamed(code, read_bits(code, source, 0, name.place), name.shape, g)
            if name.record is not None:
                assert pending is not None
                there = code.is_less(number(name.record), pending)
                moved = code.select(there, moved, ir.Constant(moved.type, 0))
            for piece in name.place.pieces:
                part = code.resize(code.shift_right(moved, ir.Constant(moved.type, piece.offset)), I64)
                part = code.shift_left(code.low_bits(part, piece.width), number(piece.shift))
                new[piece.word] = code.either(new[piece.word], part)
        for word, value in enumerate(new):
            code.put_word(destination, word, value)

    def _rename_pool(self, code: Code, pool: Ssa, target: Ssa, g: Ssa) -> None:
        if not self.layout.slots:
            return
        access = self.pool
        work = access.cell(code)
        access.set_size(code, work, number(0))

        def slot(i: Ssa) -> None:
            key = self.renamed_key(code, access.key(code, pool, i), g)
            code.b.call(access.insert, [work, key, access.copies(code, pool, i)])

        code.for_range(number(0), code.sub(access.size(code, pool), number(1)), slot)
        code.b.call(access.store, [work, target])

    def renamed_key(self, code: Code, key: Ssa, g: Ssa) -> Ssa:
        """A message's bits, after the permutation."""
        layout, type_ = self.layout, key.type
        pair = RecordShape((self.processes, self.processes))  # destination and source stand side by side
        new = self._renamed_parts(code, key, [(layout.destination_shift, pair)], g)
        for name, parts in self.payloads.items():
            if not parts:
                continue
            cell = code.cell(type_)
            code.put(cell, new)

            def payload(cell: Ssa = cell, parts: list[tuple[int, Shape]] = parts) -> None:
                code.put(cell, self._renamed_parts(code, code.get(cell, type_), parts, g))

            tag = number(layout.messages[name].tag)
            code.if_(code.is_equal(self.pool.tag(code, key), tag), payload)
            new = code.get(cell, type_)
        return new


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
