"""Exit codes of ``python -m refimpl``: those of ``model-check`` where they mean the same."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command concluded, as a number that scripts can rely on."""

    DONE = 0
    ABSENT = 1
    USAGE = 2
    SAFETY = 12
    LIVENESS = 13
    DIVERGES = 20
    DISAGREE = 21
    UNKNOWN = 22
    SURVIVED = 25
    TORN = 28
    REFUSED = 77
    INTERRUPTED = 130
    IO_ERROR = 153
    INTERNAL_ERROR = 255


MEANING = {
    Exit.DONE: "done",
    Exit.ABSENT: "the key is absent",
    Exit.USAGE: "usage, missing file",
    Exit.SAFETY: "a promise was broken (torture, simulation)",
    Exit.LIVENESS: "a cluster that was left in peace did not come to rest (simulation)",
    Exit.DIVERGES: "the implementation diverges",
    Exit.DISAGREE: "two checks of the same thing disagree, or two runs of one seed",
    Exit.UNKNOWN: "no answer in time: a command may or may not have taken effect, unless it says that nothing was sent",
    Exit.SURVIVED: "a planted fault was not found (torture, simulation)",
    Exit.TORN: "the log ends in a torn tail, which the next start forgets",
    Exit.REFUSED: "refused: certificate, name, version, or an input that the cluster does not take",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
    Exit.IO_ERROR: "input/output error, disk full, damaged log file",
    Exit.INTERNAL_ERROR: "internal error",
}


class Stop(Exception):
    """Ends a command with a code and a message for the user: what was found, what is allowed, what to do.

    With --json it becomes an object with the message as `error`, the code as `exit`, and the further fields. Without a
    message nothing is said: the command's report has said it.
    """

    def __init__(self, code: Exit, message: str = "", **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields
