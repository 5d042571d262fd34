"""One append-only file on a disk, real or simulated; the only file of this package that touches `os`.

The promise of a disk is small. Bytes appended may survive a crash in part, from the front, until `sync` returns; then
they survive whole. A `sync` that fails may have dropped them for good, and the next `sync` will not say so: Linux marks
the pages clean. Whoever wants such bytes on disk must write them again (`overwrite`), which makes the pages dirty.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn, Protocol

from refimpl.errors import DiskError, DiskFull


class Disk(Protocol):
    """What the write-ahead log needs. Every method but `name` raises DiskError, DiskFull where space has run out."""

    @property
    def name(self) -> str:
        """The file's name in error messages."""

    def read(self) -> bytes:
        """The whole file as this process sees it, flushed or not."""

    def append(self, data: bytes) -> None:
        """Add the bytes to the end. After an error any number of them may have been added."""

    def overwrite(self, offset: int, data: bytes) -> None:
        """Write the bytes that are in the file at this offset once more, so that the next sync covers them."""

    def truncate(self, length: int) -> None:
        """Drop the bytes from `length` on; a crash may bring them back until the next sync."""

    def sync(self) -> None:
        """Return once the file is on disk as it now reads. After an error that cannot be had by asking again."""


def _refuse(file: str, operation: str, error: OSError) -> NoReturn:
    no_space = error.errno in (errno.ENOSPC, errno.EDQUOT)
    raise (DiskFull if no_space else DiskError)(
        f"{file}: {operation} failed: {error.strerror}",
        "a disk that takes every write",
        "make room, then restart the server" if no_space else "check the disk, then restart the server",
    ) from error


class RealDisk:
    """A file in the file system, created if it is absent, with its name durable from the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fsync(self._file)
            # Without this a crash can lose the name of the file, and with it everything that was flushed into it.
            directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            self.close()
            _refuse(self.name, "open", error)

    @property
    def name(self) -> str:
        return str(self._path)

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            _refuse(self.name, "read", error)

    def append(self, data: bytes) -> None:
        self._write(os.fstat(self._file).st_size, data, "append")

    def overwrite(self, offset: int, data: bytes) -> None:
        self._write(offset, data, "overwrite")

    def truncate(self, length: int) -> None:
        try:
            os.ftruncate(self._file, length)
        except OSError as error:
            _refuse(self.name, "truncate", error)

    def sync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as error:
            _refuse(self.name, "fsync", error)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, offset: int, data: bytes, operation: str) -> None:
        try:
            written = os.pwrite(self._file, data, offset)
        except OSError as error:
            _refuse(self.name, operation, error)
        if written < len(data):
            # Trying for the rest would only tell why; the kernel says "short" where the disk is full or failing.
            _refuse(self.name, operation, OSError(errno.ENOSPC, f"{written} of {len(data)} bytes written"))


class SimulatedDisk:
    """A disk in memory that loses what was not flushed, and fails when told to.

    `capacity` is in bytes, None for no limit. `fail_next_sync` makes the next sync fail and drop what it should have
    written, as Linux does, while this process still reads it.
    """

    def __init__(self, name: str = "simulated disk", contents: bytes = b"", capacity: int | None = None) -> None:
        self.name = name
        self.capacity = capacity
        self.fail_next_sync = False
        self.durable = contents
        self._cached = contents
        self._dropped_to = 0  # bytes from len(durable) up to here were dropped by a failed sync: read, but clean
        self._truncated = False

    @property
    def unflushed(self) -> int:
        """How many appended bytes a crash may lose."""
        return max(0, len(self._cached) - len(self.durable))

    def read(self) -> bytes:
        return self._cached

    def append(self, data: bytes) -> None:
        # A crash in between could otherwise leave the old tail behind the new frame, to be replayed one day.
        assert not self._truncated, "a truncation is flushed before anything is appended"
        room = len(data) if self.capacity is None else max(0, self.capacity - len(self._cached))
        self._cached += data[:room]
        if room < len(data):
            _refuse(self.name, "append", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def overwrite(self, offset: int, data: bytes) -> None:
        assert self._cached[offset : offset + len(data)] == data, "overwrite repeats what is there"
        if offset <= len(self.durable) and offset + len(data) >= min(self._dropped_to, len(self._cached)):
            self._dropped_to = 0

    def truncate(self, length: int) -> None:
        self._truncated = self._truncated or length < len(self._cached)
        self._cached = self._cached[:length]

    def sync(self) -> None:
        if self.fail_next_sync:
            self.fail_next_sync = False
            self._dropped_to = len(self._cached)
            _refuse(self.name, "fsync", OSError(errno.EIO, os.strerror(errno.EIO)))
        kept = self.durable[: len(self._cached)]
        hole = bytes(len(self._cached[len(kept) : self._dropped_to]))
        self.durable = kept + hole + self._cached[len(kept) + len(hole) :]
        self._truncated = False

    def crash(self, keep_bytes: int = 0) -> None:
        """Cut the power: of the bytes not flushed, the first `keep_bytes` survive.

        After a truncation that was not flushed nothing new can be there, and the old tail comes back.
        """
        assert 0 <= keep_bytes <= self.unflushed, f"{keep_bytes} of {self.unflushed} unflushed bytes cannot survive"
        self.durable += self._cached[len(self.durable) : len(self.durable) + keep_bytes]
        self._cached = self.durable
        self._dropped_to = 0
        self._truncated = False
