"""The write-ahead log: one checksummed frame per record, in segments; refimpl/WAL.md is its reference.

`recover` reads the log and makes it ready for more; the `Wal` that it returns appends to it. Two rules carry the rest:

What recovery has read is on disk before the server speaks. It may have come from the page cache of a server that died
before, or after, its fsync, and an fsync that failed has left it there, clean, so that another would pass over it. So
the segments that no later frame vouches for are copied, whole frames only, into new files that take their names. With
the old files a torn tail is gone, and none of its bytes can return.

After a failed write or fsync nothing more is written or acknowledged: what the files hold is unknown until they are
read again. A full disk is such a failure; once there is room, a restart goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from refimpl.directory import Directory
from refimpl.durable import INITIAL, Durable, Record
from refimpl.entry import Entry
from refimpl.errors import DiskError, WalPoisoned
from refimpl.frame import encode_frame
from refimpl.segments import CHUNK, LogReader, segment_name

SEGMENT_SIZE = 1 << 23
"""Bytes. A start copies about one segment; a smaller one makes that cheaper and the fsyncs of names more frequent."""

TEMPORARY = ".new"
"""What the name of a segment ends with while it is written anew."""


class Wal:
    """The log of a running server. Get one from `recover`. One call at a time; `flush` may run in another thread."""

    def __init__(self, directory: Directory, base: int, end: int, segment_size: int) -> None:
        self._directory = directory
        self._segment_size = segment_size
        self._base = base
        self._synced_through = end
        self._unflushed_ends: list[int] = []
        self._unflushed_files: list[str] = []
        self._names_changed = False
        self._poisoned = False

    @property
    def unflushed_ends(self) -> tuple[int, ...]:
        """Where each frame that is not flushed ends, in bytes after the flushed part, oldest first."""
        return tuple(end - self._synced_through for end in self._unflushed_ends)

    def write(self, record: Record) -> None:
        """Append one frame; it is durable once `flush` has returned. Raises DiskError or WalPoisoned."""
        self._refuse_if_poisoned()
        position = self._unflushed_ends[-1] if self._unflushed_ends else self._synced_through
        frame = encode_frame(record, position, self._synced_through)
        try:
            if self._base < position and position + len(frame) > self._base + self._segment_size:
                self._begin_segment(position)
            name = segment_name(self._base)
            self._directory.append(name, frame)
        except DiskError:
            self._poisoned = True  # a part of the frame may be there; a frame behind it would be unreachable
            raise
        if name not in self._unflushed_files:
            self._unflushed_files.append(name)
        self._unflushed_ends.append(position + len(frame))

    def flush(self) -> None:
        """Return once every frame written is on disk. Raises DiskError or WalPoisoned."""
        self._refuse_if_poisoned()
        try:
            for name in self._unflushed_files:
                self._directory.sync(name)
            if self._names_changed:
                self._directory.sync_names()  # a file whose name a crash can lose is not flushed
        except DiskError:
            self._poisoned = True  # a second fsync would succeed although the first has dropped the bytes
            raise
        self._names_changed = False
        self._unflushed_files.clear()
        if self._unflushed_ends:
            self._synced_through = self._unflushed_ends[-1]
            self._unflushed_ends.clear()

    def _begin_segment(self, position: int) -> None:
        # No flush of the segment before it: a crash that loses its tail makes recovery forget this one, too.
        self._directory.create(segment_name(position))
        self._base = position
        self._names_changed = True

    def _refuse_if_poisoned(self) -> None:
        if self._poisoned:
            raise WalPoisoned(
                f"{self._directory.name}: an earlier write or fsync failed",
                "writes to files whose contents are known",
                "stop the server and start it again; recovery reads what the files hold",
            )


Recover = Callable[[Directory, int], tuple[Wal, Durable]]
"""What `recover` is, so that a test can put another in its place."""


def recover(directory: Directory, segment_size: int = SEGMENT_SIZE) -> tuple[Wal, Durable]:
    """Read what the directory holds, make it durable, and forget a torn tail so that its bytes never return.

    `segment_size` is in bytes; a segment grows up to it, or by one frame that is longer. Raises WalDamaged if flushed
    frames are not whole, and then leaves everything as it is; DiskError if the disk fails.
    """
    assert segment_size > 0, "a segment holds at least one frame"
    log = LogReader(directory)
    state = replay(log)
    base = _make_durable(directory, log)
    return Wal(directory, base, log.end, segment_size), state


def replay(log: LogReader, with_commands: bool = True) -> Durable:
    """The durable state after all frames. Raises WalDamaged, DiskError.

    Without the commands, which take the most memory by far, the state is otherwise the same.
    """
    state = INITIAL
    for frame in log:
        record = frame.record
        if not state.can_take(record):
            # Its checksum is right. Taken for what it says, it would end the server in the middle of its start.
            raise log.damage(frame.base, frame.position - frame.base, "a record that cannot follow those before it")
        if not with_commands:
            record = replace(record, append=tuple(Entry(entry.term, None) for entry in record.append))
        state = state.after(record)
    return state


def _make_durable(directory: Directory, log: LogReader) -> int:
    """Write anew what no frame vouches for, drop what is behind the end; the base of the segment that goes on."""
    for name in directory.names():
        if name.endswith(TEMPORARY):
            directory.remove(name)  # of a recovery that a crash cut short
    kept = [base for base in log.bases if base <= log.end] or [0]
    for base, end in zip(kept, [*kept[1:], log.end], strict=True):
        if end > log.synced_through or base == kept[-1]:
            _write_anew(directory, segment_name(base), end - base)
    for base in reversed(log.bases):
        if base > log.end:
            directory.remove(segment_name(base))
    # Before anything is appended: a frame that took the place of a lost one could fit in front of an old segment.
    directory.sync_names()
    return kept[-1]


def _write_anew(directory: Directory, name: str, length: int) -> None:
    directory.create(name + TEMPORARY)
    for offset in range(0, length, CHUNK):
        data = directory.read(name, offset, min(CHUNK, length - offset))
        if len(data) < min(CHUNK, length - offset):
            found = f"{directory.name}/{name}, shorter than a moment ago"
            raise DiskError(found, "files that only this server changes", "find the other process, then restart")
        directory.append(name + TEMPORARY, data)
    directory.sync(name + TEMPORARY)
    directory.rename(name + TEMPORARY, name)
