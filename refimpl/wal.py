"""The write-ahead log: one checksummed frame per record, and a recovery that tells a torn tail from damage.

A frame, integers little-endian:

    offset  size  field
    0       4     length of the payload in bytes
    4       4     CRC32C of the frame's offset in the file (8 bytes) and of everything below
    8       8     synced_through: how many bytes of the file were flushed when this frame was written
    16      *     payload: a Record in MessagePack

Recovery reads frames from the start to the first that is not whole. What is there can be two things. A crash may have
torn or lost it: then it was not flushed, nobody was told of it, and cutting it off is right. Or the disk has damaged a
frame that was flushed: then others may rely on it, and a server that forgot it could vote twice or lose a committed
entry, so it must not start. The frames behind it decide: one of them whose synced_through lies beyond the bad frame's
offset says that the bad frame was flushed. (Alagappan et al., "Protocol-Aware Recovery", FAST 2018, §3.)

Stated limit: damage in frames that no later frame vouches for, such as the last one flushed, looks like a torn tail.

The checksum covers the offset, so that a frame is one only where it was written: neither bytes inside a client's value
nor what an earlier file left in a reused block can pass for a frame.

What recovery has read is on disk before the server speaks: it may have come from the page cache of a server that died
before, or after, its fsync. After a failed write or fsync nothing more is written or acknowledged.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import google_crc32c
import msgspec

from refimpl.disk import Disk
from refimpl.durable import INITIAL, Durable, Record
from refimpl.errors import DiskError, WalDamaged, WalPoisoned

HEADER = struct.Struct("<IIQ")
MAX_PAYLOAD = 1 << 24
"""Bytes. A limit keeps recovery from believing the length in a damaged header."""

_OFFSET = struct.Struct("<Q")
_CHECKED_FROM = 8  # where synced_through begins
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame: the bytes from `offset` to `end` of the file."""

    offset: int
    end: int
    synced_through: int
    record: Record


class Wal:
    """The log file of a running server. Get one from `recover`."""

    def __init__(self, disk: Disk, end: int) -> None:
        self._disk = disk
        self._synced_through = end
        self._unflushed_ends: list[int] = []
        self._poisoned = False

    @property
    def unflushed_ends(self) -> tuple[int, ...]:
        """Where each frame that is not flushed ends, in bytes after the flushed part, oldest first."""
        return tuple(end - self._synced_through for end in self._unflushed_ends)

    def write(self, record: Record) -> None:
        """Append one frame; it is durable once `flush` has returned. Raises DiskError or WalPoisoned."""
        self._refuse_if_poisoned()
        offset = self._unflushed_ends[-1] if self._unflushed_ends else self._synced_through
        frame = encode_frame(record, offset, self._synced_through)
        try:
            self._disk.append(frame)
        except DiskError:
            self._poisoned = True  # a part of the frame may be there; a frame behind it would be unreachable
            raise
        self._unflushed_ends.append(offset + len(frame))

    def flush(self) -> None:
        """Return once every frame written is on disk. Raises DiskError or WalPoisoned."""
        self._refuse_if_poisoned()
        try:
            self._disk.sync()
        except DiskError:
            self._poisoned = True  # a second fsync would succeed although the first has dropped the bytes
            raise
        if self._unflushed_ends:
            self._synced_through = self._unflushed_ends[-1]
            self._unflushed_ends.clear()

    def _refuse_if_poisoned(self) -> None:
        if self._poisoned:
            raise WalPoisoned(
                f"{self._disk.name}: an earlier write or fsync failed",
                "writes to a file whose contents are known",
                "stop the server and start it again; recovery reads what the file holds",
            )


def recover(disk: Disk) -> tuple[Wal, Durable]:
    """Read what the disk holds, make it durable, and cut off a torn tail so that its bytes never return.

    Raises WalDamaged if flushed frames are not whole, DiskError if the disk fails.
    """
    data = disk.read()
    frames = read_frames(data, disk.name)
    end = frames[-1].end if frames else 0
    # Only these bytes are not vouched for by an fsync that is known to have succeeded; an fsync that failed before the
    # restart has left them in the page cache, clean, and a mere sync would pass over them.
    vouched = frames[-1].synced_through if frames else 0
    disk.overwrite(vouched, data[vouched:end])
    if end < len(data):
        disk.truncate(end)
    disk.sync()
    return Wal(disk, end), replay(frames)


def replay(frames: tuple[Frame, ...]) -> Durable:
    """The durable state after the frames."""
    state = INITIAL
    for frame in frames:
        state = state.after(frame.record)
    return state


def read_frames(data: bytes, file: str) -> tuple[Frame, ...]:
    """The whole frames from the start of the file up to a torn tail. Raises WalDamaged; `file` is for its text."""
    frames: list[Frame] = []
    offset = 0
    while offset < len(data):
        synced_through = _synced_through_of_frame_at(data, offset)
        if synced_through is None:
            _refuse_if_flushed(data, offset, file)
            break
        end = offset + HEADER.size + _length_at(data, offset)
        try:
            record = _DECODER.decode(data[offset + HEADER.size : end])
        except msgspec.DecodeError as error:
            raise WalDamaged(file, offset, f"a frame that this version cannot read ({error})") from error
        frames.append(Frame(offset, end, synced_through, record))
        offset = end
    return tuple(frames)


def encode_frame(record: Record, offset: int, synced_through: int) -> bytes:
    """The bytes of the frame that holds the record at this offset of the file."""
    payload = _ENCODER.encode(record)
    assert 0 < len(payload) <= MAX_PAYLOAD, f"a record of {len(payload)} bytes; the limit is {MAX_PAYLOAD}"
    checked = _OFFSET.pack(synced_through) + payload
    checksum = google_crc32c.value(_OFFSET.pack(offset) + checked)
    return HEADER.pack(len(payload), checksum, synced_through) + payload


def _length_at(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _synced_through_of_frame_at(data: bytes, offset: int) -> int | None:
    """synced_through of the whole frame at the offset, None if there is no such frame."""
    if offset + HEADER.size > len(data):
        return None
    length, checksum, synced_through = HEADER.unpack_from(data, offset)
    end = offset + HEADER.size + length
    if not 0 < length <= MAX_PAYLOAD or end > len(data) or synced_through > offset:
        return None
    if google_crc32c.value(_OFFSET.pack(offset) + data[offset + _CHECKED_FROM : end]) != checksum:
        return None
    return int(synced_through)


def _refuse_if_flushed(data: bytes, bad: int, file: str) -> None:
    # The bad frame's length cannot be believed, so the next frame is looked for at every byte.
    for later in range(bad + 1, len(data) - HEADER.size):
        synced_through = _synced_through_of_frame_at(data, later)
        if synced_through is not None and synced_through > bad:
            raise WalDamaged(
                file, bad, f"no whole frame, though the frame at byte {later} was written after a flush of it"
            )
