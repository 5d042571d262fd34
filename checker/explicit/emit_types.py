"""The machine values of emitted code: their types, constants, and how many bytes they take.

``i1`` for booleans, ``i64`` for numbers and positions, and ``iN`` for packed bits (N a multiple of 64, always more than
the bits in use, so that no shift by a width in use is undefined).
"""

from __future__ import annotations

from typing import Any

from checker.explicit.llvm import Ssa, ir

BIT = ir.IntType(1)
I32 = ir.IntType(32)
I64 = ir.IntType(64)
POINTER = ir.PointerType()
TRUE = ir.Constant(BIT, 1)
FALSE = ir.Constant(BIT, 0)


def number(value: int) -> Ssa:
    return ir.Constant(I64, value)


def register(bits: int) -> Any:
    """The type for so many packed bits."""
    return ir.IntType(64 * (bits // 64 + 1))


def known(value: Ssa) -> int | None:
    """The number, if it is a constant."""
    if isinstance(value, ir.Constant) and isinstance(value.constant, int):
        return int(value.constant)
    return None


def size_in_bytes(type_: Any) -> int:
    return 8 if type_ == POINTER else -(-int(type_.width) // 8)
