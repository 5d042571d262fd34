"""The one place that imports llvmlite, which has no types: what it yields is ``Any`` inside this package."""

from __future__ import annotations

from typing import Any, TypeAlias

from llvmlite import __version__, binding, ir  # type: ignore[import-untyped]

VERSION: str = __version__

Ssa: TypeAlias = Any
"""A value of the emitted code: an instruction, an argument or a constant."""

__all__ = ["VERSION", "Ssa", "binding", "ir"]
