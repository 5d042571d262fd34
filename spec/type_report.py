"""Collects what is wrong with a spec, each thing once, and finds the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from spec.diagnostics import Diagnostic, Severity
from spec.system import Place


class Report:
    """Diagnostics in the order found. Inlining meets the same statement again and again: equal ones count once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(self._found)

    @property
    def has_errors(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self._found)

    def add(self, found: Iterable[Diagnostic]) -> None:
        self._found |= dict.fromkeys(found)

    def error(self, code: str, place: Place, message: str, hint: str | None = None) -> None:
        self._found[Diagnostic(code, place, message, hint)] = None

    def warning(self, code: str, place: Place, message: str, hint: str | None = None) -> None:
        self._found[Diagnostic(code, place, message, hint, Severity.WARNING)] = None


def close_to(name: str, known: Iterable[str]) -> str | None:
    """``did you mean `log`?``, if a known name is close."""
    close = get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """``did you mean `log`?``; without a close match ``otherwise``: what to do then."""
    return close_to(name, known) or otherwise


def listed(names: Iterable[str], nothing: str = "none") -> str:
    """``a, b, c``: for "what is allowed"."""
    return ", ".join(names) or nothing
