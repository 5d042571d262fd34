"""The write-ahead log: torn tails are cut, damage is refused, and a failed write is the last one."""

from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import pytest

from refimpl.durable import INITIAL, Durable, Record
from refimpl.entry import Append, ClientId, Command, Delete, Entry, Get, Index, Put, Serial, ServerId, Term
from refimpl.errors import DiskError, DiskFull, WalDamaged, WalPoisoned
from refimpl.frame import HEADER, encode_frame
from refimpl.real_directory import RealDirectory
from refimpl.segments import Frame, LogReader, segment_name
from refimpl.simulated_directory import SimulatedDirectory
from refimpl.wal import recover, replay

CLIENT = ClientId("c1")
RECORDS = (
    Record(term_and_vote=(Term(1), ServerId("s1"))),
    Record(append=(Entry(Term(1), None),)),
    Record(append=(Entry(Term(1), Command(CLIENT, Serial(1), Append("writes", "c1:1;"))),), commit_index=Index(1)),
    Record((Term(2), None), Index(1), (Entry(Term(2), Command(CLIENT, Serial(2), Put("k", "v"))),), None),
)


def states(records: tuple[Record, ...]) -> list[Durable]:
    """The state before the first record, after it, after the second, …"""
    state = INITIAL
    result = [state]
    for record in records:
        state = state.after(record)
        result.append(state)
    return result


STATES = states(RECORDS)


NAME = segment_name(0)


def directory(contents: bytes) -> SimulatedDirectory:
    return SimulatedDirectory(files={NAME: contents})


def written(records: tuple[Record, ...] = RECORDS, flush_after_each: bool = True) -> SimulatedDirectory:
    disk = SimulatedDirectory()
    log_file, _ = recover(disk)
    for record in records:
        log_file.write(record)
        if flush_after_each:
            log_file.flush()
    return disk


def bytes_of(disk: SimulatedDirectory) -> bytes:
    ((_, contents),) = disk.contents
    return contents


def read(data: bytes) -> list[Frame]:
    return list(LogReader(directory(data)))


def ends(data: bytes) -> list[int]:
    return [0, *(frame.end for frame in read(data))]


