"""Standard output and error as this process sees them: a reader that has gone, as in ``model-check | head``, changes
neither what is done nor the exit code, which is the verdict's; and it is known whether anything was said."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO, cast


class Unread(io.FileIO):
    """A file whose reader may go: what is written from then on goes nowhere."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


class Noted:
    """A text stream that knows whether anything was written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.used = False

    def write(self, text: str) -> int:
        self.used = self.used or bool(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> Noted:
    """Takes the place of the standard streams; returns the output."""
    sys.stdout, sys.stderr = _prepared(sys.stdout), _prepared(sys.stderr)
    noted = Noted(sys.stdout)
    sys.stdout = cast(TextIO, noted)
    return noted


def _prepared(stream: TextIO) -> TextIO:
    """``stream`` itself where it is not the process's own: a test listens."""
    if stream not in (sys.__stdout__, sys.__stderr__) or not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    binary = io.BufferedWriter(Unread(stream.fileno(), "w", closefd=False))
    # A terminal without → or a file name that is no text must not end us.
    return io.TextIOWrapper(
        binary,
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
