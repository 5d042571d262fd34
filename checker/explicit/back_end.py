"""Which back end the explicit engine runs: native code, or Python source where llvmlite is missing, or on request."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from enum import Enum

from checker.explicit.errors import NeedsNative

VARIABLE = "RAFTPROOF_BACK_END"
"""The environment variable that chooses a back end, by its name."""

INSTALL = "pip install 'raftproof[native]'"


class BackEnd(Enum):
    """What a system is emitted as."""

    NATIVE = "native"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Choice:
    """``notice``: what the user is told; empty where nothing is out of the ordinary."""

    back_end: BackEnd
    notice: str = ""


def missing() -> str:
    """Why there is no native code here; empty if there can be. llvmlite may be installed and not load."""
    try:
        importlib.import_module("llvmlite.binding")
    except (ImportError, OSError) as error:
        return str(error)
    return ""


def available() -> bool:
    """Whether there can be native code here."""
    return not missing()


def choose() -> Choice:
    """The back end that the environment asks for, or the faster one that there is. Raises NeedsNative."""
    wanted = os.environ.get(VARIABLE, "")
    names = [back_end.value for back_end in BackEnd]
    if wanted and wanted not in names:
        raise NeedsNative(f"{VARIABLE}={wanted}: there is no such back end; there are: {', '.join(names)}")
    if wanted == BackEnd.PYTHON.value:
        return Choice(BackEnd.PYTHON, f"explicit engine: slow, as Python source, because {VARIABLE}={wanted}")
    reason = missing()
    if not reason:
        return Choice(BackEnd.NATIVE)
    if wanted:
        raise NeedsNative(f"{VARIABLE}={wanted}: native code needs llvmlite ({reason}); {INSTALL}")
    return Choice(BackEnd.PYTHON, f"explicit engine: slow, as Python source; for native code: {INSTALL} ({reason})")
