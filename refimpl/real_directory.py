"""A directory of the file system (POSIX), held by one process at a time; only here the package uses `os`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from refimpl.directory import refuse
from refimpl.errors import DirectoryInUse


class ReadOnlyDirectory:
    """A directory that is looked at while a server may be at work in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    def names(self) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._path)))
        except OSError as error:
            refuse(self.name, "list", error)

    def read(self, name: str, offset: int, length: int) -> bytes:
        try:
            file = os.open(self._path / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read(file, offset, length)
            finally:
                os.close(file)
        except OSError as error:
            refuse(str(self._path / name), "read", error)


class RealDirectory(ReadOnlyDirectory):
    """Made if it is absent (its parent is not), and locked until `close`: two servers in one directory would destroy
    each other's log. The lock dies with the process. Raises DirectoryInUse, DiskError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files: dict[str, int] = {}
        self._unflushed: set[str] = set()
        self._written_last = ""
        self._directory = -1
        try:
            _make(path)
            self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise DirectoryInUse(self.name) from error
            refuse(self.name, "open", error)

    def create(self, name: str) -> None:
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._files[name] = os.open(name, flags, 0o600, dir_fd=self._directory)
        except OSError as error:
            refuse(self._path_of(name), "create", error)

    def append(self, name: str, data: bytes) -> None:
        try:
            written = os.write(self._open(name), data)
        except OSError as error:
            refuse(self._path_of(name), "append", error)
        self._unflushed.add(name)
        if name != self._written_last:
            self._forget_if_flushed(self._written_last)
            self._written_last = name
        if written < len(data):
            # Trying for the rest would only tell why; the kernel says "short" where the disk is full or failing.
            refuse(self._path_of(name), "append", OSError(errno.ENOSPC, f"{written} of {len(data)} bytes written"))

    def rename(self, old: str, new: str) -> None:
        try:
            os.rename(old, new, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError as error:
            refuse(self._path_of(old), f"rename to {new}", error)
        self._forget(new)
        if old in self._files:
            self._files[new] = self._files.pop(old)
        if old in self._unflushed:
            self._unflushed.remove(old)
            self._unflushed.add(new)
        if old == self._written_last:
            self._written_last = new

    def remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._directory)
        except OSError as error:
            refuse(self._path_of(name), "remove", error)
        self._forget(name)

    def sync(self, name: str) -> None:
        # The file stays open from its first write to its fsync: an error of the kernel's own writing is told only to
        # those who had the file open when it happened.
        try:
            os.fsync(self._open(name))
        except OSError as error:
            refuse(self._path_of(name), "fsync", error)
        self._unflushed.discard(name)
        if name != self._written_last:
            self._forget_if_flushed(name)

    def sync_names(self) -> None:
        try:
            os.fsync(self._directory)
        except OSError as error:
            refuse(self.name, "fsync of the directory", error)

    def close(self) -> None:
        """Let go of the files and the lock."""
        for name in list(self._files):
            self._forget(name)
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _path_of(self, name: str) -> str:
        return str(self._path / name)

    def _open(self, name: str) -> int:
        if name not in self._files:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._files[name] = os.open(name, flags, dir_fd=self._directory)
        return self._files[name]

    def _forget_if_flushed(self, name: str) -> None:
        if name not in self._unflushed:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._unflushed.discard(name)
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)


def _read(file: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(file, length, offset)
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _make(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    # Without this a crash can lose the directory's own name, and with it everything that was flushed in it.
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
