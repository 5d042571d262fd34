"""What emitted code reads: a state's words, the memory of the acting process as changed so far, and local names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_packing import converted, packed, part_of, unpacked
from checker.explicit.emit_pool import Pool
from checker.explicit.emit_types import I64, number, register
from checker.explicit.emit_values import Atom, Emitted, Message, parts, rebuilt, zero
from checker.explicit.layout import KindLayout, Layout, MessageLayout, Place
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import Shape

# ------------------------------------------------------------------------------------ words of a state


def read_bits(code: Code, state: Ssa, base: Ssa | int, place: Place) -> Ssa:
    """The packed bits that stand in a place."""
    type_ = register(place.width)
    result = ir.Constant(type_, 0)
    region = code.at(state, base)
    for piece in place.pieces:
        word = code.shift_right(code.word(region, piece.word), number(piece.shift))
        part = code.resize(code.low_bits(word, piece.width), type_)
        result = code.either(result, code.shift_left(part, ir.Constant(type_, piece.offset)))
    return result


def write_bits(code: Code, state: Ssa, base: Ssa | int, place: Place, new: Ssa) -> None:
    region = code.at(state, base)
    code.fits(new, place.width, "a field")
    for piece in place.pieces:
        part = code.resize(code.shift_right(new, ir.Constant(new.type, piece.offset)), I64)
        part = code.shift_left(code.low_bits(part, piece.width), number(piece.shift))
        hole = ~(((1 << piece.width) - 1) << piece.shift) & ((1 << 64) - 1)
        rest = code.both(code.word(region, piece.word), number(hole - (1 << 64) if hole >> 63 else hole))
        code.put_word(region, piece.word, code.either(rest, part))


def read_value(code: Code, state: Ssa, base: Ssa | int, place: Place, shape: Shape) -> Emitted:
    return unpacked(code, read_bits(code, state, base, place), shape)


def write_value(code: Code, state: Ssa, base: Ssa | int, place: Place, shape: Shape, value: Emitted) -> None:
    write_bits(code, state, base, place, packed(code, value, shape))


def region_of(code: Code, layout: KindLayout, local: Ssa) -> Ssa:
    """Where the region of a kind's process begins."""
    return code.add(number(layout.base), code.mul(local, number(layout.stride)))


# ------------------------------------------------------------------------------------------------ messages


def read_message(code: Code, layout: Layout, message: MessageLayout, key: Ssa) -> Message:
    """The message whose key it is; the key may be of a waiting one."""
    mask = layout.process_bits
    key = code.low_bits(key, layout.waiting_shift)

    def process(shift: int, elements: tuple[str, ...]) -> Emitted:
        index = code.low_bits(code.resize(code.shift_right(key, number(shift)), I64), mask)
        place = {name: i for i, name in enumerate(elements)}
        table = [place.get(name, 0) for name in layout.processes]
        table += [0] * ((1 << mask) - len(table))
        first = layout.processes.index(elements[0]) if elements else 0
        if layout.processes[first : first + len(elements)] == elements:
            return Atom(code.sub(index, number(first)), elements)
        return Atom(code.table(table, I64, index), elements)

    source = process(layout.source_shift, message.sort.source.elements)
    destination = process(layout.destination_shift, message.sort.destination.elements)
    payload = unpacked(code, part_of(code, key, number(0), message.payload), message.payload)
    fields = getattr(payload, "fields", ())
    return Message(message.sort, key, (source, destination, *fields))


# --------------------------------------------------------------------------------------------------- cells


class Cell:
    """A variable that the code changes: its value always has the same shape."""

    def __init__(self, code: Code, shape: Shape) -> None:
        self.code, self.shape = code, shape
        empty = zero(shape)
        assert empty is not None
        self.types = [part.type for part in parts(empty)]
        self.cells = [code.cell(type_) for type_ in self.types]

    def get(self) -> Emitted:
        machine = [self.code.get(cell, type_) for cell, type_ in zip(self.cells, self.types, strict=True)]
        return rebuilt(self.shape, machine)

    def put(self, value: Emitted) -> None:
        for cell, part in zip(self.cells, parts(converted(self.code, value, self.shape)), strict=True):
            self.code.put(cell, part)


@dataclass(slots=True)
class Own:
    """The acting process: its position within its kind and among all, where its region begins."""

    layout: KindLayout
    local: Ssa
    index: Ssa
    base: Ssa


@dataclass(slots=True)
class Frame:
    """``state``: read for all that the transition has not changed. ``pool``: the unpacked messages in flight of that
    state. ``error``: where to go when an evaluation fails. ``label``: the step's rule, in an action invariant."""

    code: Code
    layout: Layout
    state: Ssa
    pool: Callable[[], Ssa]
    pool_access: Pool
    error: Any
    own: Own | None = None
    cells: dict[str, Cell] = field(default_factory=dict)  # variables that this transition may change
    local: dict[str, Emitted] = field(default_factory=dict)
    old: Frame | None = None
    label: Ssa | None = None
    rule_numbers: dict[str, list[int]] = field(default_factory=dict)
    known: dict[str, Emitted] = field(default_factory=dict)  # variables read in the prologue
    begun: Ssa = None  # the state when the transition began; ``state`` may become one that the body writes

    def __post_init__(self) -> None:
        self.begun = self.state

    def own_variable(self, name: str) -> Emitted:
        """A variable of the acting process, or a shared one or a ghost, as changed so far."""
        if name in self.cells:
            return self.cells[name].get()
        if name not in self.known:
            self.known[name] = self._in_prologue(name)
        return self.known[name]

    def _in_prologue(self, name: str) -> Emitted:
        code, body = self.code, self.code.b
        code.b = code.prologue
        value = self.stored(name)
        code.b = body
        return value

    def stored(self, name: str) -> Emitted:
        """The value that the state has: the one when the transition began, which the prologue can read."""
        if self.own is not None and name in self.own.layout.variables:
            shape, place = self.own.layout.variables[name]
            return read_value(self.code, self.begun, self.own.base, place, shape)
        shape, place = self.layout.common[name]
        return read_value(self.code, self.begun, 0, place, shape)

    def changing(self, names: set[str]) -> None:
        """Makes cells for variables that will be assigned."""
        for name in sorted(names - self.cells.keys()):
            if self.own is not None and name in self.own.layout.variables:
                shape = self.own.layout.variables[name][0]
            else:
                shape = self.layout.common[name][0]
            self.cells[name] = Cell(self.code, shape)
            self.cells[name].put(self.stored(name))
