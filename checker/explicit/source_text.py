"""Python source in the making: indented lines, fresh names, and the objects that no literal can write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Lines: TypeAlias = list[tuple[int, str]]
"""How far a line is indented, and its text."""


class Text:
    """``top``: functions that stand before all ``lines``. ``constants``: what the source calls by a name of its own.
    ``failures``: checks written so far that may fail."""

    def __init__(self) -> None:
        self.top: Lines = []
        self.lines: Lines = []
        self.constants: dict[str, Any] = {}
        self.failures = 0
        self._depth = self._names = 0
        self._named: dict[int, str] = {}

    def __str__(self) -> str:
        return "".join(f"{'    ' * depth}{line}\n" for depth, line in (*self.top, *self.lines))

    # ------------------------------------------------------------------------------------------- lines

    def line(self, text: str) -> None:
        self.lines.append((self._depth, text))

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """What is written inside stands under ``head``."""
        self.line(head)
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def aside(self) -> Iterator[Lines]:
        """What is written inside goes into the lines that are given, to be pasted later, or not."""
        outer, depth = self.lines, self._depth
        written: Lines = []
        self.lines, self._depth = written, 0
        yield written
        self.lines, self._depth = outer, depth

    def paste(self, lines: Lines) -> None:
        self.lines += [(self._depth + depth, line) for depth, line in lines]

    def fail_if(self, condition: str, error: str) -> None:
        self.failures += 1
        with self.block(f"if {condition}:"):
            self.line(f"raise {error}")

    # ------------------------------------------------------------------------------------------- names

    def fresh(self, word: str = "t") -> str:
        """A name that nothing else has."""
        self._names += 1
        return f"{word}_{self._names}"

    def let(self, value: str, word: str = "t") -> str:
        """A fresh name for the value as it is now."""
        name = self.fresh(word)
        self.line(f"{name} = {value}")
        return name

    def atom(self, value: str) -> str:
        """Text that may be repeated: a name, or a literal that is as short as one."""
        return value if is_atom(value) else self.let(value)

    def literal(self, value: Any) -> str:
        """A value as source."""
        if _has_literal(value):
            return f"({value!r})" if isinstance(value, int) and value < 0 else repr(value)
        return self.constant(value)

    def constant(self, value: Any, word: str = "K") -> str:
        """The name of an object that the source is given."""
        if id(value) not in self._named:
            name = self.fresh(word)
            self.constants[name] = value  # which also keeps the id from being used again
            self._named[id(value)] = name
        return self._named[id(value)]


def is_atom(text: str) -> bool:
    return text.isidentifier() or text.isdecimal() or (text[0] == text[-1] == "'" and text.count("'") == 2)


def _has_literal(value: Any) -> bool:
    if isinstance(value, tuple):
        return type(value) is tuple and all(map(_has_literal, value))
    return value is None or isinstance(value, bool | int | str)
