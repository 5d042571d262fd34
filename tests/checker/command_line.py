"""``model-check`` as a user meets it: in this process, or as a process of its own."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from checker.cli import main

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
CORPUS = ROOT / "traces" / "corpus"
MODELS = ROOT / "spec" / "models"
SCRIPT = Path(sys.executable).parent / "model-check"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run came to. No run may ever show a traceback, or colour a pipe."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        text = self.out + self.err
        assert "Traceback" not in text, text
        assert "internal error:" not in text, text
        assert "\x1b" not in text, repr(text)

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def reproduce(self) -> list[str]:
        """The words after ``model-check`` of the command that the output tells to run."""
        commands = re.findall(r"^\s*reproduce: +(model-check .*)$", self.out, re.MULTILINE)
        assert len(commands) == 1, self.out
        return shlex.split(commands[0])[1:]

    def steps(self) -> list[str]:
        """The labels of the trace that is shown, in order."""
        return re.findall(r"^ *[1-9]\d*  (\w+\(.*?\))(?:  |$)", self.out, re.MULTILINE)


def model_check(*arguments: object) -> Ran:
    """Runs the console script's function in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    words = ["model-check", *map(str, arguments)]
    called_by_name = patch.object(sys.modules["__main__"], "__package__", "")  # click looks there
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", words), called_by_name:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def process(words: Iterable[object], timeout: float = 120, **options: Any) -> Ran:
    """Runs a command as a process of its own."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, timeout=timeout, **options
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def shell(command: str, **options: Any) -> Ran:
    """Runs a line of bash in which ``model-check`` is the console script."""
    line = command.replace("model-check", shlex.quote(str(SCRIPT)))
    return process(["bash", "-o", "pipefail", "-c", line], **options)
