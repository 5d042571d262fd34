"""Errors and warnings of a spec: a code, a place, what was found, and a hint; printed with the line and a caret.

S1xx syntax, S2xx names, S3xx types, S4xx effects, S5xx models and bounds. User errors are values: all of a file are
collected and shown in source order; :class:`SpecError` carries them to the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from spec.system import Place


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    place: Place
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def render(self, sources: Mapping[str, str]) -> str:
        """The message, the source line and a caret under the place. ``sources``: file name → text."""
        lines = [f"{self.place}: {self.severity.value}[{self.code}]: {self.message}"]
        text = sources.get(self.place.file, "").splitlines()
        if 1 <= self.place.line <= len(text):
            line = text[self.place.line - 1].replace("\t", " ")
            width = max(1, min(self.place.width, len(line) - self.place.column + 1))
            caret = " " * (self.place.column - 1) + "^" * width
            lines += [f"    {line}", f"    {caret}"]
        if self.hint is not None:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


class SpecError(Exception):
    """A spec that cannot be used: every error found in it, in source order, and the sources to quote from."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(sorted(set(diagnostics), key=lambda d: (d.place, d.code, d.message)))
        self.sources = dict(sources)
        super().__init__("\n".join(d.render(self.sources) for d in self.diagnostics))

    @property
    def is_syntax(self) -> bool:
        """Whether any error is S1xx (exit code 150 instead of 120)."""
        return any(d.code.startswith("S1") for d in self.diagnostics)
