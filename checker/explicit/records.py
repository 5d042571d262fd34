"""A file of fixed-size records: appended to at its end, read as memory or one by one."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char
from pathlib import Path
from typing import BinaryIO

from checker.explicit.memory import NO_RESERVE


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An OSError in it says which file it is about: a full disk does not tell by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


class Mapping:
    """Records as memory. ``address``: of the first one; after ``close`` none of these addresses may be used."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Raises MemoryError, OSError."""
        self._map: mmap.mmap | None = None
        self.address = 0
        if not size:
            return
        # A private mapping that may be written to (ctypes takes no other) is promised memory: unless it asks for none,
        # Linux refuses one that is larger than memory and swap together.
        private = {"flags": mmap.MAP_PRIVATE | NO_RESERVE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
        try:
            self._map = mmap.mmap(descriptor, size, **private)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError("no address space to read the states on disk") from error
            raise
        self.address = ctypes.addressof(c_char.from_buffer(self._map))

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        self._map, self.address = None, 0


class Records:
    """``record``: bytes of one. ``count``: complete records."""

    def __init__(self, path: Path, record: int, *, fresh: bool) -> None:
        self.path, self.record = path, record
        self._file: BinaryIO = open(path, "w+b" if fresh else "r+b", buffering=0)  # noqa: SIM115 (closed by close)
        self.count = self._file.seek(0, 2) // record

    def append(self, address: int, count: int) -> None:
        """Raises OSError if the disk is full; what was complete before stays so."""
        size = count * self.record
        view = memoryview((c_char * size).from_address(address)).cast("B")
        with named(self.path):
            self._file.seek(self.count * self.record)
            while view:
                view = view[self._file.write(view) :]
        self.count += count

    def truncate(self, count: int) -> None:
        """While nobody reads it as memory. Raises OSError."""
        with named(self.path):
            self._file.truncate(count * self.record)
        self.count = count

    def map(self) -> Mapping:
        """Raises MemoryError, OSError."""
        with named(self.path):
            return Mapping(self._file.fileno(), self.count * self.record)

    @contextmanager
    def mapped(self) -> Iterator[int]:
        """The address of the first record, for a while."""
        mapping = self.map()
        try:
            yield mapping.address
        finally:
            mapping.close()

    def read(self, index: int) -> bytes:
        with named(self.path):
            return os.pread(self._file.fileno(), self.record, index * self.record)

    def sync(self) -> None:
        """Raises OSError."""
        with named(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
