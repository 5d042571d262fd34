"""How a search is done: what ``check`` is told besides the question and the engine, and the words that tell it again.

A new option is a field here, an option of the same name in ``options.py``, and its words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from checker.verdict import Exit, Stop
from spec.system import Grain

EXHAUSTIVE = ("explicit", "reference")
"""The engines that look at every state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """``scenario``: where to start, if not at the model's start. ``max_steps``: labels (macro steps) from there, and
    ``timeout``: seconds; None: to the end. ``min_steps``: runs of fewer are not looked at. ``frontier``: of the first
    steps z3 lists the states they lead to. ``symmetry``: states are
    stored up to it. ``workers``: threads; None: one a processor. ``go_on``: a violation does not end the search, and
    each property has its verdict; an evaluation error does. ``memory``: bytes; None: all there is. ``checkpoint``,
    ``recover``: folders. ``fingerprints``: states are told apart by their hashes. ``smt_out``: a folder for the
    questions to z3."""

    scenario: str | None = None
    max_steps: int | None = None
    min_steps: int = 0
    frontier: int = 0
    timeout: float | None = None
    deadlock: bool = False
    go_on: bool = False
    symmetry: bool = True
    workers: int | None = None
    memory: int | None = None
    checkpoint: Path | None = None
    recover: Path | None = None
    fingerprints: bool = False
    simulate: int | None = None
    seed: int | None = None
    grain: Grain = Grain.MICRO
    smt_out: Path | None = None

    def words(self) -> list[str]:
        """Those of the command line that make a difference to what is found."""
        words = ["--scenario", self.scenario] if self.scenario else []
        words += ["--grain", self.grain.value] if self.grain is not Grain.MICRO else []
        words += ["--max-steps", str(self.max_steps)] if self.max_steps is not None else []
        words += ["--min-steps", str(self.min_steps)] if self.min_steps else []
        words += ["--frontier", str(self.frontier)] if self.frontier else []
        words += ["--deadlock"] if self.deadlock else []
        words += ["--continue"] if self.go_on else []
        words += ["--no-symmetry"] if not self.symmetry else []
        words += ["--workers", str(self.workers)] if self.workers is not None else []
        words += ["--memory", _size(self.memory)] if self.memory is not None else []
        words += ["--fingerprints"] if self.fingerprints else []
        words += ["--simulate", str(self.simulate)] if self.simulate is not None else []
        words += ["--seed", str(self.seed)] if self.seed is not None else []
        return words

    def refuse_what_an_engine_cannot(self, engine: str) -> None:
        """Raises Stop for what would be dropped in silence."""
        self._refuse_beside_simulation(engine)
        if self.deadlock and engine not in EXHAUSTIVE:
            raise _needs("--deadlock", "explicit or reference", engine)
        if self.grain is Grain.MACRO and self.deadlock:
            raise Stop(Exit.USAGE, "--deadlock needs --grain micro: that no macro can be taken is no deadlock")
        if self.grain is Grain.MACRO and self.go_on:
            reason = "runs of the fewest macro steps are not the shortest"
            raise Stop(Exit.USAGE, f"--continue needs --grain micro: {reason}")
        if self.go_on and engine not in EXHAUSTIVE:
            raise _needs("--continue", "explicit or reference", engine)
        if self.workers is not None and engine not in ("explicit", "both"):
            raise _needs("--workers", "explicit or both", engine)
        for option, value in (
            ("--memory", self.memory),
            ("--checkpoint", self.checkpoint),
            ("--recover", self.recover),
            ("--fingerprints", self.fingerprints),
        ):
            if value and engine not in ("explicit", "both"):
                raise _needs(option, "explicit or both", engine)
        if self.min_steps and engine != "symbolic":
            raise _needs("--min-steps", "symbolic", engine)
        if self.frontier and engine != "symbolic":
            raise _needs("--frontier", "symbolic", engine)
        if self.frontier and self.min_steps:
            raise Stop(Exit.USAGE, "--frontier looks at the shortest runs first: leave out --min-steps")
        if self.smt_out is not None and engine not in ("symbolic", "both"):
            raise _needs("--smt-out", "symbolic or both", engine)
        if self.fingerprints and (self.checkpoint or self.recover):
            raise Stop(Exit.USAGE, "--fingerprints keeps no states to write down: leave out --checkpoint and --recover")
        if self.recover is not None and self.checkpoint is not None:
            raise Stop(Exit.USAGE, "--recover goes on leaving checkpoints in its folder: leave out --checkpoint")
        if self.recover is not None and self.workers is not None:
            raise Stop(Exit.USAGE, "--recover goes on with as many workers as the search had: leave out --workers")

    def _refuse_beside_simulation(self, engine: str) -> None:
        if self.simulate is None:
            if self.seed is not None:
                raise Stop(Exit.USAGE, "--seed is for random runs: add --simulate N, or leave it out")
            return
        if engine != "explicit":
            raise _needs("--simulate", "explicit", engine)
        for option, value in (
            ("--continue", self.go_on),
            ("--workers", self.workers),
            ("--memory", self.memory),
            ("--checkpoint", self.checkpoint),
            ("--recover", self.recover),
            ("--fingerprints", self.fingerprints),
            ("--grain macro", self.grain is Grain.MACRO),
        ):
            if value:
                raise Stop(Exit.USAGE, f"{option} is for a search, --simulate takes random runs: leave out one of them")

    def refuse_liveness(self, engine: str) -> None:
        """Raises Stop where a question about infinite runs would get no answer."""
        if engine not in EXHAUSTIVE:
            raise _needs("an `eventually`", "explicit or reference", engine)
        if self.grain is Grain.MACRO:
            raise Stop(Exit.USAGE, "an `eventually` needs --grain micro: fairness is about single labels")
        if self.simulate is not None:
            raise Stop(Exit.USAGE, "an `eventually` needs a search: a random run that ends says nothing of it")


def _size(memory: int) -> str:
    """As a person would write it, if that is no more."""
    return f"{memory >> 20}M" if memory >= 1 << 20 else str(memory)


def _needs(option: str, engines: str, engine: str) -> Stop:
    return Stop(Exit.USAGE, f"{option} needs --engine {engines}; found: --engine {engine}")
