"""What memory each pointer of a function may reach, and the look at it before each access in the debug build."""

from __future__ import annotations

from typing import Any

from checker.explicit.emit_checks import CheckedModule
from checker.explicit.emit_types import I64, known
from checker.explicit.llvm import Ssa


class Extents:
    """Of one function. In a module that is not checked nothing is known, and nothing is looked at."""

    def __init__(self, function: Any) -> None:
        self.checks = function.module if isinstance(function.module, CheckedModule) else None
        self._name = function.name
        self._known: dict[int, tuple[Ssa, Ssa, Ssa]] = {}  # by a pointer's id: itself, its region's start, bytes

    def begin(self, start: Ssa, length: Ssa) -> None:
        """A region of so many bytes begins here."""
        if self.checks is not None:
            self._known[id(start)] = start, start, length

    def derive(self, found: Ssa, pointer: Ssa) -> None:
        """What is computed from a pointer stays in its region."""
        if id(pointer) in self._known:
            self._known[id(found)] = found, *self._known[id(pointer)][1:]

    def look_at_part(self, b: Any, pointer: Ssa, size: Ssa) -> None:
        """So many bytes from the pointer on, if it is into a region, lie in it."""
        if self.checks is not None and id(pointer) in self._known:
            _, whole, length = self._known[id(pointer)]
            end = b.sub(b.add(b.ptrtoint(pointer, I64), size), b.ptrtoint(whole, I64))
            self.checks.note(b, b.icmp_unsigned("<=", end, length), "a region outside another")

    def reached(self, b: Any, pointer: Ssa, size: int, what: str) -> Ssa:
        """The pointer, where so many bytes may be read or written; another one if not."""
        if self.checks is None:
            return pointer
        if id(pointer) not in self._known:
            self.checks.unbounded[self._name] = self.checks.unbounded.get(self._name, 0) + 1
            return pointer
        _, start, length = self._known[id(pointer)]
        if pointer is start and known(length) is not None and size <= (known(length) or 0):
            return pointer
        return self.checks.address(b, pointer, start, length, size, f"{what} of {size} bytes")
