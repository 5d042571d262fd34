"""Exit codes: what a run of ``model-check`` concluded, as a number that scripts can rely on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The codes of TLC where it has one; see ``model-check --help`` and the README."""

    HOLDS = 0  # main job: and the seed's mutant was violated
    USAGE = 2  # usage, missing file
    DEADLOCK = 11
    SAFETY = 12
    LIVENESS = 13
    DIVERGES = 20  # the implementation differs from the spec
    ENGINES_DISAGREE = 21
    INCONCLUSIVE = 22  # time or memory ran out; or nothing was found at the macro grain
    UNREADABLE_TRACE = 23
    NOT_REACHED = 24  # a goal, a scenario or a `sometimes`
    MUTANT_SURVIVED = 25
    NOT_INDUCTIVE = 26
    LOG_REFUSED = 27
    EVALUATION_ERROR = 75  # in the spec
    SPEC_ERROR = 120  # S2xx–S5xx
    SYNTAX_ERROR = 150  # S1xx, or an empty spec
    INTERRUPTED = 130  # Ctrl-C
    IO_ERROR = 153  # disk full, unwritable folder
    INTERNAL_ERROR = 255


MEANING = {
    Exit.HOLDS: "holds within the bounds (main job: and the seed's mutant was violated)",
    Exit.USAGE: "usage, missing file",
    Exit.DEADLOCK: "deadlock",
    Exit.SAFETY: "safety violated",
    Exit.LIVENESS: "liveness violated",
    Exit.DIVERGES: "the implementation diverges",
    Exit.ENGINES_DISAGREE: "engines disagree",
    Exit.INCONCLUSIVE: "inconclusive: time or memory ran out; none at the macro grain",
    Exit.UNREADABLE_TRACE: "unreadable trace",
    Exit.NOT_REACHED: "goal, scenario or `sometimes` not reached",
    Exit.MUTANT_SURVIVED: "a mutant survived",
    Exit.NOT_INDUCTIVE: "not inductive",
    Exit.LOG_REFUSED: "log refused",
    Exit.EVALUATION_ERROR: "evaluation error in the spec",
    Exit.SPEC_ERROR: "error in the spec (S2xx–S5xx)",
    Exit.SYNTAX_ERROR: "syntax error (S1xx) or empty spec",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.IO_ERROR: "input/output error, disk full",
    Exit.INTERNAL_ERROR: "internal error",
}


class Stop(Exception):
    """Ends a command with a code and a message for the user: what was found, what is allowed, what to do."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
