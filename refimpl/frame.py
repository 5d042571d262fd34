"""The frame: one record of the write-ahead log as bytes (refimpl/WAL.md, "A frame").

Integers are little-endian:

    offset  size  field
    0       4     length of the payload in bytes
    4       4     CRC32C of the frame's position in the log (8 bytes) and of everything below
    8       8     synced_through: the log was flushed up to this position when this frame was written
    16      *     payload: a Record in MessagePack

A position counts the bytes of all frames before it, over all segments. The checksum covers it, so that a frame is one
only where it was written: neither bytes inside a client's value nor what an earlier file left in a reused block can
pass for a frame.
"""

from __future__ import annotations

import struct

import google_crc32c
import msgspec

from refimpl.durable import Record

HEADER = struct.Struct("<IIQ")
MAX_PAYLOAD = 1 << 24
"""Bytes. A limit keeps recovery from believing the length in a damaged header."""

_POSITION = struct.Struct("<Q")
_CHECKED_FROM = 8  # where synced_through begins
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


def encode_frame(record: Record, position: int, synced_through: int) -> bytes:
    """The bytes of the frame that holds the record at this position of the log."""
    payload = _ENCODER.encode(record)
    assert 0 < len(payload) <= MAX_PAYLOAD, f"a record of {len(payload)} bytes; the limit is {MAX_PAYLOAD}"
    checked = _POSITION.pack(synced_through) + payload
    checksum = google_crc32c.value(_POSITION.pack(position) + checked)
    return HEADER.pack(len(payload), checksum, synced_through) + payload


def frame_at(data: bytes, offset: int, position: int) -> tuple[int, int] | None:
    """Size and synced_through of the whole frame at the offset of `data`, None if there is none.

    `position` is where in the log that offset is.
    """
    if offset + HEADER.size > len(data):
        return None
    length, checksum, synced_through = HEADER.unpack_from(data, offset)
    end = offset + HEADER.size + length
    if not 0 < length <= MAX_PAYLOAD or end > len(data) or synced_through > position:
        return None
    if google_crc32c.value(_POSITION.pack(position) + data[offset + _CHECKED_FROM : end]) != checksum:
        return None
    return HEADER.size + int(length), int(synced_through)


def claimed_size(data: bytes, offset: int) -> int:
    """How long the frame at the offset says that it is, 0 where no frame can say so."""
    if offset + HEADER.size > len(data):
        return 0
    length: int = HEADER.unpack_from(data, offset)[0]
    return HEADER.size + length if 0 < length <= MAX_PAYLOAD else 0


def decode_payload(data: bytes, offset: int, size: int) -> Record:
    """The record in the whole frame at the offset. Raises msgspec.DecodeError for one of another version."""
    try:
        return _DECODER.decode(data[offset + HEADER.size : offset + size])
    except (UnicodeDecodeError, RecursionError) as error:  # which msgspec lets through
        raise msgspec.DecodeError(str(error)) from error
