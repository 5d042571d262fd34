"""How a search is done: what ``check`` is told besides the question and the engine, and the words that tell it again.

A new option is a field here, an option of the same name in ``options.py``, and its words.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.verdict import Exit, Stop

EXHAUSTIVE = ("explicit", "reference")
"""The engines that look at every state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """``scenario``: where to start, if not at the model's start. ``max_steps``: labels from there, and ``timeout``:
    seconds; None: to the end. ``symmetry``: states are stored up to it. ``workers``: threads; None: one a processor."""

    scenario: str | None = None
    max_steps: int | None = None
    timeout: float | None = None
    deadlock: bool = False
    symmetry: bool = True
    workers: int | None = None

    def words(self) -> list[str]:
        """Those of the command line that make a difference to what is found."""
        words = ["--scenario", self.scenario] if self.scenario else []
        words += ["--max-steps", str(self.max_steps)] if self.max_steps is not None else []
        words += ["--deadlock"] if self.deadlock else []
        words += ["--no-symmetry"] if not self.symmetry else []
        words += ["--workers", str(self.workers)] if self.workers is not None else []
        return words

    def refuse_what_an_engine_cannot(self, engine: str) -> None:
        """Raises Stop for what would be dropped in silence."""
        if self.deadlock and engine not in EXHAUSTIVE:
            raise _needs("--deadlock", "explicit or reference", engine)
        if self.workers is not None and engine not in ("explicit", "both"):
            raise _needs("--workers", "explicit or both", engine)


def _needs(option: str, engines: str, engine: str) -> Stop:
    return Stop(Exit.USAGE, f"{option} needs --engine {engines}; found: --engine {engine}")
