"""Segments of the log: where a new one begins, what a crash leaves of several, and which logs are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from refimpl.durable import Durable, Record
from refimpl.entry import Append, ClientId, Command, Entry, Index, Serial, Term
from refimpl.errors import DiskError, DiskFull, WalDamaged, WalPoisoned
from refimpl.frame import HEADER, encode_frame
from refimpl.segments import CHUNK, LogReader, segment_bases, segment_name
from refimpl.simulated_directory import Appended, Created, SimulatedDirectory
from refimpl.wal import TEMPORARY, Wal, recover, replay

SIZE = 400
"""Bytes of a segment here: two frames of about 180."""


def record(number: int) -> Record:
    return Record(append=(Entry(Term(1), Command(ClientId("c1"), Serial(number), Append("writes", "x" * 20))),))


def written(count: int, flush: Callable[[int], bool] = lambda number: True) -> tuple[SimulatedDirectory, Wal]:
    """Records 1 to `count`, each flushed that `flush` says."""
    disk = SimulatedDirectory()
    log_file, _ = recover(disk, SIZE)
    for number in range(1, count + 1):
        log_file.write(record(number))
        if flush(number):
            log_file.flush()
    return disk, log_file


def without(disk: SimulatedDirectory, name: str) -> SimulatedDirectory:
    return SimulatedDirectory(files={other: contents for other, contents in disk.contents if other != name})


def serials(state: Durable) -> list[int]:
    return [entry.command.serial for entry in state.log.entries if entry.command is not None]


def test_a_segment_is_named_by_its_place_and_grows_up_to_the_segment_size() -> None:
    disk, _ = written(5)
    sizes = [len(contents) for _, contents in disk.contents]
    bases = [sum(sizes[:number]) for number in range(len(sizes))]
    assert [name for name, _ in disk.contents] == [segment_name(base) for base in bases]
    assert len(sizes) == 3
    assert all(size <= SIZE for size in sizes)
    assert segment_name(0) == "00000000000000000000.wal"


def test_a_frame_that_is_longer_than_a_segment_has_one_to_itself() -> None:
    disk = SimulatedDirectory()
    log_file, _ = recover(disk, segment_size=1)
    for number in (1, 2):
        log_file.write(record(number))
    log_file.flush()
    assert len(disk.names()) == 2
    assert serials(recover(disk)[1]) == [1, 2]


def test_a_new_segment_is_durable_with_its_name_once_flush_returns() -> None:
    disk, _ = written(5)
    disk.crash()
    assert serials(recover(disk, SIZE)[1]) == [1, 2, 3, 4, 5]


def test_beginning_a_segment_flushes_nothing() -> None:
    disk, _ = written(3, flush=lambda number: False)
    assert [type(operation) for operation in disk.unflushed] == [Appended, Appended, Created, Appended]
    disk.crash()
    assert serials(recover(disk, SIZE)[1]) == []


def test_a_later_segment_without_the_end_of_an_earlier_one_is_a_lost_tail() -> None:
    for lost in (0, 1):
        disk, _ = written(5, flush=lambda number: False)
        disk.crash([operation for number, operation in enumerate(disk.unflushed) if number != lost])
        log_file, recovered = recover(disk, SIZE)
        assert serials(recovered) == [1][:lost]
        assert len(disk.names()) == 1
        # Frames of the same size as the lost ones: an old segment would fit behind them.
        for number in range(lost + 1, 3):
            log_file.write(record(number))
        log_file.flush()
        disk.crash()
        assert serials(recover(disk, SIZE)[1]) == [1, 2]


def test_a_crash_in_any_part_of_a_recovery_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _ = written(7, flush=lambda number: False)
    disk.crash(disk.unflushed[1:])

    def stop() -> None:
        raise DiskError("a crash before the names are flushed", "", "")

    monkeypatch.setattr(disk, "sync_names", stop)
    with pytest.raises(DiskError):
        recover(disk, SIZE)
    changes = disk.unflushed
    assert len(changes) == 5  # a segment created and renamed, three removed
    for chosen in range(2 ** len(changes)):
        again = disk.copy()
        again.crash(change for number, change in enumerate(changes) if chosen >> number & 1)
        assert serials(recover(again, SIZE)[1]) == []
        assert again.contents == ((segment_name(0), b""),)


def test_what_a_recovery_that_was_cut_short_left_is_removed() -> None:
    disk, _ = written(3)
    disk.create(segment_name(0) + TEMPORARY)
    recover(disk, SIZE)
    assert all(name.endswith(".wal") for name in disk.names())


def test_a_name_that_a_failed_fsync_left_in_memory_is_durable_after_recovery() -> None:
    disk, log_file = written(2)
    log_file.write(record(3))
    disk.failing_sync = 2  # of the names, after that of the segment
    with pytest.raises(Exception, match="fsync of the directory"):
        log_file.flush()
    assert serials(recover(disk, SIZE)[1]) == [1, 2, 3]
    disk.crash()
    assert serials(recover(disk, SIZE)[1]) == [1, 2, 3]


def test_a_lost_segment_that_a_later_frame_vouches_for_is_damage_with_file_and_offset() -> None:
    disk, _ = written(7)
    first, second, third, _ = disk.names()
    with pytest.raises(WalDamaged, match=rf"{first}: damage at byte 0: no such segment"):
        recover(without(disk, first), SIZE)
    with pytest.raises(WalDamaged, match=rf"{first}: damage at byte \d+: .* of {third} was written after"):
        recover(without(disk, second), SIZE)


def test_damage_is_vouched_for_by_frames_of_later_segments() -> None:
    disk, _ = written(7, flush=lambda number: number != 2)
    first, second, third, _ = disk.names()
    for name, later in ((first, second), (second, third)):
        files = dict(disk.contents)
        files[name] = files[name][:-1]
        damaged = SimulatedDirectory(files=files)
        with pytest.raises(WalDamaged, match=rf"{name}: damage at byte \d+: .* of {later} was written") as raised:
            recover(damaged, SIZE)
        assert raised.value.offset == len(encode_frame(record(1), 0, 0))  # of the second frame of two
        assert damaged.contents == tuple(sorted(files.items()))


def test_the_stated_limit_a_lost_last_segment_that_nothing_vouches_for_looks_like_a_lost_tail() -> None:
    disk, _ = written(3)
    assert serials(recover(without(disk, disk.names()[-1]), SIZE)[1]) == [1, 2]


def test_two_files_for_the_same_place_are_refused() -> None:
    disk, _ = written(3)
    files = dict(disk.contents) | {segment_name(7): b""}
    with pytest.raises(WalDamaged, match="a second file for what a file before it holds"):
        recover(SimulatedDirectory(files=files), SIZE)
    files = dict(disk.contents)
    size = len(files[segment_name(0)])
    files[segment_name(0)] += b"x"
    with pytest.raises(WalDamaged, match=rf"damage at byte {size}: bytes in the place of the next segment"):
        recover(SimulatedDirectory(files=files), SIZE)


def test_a_log_file_of_another_kind_is_refused_and_other_files_are_left_alone() -> None:
    with pytest.raises(WalDamaged, match=r"raft\.wal: damage at byte 0: a log file whose name is no position"):
        recover(SimulatedDirectory(files={"raft.wal": b""}))
    disk = SimulatedDirectory(files={"notes.txt": b"mine"})
    recover(disk)
    assert disk.names() == (segment_name(0), "notes.txt")
    assert segment_bases(disk) == (0,)


def test_a_full_disk_while_recovering_leaves_the_log_as_it_was_and_a_restart_after_room_is_made_goes_on() -> None:
    disk, _ = written(3)
    disk.crash()
    disk.capacity = disk.used + 10
    with pytest.raises(DiskFull, match="make room"):
        recover(disk, SIZE)
    disk.capacity = None
    assert serials(recover(disk, SIZE)[1]) == [1, 2, 3]


def test_a_disk_on_which_no_segment_can_be_begun_stops_the_log_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, log_file = written(2)

    def no_space(name: str) -> None:
        raise DiskFull(f"{name}: create failed: No space left on device", "", "")

    with monkeypatch.context() as full:
        full.setattr(disk, "create", no_space)
        with pytest.raises(DiskFull):
            log_file.write(record(3))
    for operation in (log_file.flush, lambda: log_file.write(record(3))):
        with pytest.raises(WalPoisoned):
            operation()
    disk.crash()
    assert serials(recover(disk, SIZE)[1]) == [1, 2]


def test_a_file_that_shrinks_while_it_is_recovered_is_not_replaced_by_less(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _ = written(2)
    before, read = disk.contents, disk.read

    def shrunk(name: str, offset: int, length: int) -> bytes:
        return read(name, offset, length) if length == CHUNK else read(name, offset, length)[:-1]

    monkeypatch.setattr(disk, "read", shrunk)
    with pytest.raises(DiskError, match="shorter than a moment ago"):
        recover(disk, SIZE)
    disk.crash()
    assert disk.contents == before


def test_a_frame_longer_than_a_chunk_and_one_over_the_border_of_two_are_read() -> None:
    frames, position = b"", 0
    for size in (1 << 19, 1 << 19, 3 << 20, 100):
        long = Record(append=(Entry(Term(1), Command(ClientId("c1"), Serial(1), Append("k", "x" * size))),))
        frames += encode_frame(long, position, 0)
        position = len(frames)
    log = LogReader(SimulatedDirectory(files={segment_name(0): frames + b"torn"}))
    assert len(replay(log).log.entries) == 4
    assert (log.end, log.torn is not None and log.torn.offset) == (len(frames), len(frames))


def test_a_voucher_far_behind_the_bad_frame_is_found_and_holes_are_passed_over() -> None:
    for gap in (1, 2, HEADER.size - 1, (1 << 20) - HEADER.size, (1 << 20) - 1, 3 << 20):
        frame = encode_frame(Record(commit_index=Index(1)), 1 + gap, 1)
        for filling in (b"\0", b"\1"):
            if filling == b"\1" and gap > 100 and gap != (1 << 20) - 1:
                continue  # each byte of it is looked at, which takes a while
            with pytest.raises(WalDamaged, match=rf"the frame at byte {1 + gap} was written after a flush"):
                recover(SimulatedDirectory(files={segment_name(0): b"\2" + filling * gap + frame}))


def test_position_is_part_of_what_a_checksum_covers_over_segments() -> None:
    disk, _ = written(3)
    first, second = disk.names()
    files = dict(disk.contents)
    assert len(files[first]) == 2 * len(files[second])
    copied = SimulatedDirectory(files={first: files[first], second: files[first][: len(files[second])]})
    assert serials(replay(LogReader(copied))) == [1, 2]


def test_a_large_log_is_read_in_parts() -> None:
    lengths: list[int] = []

    class Watched(SimulatedDirectory):
        def read(self, name: str, offset: int, length: int) -> bytes:
            lengths.append(length)
            return super().read(name, offset, length)

    frames, position = b"", 0
    while position < 5 << 20:
        frame = Record(append=(Entry(Term(1), Command(ClientId("c1"), Serial(1), Append("k", "x" * 99_999))),))
        frames += encode_frame(frame, position, position)
        position = len(frames)
    log = LogReader(Watched(files={segment_name(0): frames}))
    assert sum(1 for _ in log) > 50
    assert max(lengths) == CHUNK < len(frames) / 4
