"""Reading a ``.spec`` file: UTF-8 text of a size that a human could have written, or a :class:`SourceError`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

LARGEST_FILE = 4 * 1024 * 1024


class SpecFileError(Exception):
    """The base of what keeps a file from being used before a word of it is read."""


class SourceError(SpecFileError):
    """A file that cannot be read: which, why, and what to do."""

    def __init__(self, file: str, problem: str, hint: str) -> None:
        self.file = file
        self.problem = problem
        self.hint = hint
        super().__init__(f"{file}: {problem}\n    hint: {hint}")


def _hint(path: Path) -> str:
    """Where a spec that comes with the package is, if it has this name; README.md's paths are those of a clone."""
    ours = Path(str(files("spec").joinpath("models", f"{path.stem}.spec")))
    return f"did you mean {ours}?" if ours.is_file() else "check the path; a spec ends in .spec"


def read_source(path: Path) -> str:
    """The text, with any byte order mark and carriage returns removed."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise SourceError(file, "there is no such file", _hint(path)) from None
    except IsADirectoryError:
        raise SourceError(file, "this is a directory", "name one .spec file in it") from None
    except PermissionError:
        raise SourceError(file, "the file may not be read", "check its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(file, f"the file cannot be read: {reason}", "check the path and the disk") from None
    if len(data) > LARGEST_FILE:
        raise SourceError(file, "the file is larger than 4 MiB", "a spec is text of some hundred lines: is this one?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"the file is not UTF-8 text (line {line})"
        raise SourceError(file, problem, "save it with the encoding UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
