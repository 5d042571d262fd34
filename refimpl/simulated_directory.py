"""A directory in memory that loses in a crash what was not flushed, in whatever part, and fails when told to.

What has happened and is not flushed is kept as a list of operations. A crash performs on the durable state any of them,
or parts of them, that the caller names. Appends are flushed by the `sync` of their file, names by `sync_names`, and
neither by the other: the least that a file system may promise (Pillai et al., "All File Systems Are Not Created
Equal", OSDI 2014).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, NoReturn

from refimpl.directory import refuse

FileId = NewType("FileId", int)
"""An inode number: the same file under each name that it is given."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Bytes were written behind the end, which was at `offset`."""

    file: FileId
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Created:
    name: str
    file: FileId


@dataclass(frozen=True, slots=True)
class Renamed:
    old: str
    new: str
    file: FileId


@dataclass(frozen=True, slots=True)
class Removed:
    name: str


Operation = Appended | Created | Renamed | Removed
Contents = tuple[tuple[str, bytes], ...]
"""The files of a directory by name, sorted."""


@dataclass(slots=True)
class _State:
    """One view of the directory: what the process sees, or what the disk holds."""

    names: dict[str, FileId] = field(default_factory=dict)
    files: dict[FileId, bytes] = field(default_factory=dict)

    def perform(self, operation: Operation) -> None:
        match operation:
            case Appended(file, offset, data):
                # Where what stood before was lost, there is a hole, which reads as zeros.
                before = self.files.get(file, b"").ljust(offset, b"\0")
                self.files[file] = before[:offset] + data + before[offset + len(data) :]
            case Created(name, file):
                self.names[name] = file
                self.files.setdefault(file, b"")
            case Renamed(old, new, file):
                self.names.pop(old, None)
                self.names[new] = file
                self.files.setdefault(file, b"")
            case Removed(name):
                self.names.pop(name, None)

    def copy(self) -> _State:
        return _State(self.names.copy(), self.files.copy())

    def contents(self) -> Contents:
        return tuple((name, self.files[file]) for name, file in sorted(self.names.items()))