def crc32c_by_the_bit(data: bytes) -> int:
    """The Castagnoli checksum from its definition (RFC 3720, appendix B.4)."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def test_an_empty_disk_is_a_server_that_never_ran() -> None:
    _, recovered = recover(SimulatedDirectory())
    assert recovered == INITIAL


def test_recovery_reads_back_what_was_written() -> None:
    disk = written()
    disk.crash()
    _, recovered = recover(disk)
    assert recovered == STATES[-1]
    assert [entry.term for entry in recovered.log.entries] == [1, 2]


@pytest.mark.parametrize("operation", [Put("k", "v"), Append("k", "é\0"), Delete("k"), Get("")])
def test_every_operation_survives_the_codec(operation: Put | Append | Delete | Get) -> None:
    record = Record(append=(Entry(Term(7), Command(CLIENT, Serial(3), operation)),))
    (frame,) = read(encode_frame(record, 0, 0))
    assert frame.record == record


def test_the_format_of_a_frame_does_not_change_by_accident() -> None:
    payload = (
        b"\x84\xadterm_and_vote\xc0\xabtruncate_to\xc0\xa6append\x90\xaccommit_index\x05"  # a map of four; \xc0 is nil
    )
    checksum = crc32c_by_the_bit((64).to_bytes(8, "little") + (32).to_bytes(8, "little") + payload)
    frame = encode_frame(Record(commit_index=Index(5)), position=64, synced_through=32)
    assert frame == struct.pack("<IIQ", len(payload), checksum, 32) + payload
    assert checksum == 0x73AA5572


def test_a_crash_at_every_byte_keeps_the_whole_frames_before_it() -> None:
    size = len(bytes_of(written(flush_after_each=False)))
    boundaries = ends(bytes_of(written(flush_after_each=False)))
    for kept in range(size + 1):
        disk = written(flush_after_each=False)
        disk.crash(disk.prefix(kept))
        _, recovered = recover(disk)
        whole = sum(end <= kept for end in boundaries) - 1
        assert recovered == STATES[whole]
        assert len(bytes_of(disk)) == boundaries[whole]
        assert disk.durable == disk.contents


def test_the_bytes_of_a_torn_tail_never_return() -> None:
    disk = written(RECORDS[:1])
    log_file, _ = recover(disk)
    log_file.write(RECORDS[1])
    log_file.write(RECORDS[2])
    disk.crash(disk.prefix(disk.unflushed_bytes - 1))
    recover(disk)
    # The shorter frame that now takes the place must not be followed by what stood behind it.
    log_file, recovered = recover(disk)
    assert recovered == STATES[2]
    log_file.write(Record(commit_index=Index(1)))
    disk.crash(disk.unflushed)
    _, recovered = recover(disk)
    assert recovered == STATES[2].after(Record(commit_index=Index(1)))
    assert ends(bytes_of(disk))[-1] == len(bytes_of(disk))


def test_a_crash_during_recovery_changes_nothing() -> None:
    disk = written(flush_after_each=False)
    disk.crash(disk.prefix(disk.unflushed_bytes - 1))
    disk.failing_sync = 1
    with pytest.raises(DiskError):
        recover(disk)
    disk.crash()
    _, recovered = recover(disk)
    assert recovered == STATES[-2]


def test_a_hole_in_what_was_not_flushed_is_a_lost_tail() -> None:
    data = bytes_of(written(flush_after_each=False))
    boundaries = ends(data)
    hole = data[: boundaries[1]] + bytes(boundaries[2] - boundaries[1]) + data[boundaries[2] :]
    disk = directory(hole)
    _, recovered = recover(disk)
    assert recovered == STATES[1]
    assert len(bytes_of(disk)) == boundaries[1]


def test_every_damaged_bit_below_a_later_flush_is_refused_with_file_and_offset() -> None:
    data = bytes_of(written())
    boundaries = ends(data)
    for place in range(boundaries[-2]):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            frame_start = max(end for end in boundaries if end <= place)
            with pytest.raises(WalDamaged, match=rf"{NAME}: damage at byte {frame_start}:") as raised:
                read(bytes(damaged))
            assert (raised.value.file, raised.value.offset) == (f"simulated disk/{NAME}", frame_start)


def test_the_stated_limit_damage_in_the_last_flushed_frame_looks_like_a_torn_tail() -> None:
    data = bytearray(bytes_of(written()))
    data[-1] ^= 1
    assert replay(LogReader(directory(bytes(data)))) == STATES[-2]


def test_a_refused_disk_is_left_as_it_was() -> None:
    data = bytearray(bytes_of(written()))
    data[HEADER.size] ^= 1
    disk = directory(bytes(data))
    with pytest.raises(WalDamaged):
        recover(disk)
    assert bytes_of(disk) == bytes(data)


def test_a_frame_is_one_only_where_it_was_written() -> None:
    frame = encode_frame(RECORDS[0], position=0, synced_through=0)
    assert len(read(frame)) == 1
    assert read(frame + frame)[-1].end == len(frame)


def test_a_frame_inside_a_value_does_not_vouch_for_a_torn_one() -> None:
    first = encode_frame(RECORDS[0], position=0, synced_through=0)
    inner = encode_frame(RECORDS[1], position=len(first) * 2, synced_through=len(first) * 2)
    torn = encode_frame(RECORDS[2], position=len(first), synced_through=len(first))[:10] + inner
    assert len(read(first + torn)) == 1


def test_a_whole_frame_of_unknown_meaning_is_refused() -> None:
    payload = b"\xc0"  # MessagePack nil
    frame = HEADER.pack(len(payload), google_crc32c.value(bytes(16) + payload), 0) + payload
    with pytest.raises(WalDamaged, match="this version cannot read"):
        read(frame)


def test_after_a_short_write_nothing_more_is_written_or_flushed() -> None:
    disk = written(RECORDS[:1])
    log_file, _ = recover(disk)
    disk.capacity = len(bytes_of(disk)) + 5
    with pytest.raises(DiskFull):
        log_file.write(RECORDS[1])
    disk.capacity = None
    left = disk.contents
    with pytest.raises(WalPoisoned, match="earlier write or fsync failed"):
        log_file.write(RECORDS[1])
    with pytest.raises(WalPoisoned):
        log_file.flush()
    assert disk.contents == left
    _, recovered = recover(disk)
    assert recovered == STATES[1]


def test_after_a_failed_fsync_nothing_more_is_written_or_flushed() -> None:
    disk = written(RECORDS[:1])
    log_file, _ = recover(disk)
    log_file.write(RECORDS[1])
    disk.failing_sync = 1
    with pytest.raises(DiskError):
        log_file.flush()
    with pytest.raises(WalPoisoned):
        log_file.flush()
    with pytest.raises(WalPoisoned):
        log_file.write(RECORDS[2])


def test_what_recovery_read_is_on_disk_even_after_a_failed_fsync() -> None:
    disk = written(RECORDS[:1])
    log_file, _ = recover(disk)
    log_file.write(RECORDS[1])
    disk.failing_sync = 1
    with pytest.raises(DiskError):
        log_file.flush()
    _, recovered = recover(disk)  # the process restarts; the page cache still shows the frame
    assert recovered == STATES[2]
    disk.crash()
    _, recovered = recover(disk)
    assert recovered == STATES[2]


def test_the_log_works_on_a_real_disk(tmp_path: Path) -> None:
    disk = RealDirectory(tmp_path / "data")
    log_file, _ = recover(disk, segment_size=100)
    for record in RECORDS:
        log_file.write(record)
    log_file.flush()
    last = disk.names()[-1]
    assert len(disk.names()) > 2
    disk.close()
    with (tmp_path / "data" / last).open("ab") as file:
        file.write(b"torn")
    disk = RealDirectory(tmp_path / "data")
    log_file, recovered = recover(disk, segment_size=100)
    assert recovered == STATES[-1]
    log_file.write(Record(commit_index=Index(2)))
    log_file.flush()
    assert len(list(LogReader(disk))) == len(RECORDS) + 1
    disk.close()
