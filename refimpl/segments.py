"""Reading a write-ahead log: the segments of a directory, the whole frames in them, and what stands where these end.

A segment is named by the position in the log of its first byte. Frames are read from position 0 to the first that is
not whole; a segment that is too short, or absent, is a frame that is not whole. What is there can be two things. A
crash may have torn or lost it: then it was not flushed, nobody was told of it, and forgetting it is right. Or the disk
has damaged a frame that was flushed: then others may rely on it, and a server that forgot it could vote twice or lose a
committed entry, so it must not start. The frames behind it decide, in this segment and in later ones: one whose
synced_through lies beyond the bad frame's position says that the bad frame was flushed. (Alagappan et al.,
"Protocol-Aware Recovery", FAST 2018, §3.)

Stated limit: damage in frames that no later frame vouches for, such as the last one flushed, looks like a torn tail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from refimpl.directory import Readable
from refimpl.durable import Record
from refimpl.errors import WalDamaged
from refimpl.frame import HEADER, MAX_PAYLOAD, claimed_size, decode_payload, frame_at

SUFFIX = ".wal"
CHUNK = 1 << 20
"""Bytes that are read at a time; a longer frame is read whole."""

_NAME = re.compile(r"(\d{20})\.wal")
_NOT_ZERO = re.compile(rb"[^\0]")


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame: the bytes of the log from `position` to `end`, in the segment that begins at `base`."""

    base: int
    position: int
    end: int
    synced_through: int
    record: Record


@dataclass(frozen=True, slots=True)
class Torn:
    """Where the whole frames end and something else stands: `offset` in the segment that begins at `base`."""

    base: int
    offset: int


def segment_name(base: int) -> str:
    """The file of the segment that begins at this position of the log."""
    return f"{base:020}{SUFFIX}"


def segment_bases(directory: Readable) -> tuple[int, ...]:
    """Where the segments of the directory begin, in order. Raises WalDamaged for a log file of another kind."""
    bases = []
    for name in directory.names():
        base = base_of(name)
        if base is not None:
            bases.append(base)
        elif name.endswith(SUFFIX):
            # Were it the log of another version, passing over it would start the server with nothing.
            raise WalDamaged(
                path_in(directory, name),
                0,
                "a log file whose name is no position in the log",
                "move it elsewhere if it is not this server's; if it is, and was renamed, give it its name back",
            )
    return tuple(bases)


def base_of(name: str) -> int | None:
    """Where the segment in the file of this name begins, None if the name is no segment's."""
    match = _NAME.fullmatch(name)
    return None if match is None else int(match[1])


def path_in(directory: Readable, name: str) -> str:
    return f"{directory.name}/{name}"


class LogReader:
    """Iterate over it once for the frames; the attributes are then those of the whole log.

    `frames`: how many there are. `end`: the position behind the last of them. `synced_through`: what that one vouches
    for; all below it was flushed. `torn`: what stands at `end`, if something does. Raises WalDamaged, at the frame
    that is.

    `only`: the base of one segment, which is read alone, as if those before it were whole and none came after it.
    """

    def __init__(self, directory: Readable, only: int | None = None) -> None:
        self._directory = directory
        self.bases = segment_bases(directory) if only is None else (only,)
        self.frames = 0
        self.end = 0 if only is None else only
        self.synced_through = 0
        self.torn: Torn | None = None

    def __iter__(self) -> Iterator[Frame]:
        if self.bases and self.bases[0] > self.end:
            raise self.damage(0, 0, "no such segment, though there are later ones")
        for number, base in enumerate(self.bases):
            if base > self.end:
                self.torn = Torn(self.bases[number - 1], self.end - self.bases[number - 1])
            elif base < self.end:
                raise self.damage(base, 0, f"a second file for what a file before it holds up to byte {self.end}")
            else:
                yield from self._frames_of(base, self.bases[number + 1 :][:1])
            if self.torn is not None:
                self._refuse_if_flushed(self.torn)
                return

    def _frames_of(self, base: int, following: tuple[int, ...]) -> Iterator[Frame]:
        name = segment_name(base)
        start, data = 0, self._directory.read(name, 0, CHUNK)
        while True:
            at = self.end - base - start
            found = frame_at(data, at, self.end)
            if found is None:
                # It may be whole and reach beyond what was read.
                more = self._directory.read(name, start + at, max(CHUNK, claimed_size(data, at)))
                if len(more) <= len(data) - at:
                    break
                start, data = start + at, more
                continue
            size, self.synced_through = found
            try:
                record = decode_payload(data, at, size)
            except msgspec.DecodeError as error:
                text = f"a frame that this version cannot read ({error})"
                raise self.damage(base, start + at, text) from error
            frame = Frame(base, self.end, self.end + size, self.synced_through, record)
            self.end += size
            self.frames += 1
            yield frame
        if at < len(data) and self.end in following:
            raise self.damage(base, start + at, "bytes in the place of the next segment")  # no crash puts any there
        if at < len(data):
            self.torn = Torn(base, start + at)

    def _refuse_if_flushed(self, torn: Torn) -> None:
        for base in self.bases:
            if base < torn.base:
                continue
            # The bad frame's length cannot be believed, so the next frame is looked for at every byte.
            begin = torn.offset + 1 if base == torn.base else 0
            later = self._vouching_offset(base, begin, torn.base + torn.offset)
            if later is not None:
                where = "" if base == torn.base else f" of {segment_name(base)}"
                text = f"no whole frame, though the frame at byte {later}{where} was written after a flush of it"
                raise self.damage(torn.base, torn.offset, text)

    def _vouching_offset(self, base: int, begin: int, bad: int) -> int | None:
        """Where, from `begin` on, a frame stands that was written after a flush of position `bad`."""
        name = segment_name(base)
        while True:
            data = self._directory.read(name, begin, CHUNK)
            for at in _places_of_headers(data):
                length, _, synced_through = HEADER.unpack_from(data, at)
                position = base + begin + at
                if not (bad < synced_through <= position and 0 < length <= MAX_PAYLOAD):
                    continue  # nearly always: only then is the checksum worth its time
                frame = self._directory.read(name, begin + at, HEADER.size + length)
                if frame_at(frame, 0, position) is not None:
                    return begin + at
            if len(data) < CHUNK:
                return None
            begin += len(data) - HEADER.size + 1

    def damage(self, base: int, offset: int, found: str) -> WalDamaged:
        """The error that says so of this place."""
        return WalDamaged(path_in(self._directory, segment_name(base)), offset, found)


def exhaust(log: LogReader) -> LogReader:
    """The log with its attributes, once all frames are read."""
    for _ in log:
        pass
    return log


def _places_of_headers(data: bytes) -> Iterator[int]:
    """Each offset at which a header fits and does not begin with a length of zero, as holes in a file do."""
    at, last = 0, len(data) - HEADER.size
    while at <= last:
        if not data[at]:
            found = _NOT_ZERO.search(data, at)
            if found is None:
                return
            at = max(at, found.start() - 3)
            if at > last:
                return
        yield at
        at += 1
