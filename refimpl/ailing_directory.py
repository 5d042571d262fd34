"""A directory whose disk is slow, full or failing while a file elsewhere says so: for tests of a running server.

The file holds one line; no file is a healthy disk:

    slow 0.25    each fsync takes so many seconds longer
    full         nothing can be written, but for the first half of it (ENOSPC)
    failing      each fsync fails (EIO), and what it should have written is lost where bytes wait for their fsync
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from refimpl.directory import Directory, refuse


def ailment_in(file: Path) -> list[str]:
    """The words in the file; none for a healthy disk."""
    try:
        return file.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


class AilingDirectory:
    """Over a directory that is in order."""

    def __init__(self, directory: Directory, ailment: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._directory = directory
        self._ailment = ailment
        self._sleep = sleep

    @property
    def name(self) -> str:
        return self._directory.name

    def names(self) -> tuple[str, ...]:
        return self._directory.names()

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self._directory.read(name, offset, length)

    def create(self, name: str) -> None:
        self._directory.create(name)

    def append(self, name: str, data: bytes) -> None:
        if ailment_in(self._ailment) == ["full"]:
            self._directory.append(name, data[: len(data) // 2])  # as much as there was room for
            self._fail(name, "append", errno.ENOSPC)
        self._directory.append(name, data)

    def rename(self, old: str, new: str) -> None:
        self._directory.rename(old, new)

    def remove(self, name: str) -> None:
        self._directory.remove(name)

    def sync(self, name: str) -> None:
        match ailment_in(self._ailment):
            case ["slow", seconds]:
                self._sleep(float(seconds))
            case ["failing"]:
                self._fail_to_sync(name)
        self._directory.sync(name)

    def sync_names(self) -> None:
        self._directory.sync_names()

    def _fail_to_sync(self, name: str) -> None:
        self._fail(name, "fsync", errno.EIO)

    def _fail(self, name: str, operation: str, code: int) -> None:
        refuse(f"{self.name}/{name}", operation, OSError(code, os.strerror(code)))
