"""Writing LLVM IR: a builder that folds constants, keeps integers as wide as they need, and knows ifs and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from checker.explicit.emit_extents import Extents
from checker.explicit.emit_types import BIT, FALSE, I64, POINTER, TRUE, known, number, size_in_bytes
from checker.explicit.llvm import Ssa, ir


class Code:
    """One function being written. Local cells are allocated in its first block; ``prologue`` comes right after and
    dominates everything. In a checked module, it looks at what it computes addresses, shifts and bit fields from."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self._extents = Extents(function)
        self.checks = self._extents.checks
        self._relevant: list[Ssa] = []  # while code is written whose value is used only if all of these hold
        self.cells = ir.IRBuilder(function.append_basic_block("cells"))
        self.prologue = ir.IRBuilder(function.append_basic_block("prologue"))
        self.cells.branch(self.prologue.block)
        self.cells.position_before(self.cells.block.terminator)
        self.body = function.append_basic_block("body")
        self.b = ir.IRBuilder(self.body)

    def finish(self) -> None:
        self.prologue.branch(self.body)

    # ------------------------------------------------------------------------------------------- cells

    def cell(self, type_: Any, count: int = 1) -> Ssa:
        cell = self.cells.alloca(type_, number(count)) if count != 1 else self.cells.alloca(type_)
        cell.type = POINTER  # llvmlite would give it a typed pointer, which LLVM no longer has
        self._extents.begin(cell, number(size_in_bytes(type_) * count))
        return cell

    def get(self, cell: Ssa, type_: Any) -> Ssa:
        cell = self._extents.reached(self.b, cell, size_in_bytes(type_), "a read")
        return self.b.load(cell, typ=type_, align=8 if type_.width > 64 else None)

    def put(self, cell: Ssa, value: Ssa) -> None:
        cell = self._extents.reached(self.b, cell, size_in_bytes(value.type), "a write")
        self.b.store(value, cell, align=8 if value.type.width > 64 else None)

    def at(self, pointer: Ssa, index: Ssa | int, type_: Any = I64) -> Ssa:
        index = number(index) if isinstance(index, int) else index
        if known(index) == 0:
            return pointer
        found = self.b.gep(pointer, [index], inbounds=self.checks is None, source_etype=type_)
        self._extents.derive(found, pointer)
        return found

    def word(self, pointer: Ssa, index: Ssa | int) -> Ssa:
        return self.get(self.at(pointer, index), I64)

    def put_word(self, pointer: Ssa, index: Ssa | int, value: Ssa) -> None:
        self.put(self.at(pointer, index), value)

    # ------------------------------------------------------------------------------------------ checks

    def bounded(self, pointer: Ssa, words: int | Callable[[], Ssa]) -> Ssa:
        """The pointer, to a region of so many words: what is computed from it stays in there."""
        if self.checks is None:
            return pointer
        size = self.mul(number(words) if isinstance(words, int) else words(), number(8))
        builder = self.cells if isinstance(pointer, ir.Argument) and known(size) is not None else self.b
        start = builder.gep(pointer, [number(0)], source_etype=I64)
        self._extents.look_at_part(self.b, pointer, size)
        self._extents.begin(start, size)
        return start

    def bounded_context(self, context: Ssa) -> Ssa:
        return self.bounded(context, lambda: self.b.load(self.checks.context_words, typ=I64))  # type: ignore[union-attr]

    def within(self, index: Ssa, end: Callable[[], Ssa], what: str, first: Callable[[], Ssa] | None = None) -> Ssa:
        """The index, which lies in first..end - 1; in a checked module ``first`` (or 0) if it does not."""
        if self.checks is None:
            return index
        begin = number(0) if first is None else first()
        room = self.b.sub(end(), begin)
        good = self.b.icmp_unsigned("<", self.b.sub(index, begin), room)
        self.ensure(lambda: good, what)
        return self.b.select(good, index, begin)

    def ensure(self, holds: Callable[[], Ssa], what: str) -> None:
        """In a checked module: notes it if this does not hold."""
        if self.checks is None:
            return
        good = holds()
        for condition in self._relevant:
            good = self.disjunction(self.negation(condition), good)
        if known(good) != 1:
            self.checks.note(self.b, good, what)

    def fits(self, value: Ssa, bits: int, what: str) -> Ssa:
        """The value, which has no ones above its lowest ``bits``."""
        if self.checks is not None and bits < value.type.width:
            zero = ir.Constant(value.type, 0)
            self.ensure(lambda: self.is_equal(self._high_bits(value, bits), zero), f"{what} of {bits} bits")
        return value

    def _high_bits(self, value: Ssa, bits: int) -> Ssa:
        number_ = known(value)
        if number_ is not None:
            return ir.Constant(value.type, (number_ & ((1 << value.type.width) - 1)) >> bits)
        return self.b.lshr(value, ir.Constant(value.type, bits))

    @contextmanager
    def only_if(self, condition: Callable[[], Ssa]) -> Iterator[None]:
        """What is computed meanwhile is used only if the condition holds; else it may be out of any range."""
        if self.checks is None:
            yield
            return
        self._relevant.append(condition())
        yield
        self._relevant.pop()

    def _shift(self, value: Ssa, by: Ssa) -> Ssa:
        """How far to shift: less than the value's width, else LLVM leaves the result undefined."""
        if self.checks is None or (known(by) is not None and 0 <= (known(by) or 0) < value.type.width):
            return self.resize(by, value.type)
        good = self.b.icmp_unsigned("<", by, ir.Constant(by.type, value.type.width))
        self.ensure(lambda: good, f"a shift of {value.type.width} bits")
        return self.resize(self.b.select(good, by, ir.Constant(by.type, 0)), value.type)

    # -------------------------------------------------------------------------------------- arithmetic

    def _fold(self, name: str, left: Ssa, right: Ssa, compute: Callable[[int, int], int]) -> Ssa:
        a, b = known(left), known(right)
        if a is not None and b is not None:
            width = left.type.width
            return ir.Constant(left.type, compute(a, b) & ((1 << width) - 1) if width > 64 else _signed(compute(a, b)))
        return getattr(self.b, name)(left, right)

    def add(self, left: Ssa, right: Ssa) -> Ssa:
        if known(right) == 0:
            return left
        if known(left) == 0:
            return right
        return self._fold("add", left, right, lambda a, b: a + b)

    def sub(self, left: Ssa, right: Ssa) -> Ssa:
        return left if known(right) == 0 else self._fold("sub", left, right, lambda a, b: a - b)

    def mul(self, left: Ssa, right: Ssa) -> Ssa:
        if known(right) == 1:
            return left
        if known(left) == 1:
            return right
        return self._fold("mul", left, right, lambda a, b: a * b)

    def both(self, left: Ssa, right: Ssa) -> Ssa:
        """Bitwise and."""
        for a, b in ((left, right), (right, left)):
            if known(a) == 0:
                return a
            if left.type == BIT and known(a) == 1:
                return b
        return self._fold("and_", left, right, lambda a, b: a & b)

    def either(self, left: Ssa, right: Ssa) -> Ssa:
        """Bitwise or."""
        for a, b in ((left, right), (right, left)):
            if known(a) == 0:
                return b
            if left.type == BIT and known(a) == 1:
                return a
        return self._fold("or_", left, right, lambda a, b: a | b)

    def negation(self, bit: Ssa) -> Ssa:
        value = known(bit)
        return self.b.xor(bit, TRUE) if value is None else (FALSE if value else TRUE)

    def shift_left(self, value: Ssa, by: Ssa) -> Ssa:
        return self._shifted("shl", value, by, lambda a, b: a << b)

    def shift_right(self, value: Ssa, by: Ssa) -> Ssa:
        return self._shifted("lshr", value, by, _shift_right)

    def _shifted(self, name: str, value: Ssa, by: Ssa, compute: Callable[[int, int], int]) -> Ssa:
        distance = known(by)
        if self.checks is None and distance is not None and not 0 <= distance < value.type.width:
            return value  # after an evaluation that is known to fail: nothing comes here
        by = self._shift(value, by)
        return value if known(by) == 0 or known(value) == 0 else self._fold(name, value, by, compute)

    def resize(self, value: Ssa, type_: Any) -> Ssa:
        if value.type.width == type_.width:
            return value
        constant = known(value)
        if constant is not None:
            assert constant >= 0
            return ir.Constant(type_, constant & ((1 << type_.width) - 1))
        return self.b.zext(value, type_) if type_.width > value.type.width else self.b.trunc(value, type_)

    def mask(self, type_: Any, bits: int) -> Ssa:
        """So many ones, lowest."""
        return ir.Constant(type_, (1 << bits) - 1)

    def low_bits(self, value: Ssa, bits: int) -> Ssa:
        return self.both(value, self.mask(value.type, bits))

    def ones(self, type_: Any, bits: Ssa) -> Ssa:
        """As many ones as ``bits`` (less than the type's width) says at run time."""
        one = ir.Constant(type_, 1)
        return self.sub(self.shift_left(one, bits), one)

    def is_less(self, left: Ssa, right: Ssa) -> Ssa:
        return self._compare("<", left, right)

    def is_less_equal(self, left: Ssa, right: Ssa) -> Ssa:
        return self._compare("<=", left, right)

    def is_equal(self, left: Ssa, right: Ssa) -> Ssa:
        a, b = known(left), known(right)
        if a is not None and b is not None:
            return TRUE if a == b else FALSE
        return self.b.icmp_unsigned("==", left, right)

    def _compare(self, operator: str, left: Ssa, right: Ssa) -> Ssa:
        a, b = known(left), known(right)
        if a is not None and b is not None:
            return TRUE if (a < b if operator == "<" else a <= b) else FALSE
        return self.b.icmp_signed(operator, left, right)

    def select(self, condition: Ssa, then: Ssa, otherwise: Ssa) -> Ssa:
        """``then`` or ``otherwise``; what is not chosen may be undefined."""
        value = known(condition)
        if value is not None:
            return then if value else otherwise
        if then is otherwise:
            return then
        return self.b.select(condition, then, otherwise)

    def conjunction(self, left: Ssa, right: Ssa) -> Ssa:
        """``left and right``, where ``right`` may be undefined unless ``left`` holds."""
        return right if known(left) == 1 else self.select(left, right, FALSE)

    def disjunction(self, left: Ssa, right: Ssa) -> Ssa:
        return right if known(left) == 0 else self.select(left, TRUE, right)

    def intrinsic(self, name: str, value: Ssa, *more: Ssa) -> Ssa:
        type_ = ir.FunctionType(value.type, [value.type, *(other.type for other in more)])
        return self.b.call(declared(self.function.module, f"llvm.{name}.i{value.type.width}", type_), [value, *more])

    def ones_in(self, mask: Ssa) -> Ssa:
        return self.resize(self.intrinsic("ctpop", mask), I64)

    def lowest(self, mask: Ssa) -> Ssa:
        """The position of the lowest one of a mask that is not zero."""
        return self.resize(self.intrinsic("cttz", mask, TRUE), I64)

    def highest(self, mask: Ssa) -> Ssa:
        leading = self.resize(self.intrinsic("ctlz", mask, TRUE), I64)
        return self.sub(number(mask.type.width - 1), leading)

    # -------------------------------------------------------------------------------------------- flow

    def call(self, name: str, *arguments: Ssa) -> Ssa:
        """Calls the module's function of this name."""
        return self.b.call(self.function.module.globals[name], arguments)

    def block(self, name: str = "") -> Any:
        return self.function.append_basic_block(name)

    def go_on(self, condition: Ssa, otherwise: Any) -> None:
        """Continues where the condition holds; leaves for the block ``otherwise`` where not."""
        if known(condition) == 1:
            return
        rest = self.block()
        self.b.cbranch(condition, rest, otherwise)
        self.b.position_at_end(rest)

    def leave_if(self, condition: Ssa, to: Any) -> None:
        if known(condition) == 0:
            return
        rest = self.block()
        self.b.cbranch(condition, to, rest)
        self.b.position_at_end(rest)

    def if_(self, condition: Ssa, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        value = known(condition)
        if value is not None:
            if value:
                then()
            elif otherwise is not None:
                otherwise()
            return
        yes, after = self.block(), self.block()
        no = after if otherwise is None else self.block()
        self.b.cbranch(condition, yes, no)
        self.b.position_at_end(yes)
        then()
        self.b.branch(after)
        if otherwise is not None:
            self.b.position_at_end(no)
            otherwise()
            self.b.branch(after)
        self.b.position_at_end(after)

    def for_range(self, first: Ssa, last: Ssa, body: Callable[[Ssa], None]) -> Any:
        """``body(i)`` for i in first..last. Returns the block after the loop, where ``body`` may branch to."""
        head, inside, after = self.block(), self.block(), self.block()
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        i = self.b.phi(I64)
        i.add_incoming(first, before)
        self.b.cbranch(self.b.icmp_signed("<=", i, last), inside, after)
        self.b.position_at_end(inside)
        body(i)
        i.add_incoming(self.b.add(i, number(1)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)
        return after

    def for_ones(self, mask: Ssa, body: Callable[[Ssa], None]) -> None:
        """``body(position)`` for each one of a mask, lowest first."""
        head, inside, after = self.block(), self.block(), self.block()
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        rest = self.b.phi(mask.type)
        rest.add_incoming(mask, before)
        zero = ir.Constant(mask.type, 0)
        self.b.cbranch(self.b.icmp_unsigned("!=", rest, zero), inside, after)
        self.b.position_at_end(inside)
        position = self.lowest(rest)
        body(position)
        rest.add_incoming(self.b.and_(rest, self.b.sub(rest, ir.Constant(mask.type, 1))), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)

    def copy(self, to: Ssa, source: Ssa, words: int) -> None:
        type_ = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, BIT])
        copy = declared(self.function.module, "llvm.memcpy.p0.p0.i64", type_)
        to = self._extents.reached(self.b, to, 8 * words, "a copy")
        source = self._extents.reached(self.b, source, 8 * words, "a copy")
        self.b.call(copy, [to, source, number(8 * words), FALSE])

    def table(self, values: list[int], type_: Any, index: Ssa) -> Ssa:
        """``values[index]``."""
        if known(index) is not None:
            return ir.Constant(type_, values[known(index) or 0])
        if values == list(range(len(values))) and type_ == I64:
            return index
        array = ir.ArrayType(type_, len(values))
        module = self.function.module
        constant = ir.GlobalVariable(module, array, module.get_unique_name("table"))
        constant.type = POINTER
        constant.linkage = "internal"
        constant.global_constant = True
        constant.initializer = ir.Constant(array, [ir.Constant(type_, value) for value in values])
        self._extents.begin(constant, number(size_in_bytes(type_) * len(values)))
        return self.get(self.at(constant, index, type_), type_)


def unreachable_if_unused(phi: Any) -> None:
    """A φ that nothing comes to is no valid code: its block becomes unreachable."""
    if not phi.incomings:
        block = phi.parent
        block.instructions.clear()
        block.terminator = None
        ir.IRBuilder(block).unreachable()


def new_function(module: Any, name: str, result: Any, *arguments: Any, exported: bool = False) -> Code:
    """A function of the module, to be written; only an exported one is seen from outside."""
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    if not exported:
        function.linkage = "internal"
    return Code(function)


def declared(module: Any, name: str, type_: Any) -> Any:
    return module.globals[name] if name in module.globals else ir.Function(module, type_, name)


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _shift_right(value: int, by: int) -> int:
    assert value >= 0
    return value >> by
