"""refimpl/WAL.md against the bytes: its tables are read, and a frame is taken apart by them alone."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

import refimpl
from refimpl.durable import Record
from refimpl.entry import Append, ClientId, Command, Delete, Entry, Get, Index, Put, Serial, ServerId, Term
from refimpl.frame import MAX_PAYLOAD, encode_frame
from refimpl.segments import segment_name
from refimpl.wal import SEGMENT_SIZE, TEMPORARY
from tests.refimpl.test_wal import crc32c_by_the_bit

TEXT = (Path(refimpl.__file__).parent / "WAL.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below the line, without its head."""
    lines = TEXT[TEXT.index(heading) :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


RECORD = Record(
    (Term(2), ServerId("s1")),
    Index(4),
    (Entry(Term(2), Command(ClientId("c1"), Serial(7), Put("k", "v"))), Entry(Term(2), None)),
    Index(3),
)


def test_a_frame_is_laid_out_as_the_table_says() -> None:
    position, synced_through = 1000, 900
    frame = encode_frame(RECORD, position, synced_through)
    layout = table("## A frame")
    (length_at, length_size, _), (sum_at, sum_size, _), (synced_at, synced_size, _), (payload_at, size, _) = layout
    length = int.from_bytes(frame[int(length_at) :][: int(length_size)], "little")
    assert size == "`length`"
    assert len(frame) == int(payload_at) + length
    assert int.from_bytes(frame[int(synced_at) :][: int(synced_size)], "little") == synced_through
    checked_from = int(re.search(r"from offset (\d+) on", TEXT)[1])  # type: ignore[index]
    checksum = crc32c_by_the_bit(position.to_bytes(8, "little") + frame[checked_from:])
    assert int.from_bytes(frame[int(sum_at) :][: int(sum_size)], "little") == checksum
    record = msgspec.msgpack.decode(frame[int(payload_at) :])
    assert [f"`{name}`" for name in record] == [row[0] for row in table("The payload is a record")]


def test_a_payload_reads_as_the_table_says() -> None:
    operation = {"type": "Put", "key": "k", "value": "v"}
    assert msgspec.msgpack.decode(encode_frame(RECORD, 0, 0)[16:]) == {
        "term_and_vote": [2, "s1"],
        "truncate_to": 4,
        "append": [
            {"term": 2, "command": {"client": "c1", "serial": 7, "operation": operation}},
            {"term": 2, "command": None},
        ],
        "commit_index": 3,
    }
    for kind in (Put, Append, Delete, Get):
        assert f"`{kind.__name__}`" in TEXT


def test_the_numbers_and_names_are_those_of_the_code() -> None:
    assert f"1 to {MAX_PAYLOAD:,}" in TEXT
    assert f"({SEGMENT_SIZE >> 20} MiB" in TEXT
    assert segment_name(0) in TEXT
    assert f"NAME{TEMPORARY}" in TEXT
