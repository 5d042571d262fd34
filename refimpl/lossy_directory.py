"""A directory whose bytes stay in this process until they are flushed, so that kill -9 loses what a power cut may lose.

The kernel keeps what a killed process has written: kill -9 alone loses nothing. Here appended bytes reach the file in
its `sync`, and not before. Names are made, changed and removed at once; that a crash can undo those, too, is for
refimpl/simulated_directory.py to show. A disk may also keep a part of what was not flushed: `let_through` says which,
before the kill.
"""

from __future__ import annotations

from refimpl.directory import Directory


class LossyDirectory:
    """Over a directory that keeps what it is given."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._unflushed: list[tuple[str, bytes]] = []  # in the order of the appends, over all files

    @property
    def name(self) -> str:
        return self._directory.name

    def names(self) -> tuple[str, ...]:
        return self._directory.names()

    def read(self, name: str, offset: int, length: int) -> bytes:
        """As this process sees it: what is in the file, then what is not there yet."""
        found = self._directory.read(name, offset, length)
        held = b"".join(data for file, data in self._unflushed if file == name)
        if len(found) == length or not held:
            return found
        behind = max(0, offset - self._size(name)) if not found else 0
        return found + held[behind : behind + length - len(found)]

    def create(self, name: str) -> None:
        self._directory.create(name)

    def append(self, name: str, data: bytes) -> None:
        self._unflushed.append((name, data))

    def rename(self, old: str, new: str) -> None:
        self._directory.rename(old, new)
        kept = [(file, data) for file, data in self._unflushed if file != new]
        self._unflushed = [(new if file == old else file, data) for file, data in kept]

    def remove(self, name: str) -> None:
        self._directory.remove(name)
        self._unflushed = [(file, data) for file, data in self._unflushed if file != name]

    def sync(self, name: str) -> None:
        """The file's bytes go to disk. If that fails they are gone, as the kernel would have them."""
        held = b"".join(data for file, data in self._unflushed if file == name)
        self._unflushed = [(file, data) for file, data in self._unflushed if file != name]
        if held:
            self._directory.append(name, held)
        self._directory.sync(name)

    def sync_names(self) -> None:
        self._directory.sync_names()

    def let_through(self, length: int) -> None:
        """The first `length` bytes that are not flushed, in the order in which they were appended, reach the files."""
        for number, (name, data) in enumerate(self._unflushed):
            passed = data[: max(0, length)]
            length -= len(passed)
            if passed:
                self._directory.append(name, passed)
                self._directory.sync(name)
            if len(passed) < len(data):
                self._unflushed[: number + 1] = [(name, data[len(passed) :])]
                break
        else:
            self._unflushed.clear()
        assert length <= 0, "no more than there is"

    def _size(self, name: str) -> int:
        """By reading: a directory tells no sizes, and what is held is read in tests and in observations only."""
        size, step = 0, 1 << 16
        while part := self._directory.read(name, size, step):
            size += len(part)
        return size
