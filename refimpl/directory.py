"""What the write-ahead log asks of storage: one flat directory of files that only grow at their end.

The promise is small. Bytes appended may survive a crash in any part until `sync` of their file returns; a file that was
created, renamed or removed may have its old name, or none, until `sync_names` returns. A sync that fails may have
dropped what it should have written, for good, and the next one will not say so: Linux marks the pages clean. Whoever
wants such bytes on disk must write them again, into another file.
"""

from __future__ import annotations

import errno
from typing import NoReturn, Protocol

from refimpl.errors import DiskError, DiskFull


class Readable(Protocol):
    """The part that changes nothing. Every method but `name` raises DiskError."""

    @property
    def name(self) -> str:
        """The directory's name in error messages."""

    def names(self) -> tuple[str, ...]:
        """The names of all files in it, sorted."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file as this process sees it, flushed or not; fewer than `length` where the file ends."""


class Directory(Readable, Protocol):
    """Every method raises DiskError, and DiskFull where space has run out."""

    def create(self, name: str) -> None:
        """A new empty file; a name that is there already is an error."""

    def append(self, name: str, data: bytes) -> None:
        """Add the bytes to the end of the file. After an error any number of them may have been added."""

    def rename(self, old: str, new: str) -> None:
        """Give the file the new name; a file that had it is gone."""

    def remove(self, name: str) -> None:
        """Drop the file."""

    def sync(self, name: str) -> None:
        """Return once the bytes of the file are on disk as it now reads. Its name may still be lost."""

    def sync_names(self) -> None:
        """Return once every name is on disk as the directory now reads."""


def refuse(what: str, operation: str, error: OSError) -> NoReturn:
    """Raise the DiskError that tells what the operating system has said of the file or directory."""
    kind: type[DiskError] = DiskError
    allowed, remedy = "a disk that takes every write", "check the disk, then restart the server"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            kind, remedy = DiskFull, "make room, then restart the server"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            allowed, remedy = "a folder in which this user may read and write", "check its rights, or be another user"
        case errno.ENOENT | errno.ENOTDIR | errno.EISDIR:
            allowed, remedy = "a folder of the server's own, with its files", "check the path"
    raise kind(f"{what}: {operation} failed: {error.strerror}", allowed, remedy) from error
