"""The bounds-checked debug build: every address that is computed, every shift and every bit field is looked at.

A check that fails notes its number in a word of the module, once, and what it stopped becomes harmless: the access goes
to a scratch area, the shift is by zero. So the code never does what LLVM leaves undefined, and whoever called it asks
for the noted check afterwards (``take_fault``) and raises BrokenCode with its name.
"""

from __future__ import annotations

import sys
from typing import Any

from checker.explicit.llvm import Ssa, ir

_BIT, _NUMBER, _POINTER = ir.IntType(1), ir.IntType(64), ir.PointerType()
SCRATCH = 1 << 16
"""Bytes for accesses that went astray; the widest value is far narrower."""


class CheckedModule(ir.Module):  # type: ignore[misc]
    """A module whose code looks before it leaps. ``names``: the checks by their numbers, from 1 on. ``unbounded``: by
    function, how many accesses are to memory whose extent nobody has declared, so that they are not checked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.names: list[str] = []
        self.context_words = self._global("debug.context_words", _NUMBER)  # known when all cuts are
        self.unbounded: dict[str, int] = {}
        self._fault = self._global("debug.fault", _NUMBER)
        self._scratch = self._global("debug.scratch", ir.ArrayType(ir.IntType(8), SCRATCH))
        self._note = self._emit_note()
        self._address = self._emit_address()
        self._emit_take()

    def _global(self, name: str, type_: Any) -> Any:
        variable = ir.GlobalVariable(self, type_, name)
        variable.type = _POINTER
        variable.linkage = "internal"
        variable.initializer = ir.Constant(type_, None)
        return variable

    def _function(self, name: str, result: Any, *arguments: Any) -> tuple[Any, Any]:
        function = ir.Function(self, ir.FunctionType(result, arguments), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        return function, ir.IRBuilder(function.append_basic_block())

    def _emit_note(self) -> Any:
        """(good, number): remembers the first check that is not good."""
        function, b = self._function("debug.note", ir.VoidType(), _BIT, _NUMBER)
        good, number = function.args
        first = b.icmp_unsigned("==", b.load(self._fault, typ=_NUMBER), ir.Constant(_NUMBER, 0))
        with b.if_then(b.and_(first, b.not_(good))):
            b.store(number, self._fault)
        b.ret_void()
        return function

    def _emit_address(self) -> Any:
        """(pointer, start, length, size, number): the pointer if ``size`` bytes from it on lie within ``length`` bytes
        from ``start`` on."""
        function, b = self._function("debug.address", _POINTER, _POINTER, _POINTER, _NUMBER, _NUMBER, _NUMBER)
        pointer, start, length, size, number = function.args
        offset = b.sub(b.ptrtoint(pointer, _NUMBER), b.ptrtoint(start, _NUMBER))
        room = b.icmp_unsigned("<=", size, length)
        good = b.and_(room, b.icmp_unsigned("<=", offset, b.sub(length, size)))
        b.call(self._note, [good, number])
        b.ret(b.select(good, pointer, self._scratch))
        return function

    def _emit_take(self) -> None:
        function, b = self._function("take_fault", _NUMBER)
        function.linkage = ""
        fault = b.load(self._fault, typ=_NUMBER)
        b.store(ir.Constant(_NUMBER, 0), self._fault)
        b.ret(fault)

    # ------------------------------------------------------------------------------------------ checks

    def note(self, b: Any, good: Ssa, what: str) -> None:
        b.call(self._note, [good, self._number(b, what)])

    def address(self, b: Any, pointer: Ssa, start: Ssa, length: Ssa, size: int, what: str) -> Ssa:
        assert size <= SCRATCH
        arguments = [pointer, start, length, ir.Constant(_NUMBER, size), self._number(b, what)]
        return b.call(self._address, arguments)

    def _number(self, b: Any, what: str) -> Ssa:
        self.names.append(f"{what} in {b.function.name} ({_emitter()})")
        return ir.Constant(_NUMBER, len(self.names))


def _emitter() -> str:
    """The lines of this package that wrote the code, innermost first."""
    lines: list[str] = []
    frame = sys._getframe(1)
    while frame is not None and len(lines) < 3:
        file = frame.f_code.co_filename.rpartition("/")[2]
        if file not in ("emit_checks.py", "emit_code.py", "emit_extents.py"):
            lines.append(f"{file}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(lines)