class SimulatedDirectory:
    """`capacity` is in bytes over all files, None for no limit. `failing_sync` is which of the next syncs, of a file or
    of the names, fails and drops what it should have written, while this process still reads it, as Linux does: 1 is
    the next one, 0 is none."""

    def __init__(
        self, name: str = "simulated disk", files: Mapping[str, bytes] | Contents = (), capacity: int | None = None
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.failing_sync = 0
        self._operations: list[Operation] = []
        self._disk = _State()
        for number, (file, contents) in enumerate(dict(files).items()):
            self._disk.names[file] = FileId(number)
            self._disk.files[FileId(number)] = contents
        self._next = FileId(len(self._disk.files))
        self._seen = self._disk.copy()

    def copy(self) -> SimulatedDirectory:
        """An equal directory that goes its own way."""
        other = SimulatedDirectory(self.name, capacity=self.capacity)
        other.failing_sync = self.failing_sync
        other._operations = self._operations.copy()
        other._disk, other._seen, other._next = self._disk.copy(), self._seen.copy(), self._next
        return other

    # A replay puts clusters back ten thousand times; most disks then hold nothing that is not flushed.

    def __getstate__(self) -> tuple[object, ...]:
        disk, seen = self._disk, self._seen
        other = None if seen == disk else (seen.names, seen.files)
        flags = (self.name, self.capacity, self.failing_sync, self._operations, self._next)
        return *flags, disk.names, disk.files, other

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.name, self.capacity, self.failing_sync, self._operations, self._next, names, files, other = state
        self._disk = _State(names, files)
        self._seen = self._disk.copy() if other is None else _State(*other)

    # Directory ---------------------------------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._seen.names))

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self._seen.files[self._file(name, "read")][offset : offset + length]

    def create(self, name: str) -> None:
        if name in self._seen.names:
            self._fail(name, "create", errno.EEXIST, "File exists")
        self._do(Created(name, self._next))
        self._next = FileId(self._next + 1)

    def append(self, name: str, data: bytes) -> None:
        file = self._file(name, "append")
        room = len(data) if self.capacity is None else max(0, self.capacity - self.used)
        if data[:room]:
            self._do(Appended(file, len(self._seen.files[file]), data[:room]))
        if room < len(data):
            self._fail(name, "append", errno.ENOSPC, "No space left on device")

    def rename(self, old: str, new: str) -> None:
        self._do(Renamed(old, new, self._file(old, "rename")))

    def remove(self, name: str) -> None:
        self._file(name, "remove")
        self._do(Removed(name))

    def sync(self, name: str) -> None:
        file = self._file(name, "fsync")
        of_file: list[Operation] = []
        others: list[Operation] = []
        for one in self._operations:
            (of_file if isinstance(one, Appended) and one.file == file else others).append(one)
        self._flush(of_file, others, f"{self.name}/{name}", "fsync")

    def sync_names(self) -> None:
        of_names: list[Operation] = []
        others: list[Operation] = []
        for one in self._operations:
            (others if isinstance(one, Appended) else of_names).append(one)
        self._flush(of_names, others, self.name, "fsync of the directory")
        self._forget_files_without_a_name()

    # The disk's own doing ----------------------------------------------------------------------------------------

    @property
    def unflushed(self) -> tuple[Operation, ...]:
        """What a crash may lose, in the order in which it happened."""
        return tuple(self._operations)

    @property
    def unflushed_bytes(self) -> int:
        """How many appended bytes a crash may lose."""
        return sum(len(one.data) for one in self._operations if isinstance(one, Appended))

    @property
    def used(self) -> int:
        """The bytes in all files that have a name."""
        return sum(len(self._seen.files[file]) for file in self._seen.names.values())

    @property
    def contents(self) -> Contents:
        """The files as this process reads them."""
        return self._seen.contents()

    @property
    def durable(self) -> Contents:
        """The files as they are after a crash that keeps nothing."""
        return self._disk.contents()

    def prefix(self, length: int) -> tuple[Operation, ...]:
        """What an orderly disk has written when the first `length` of the unflushed bytes are there."""
        assert 0 <= length <= self.unflushed_bytes, f"{length} of {self.unflushed_bytes} bytes cannot survive"
        survivors: list[Operation] = []
        for operation in self._operations:
            if length == 0:
                break
            if isinstance(operation, Appended):
                survivors.append(Appended(operation.file, operation.offset, operation.data[:length]))
                length = max(0, length - len(operation.data))
            else:
                survivors.append(operation)
        return tuple(survivors)

    def crash(self, survivors: Iterable[Operation] = ()) -> None:
        """Cut the power; of what is not flushed these operations, or parts of them, are on the disk."""
        for operation in survivors:
            self._disk.perform(operation)
        self._operations = []
        self._seen = self._disk
        self._forget_files_without_a_name()
        self._seen = self._disk.copy()
        self.failing_sync = 0

    def _do(self, operation: Operation) -> None:
        self._seen.perform(operation)
        self._operations.append(operation)

    def _flush(self, flushed: list[Operation], others: list[Operation], what: str, operation: str) -> None:
        self._operations = others
        if self.failing_sync > 0:
            self.failing_sync -= 1
            if self.failing_sync == 0:
                refuse(what, operation, OSError(errno.EIO, "Input/output error"))
        for one in flushed:
            self._disk.perform(one)

    def _forget_files_without_a_name(self) -> None:
        named = {*self._disk.names.values(), *self._seen.names.values()}
        if len(named) == len(self._seen.files) == len(self._disk.files):
            return
        for state in (self._disk, self._seen):
            state.files = {file: contents for file, contents in state.files.items() if file in named}
        self._operations = [
            one for one in self._operations if not isinstance(one, Appended) or one.file in named
        ]

    def _file(self, name: str, operation: str) -> FileId:
        if name not in self._seen.names:
            self._fail(name, operation, errno.ENOENT, "No such file or directory")
        return self._seen.names[name]

    def _fail(self, name: str, operation: str, number: int, text: str) -> NoReturn:
        refuse(f"{self.name}/{name}", operation, OSError(number, text))
