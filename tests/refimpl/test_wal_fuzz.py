"""Mangled logs against recovery: no crash, no hang, no silent acceptance.

What recovery must say follows from which frames are still whole at their places: the state before the first that is
not, or, if a whole one behind it vouches for it, a refusal.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import google_crc32c
import msgspec
import pytest

from refimpl.durable import Durable, Record
from refimpl.errors import WalDamaged
from refimpl.frame import HEADER, decode_payload
from refimpl.segments import Frame, LogReader, base_of, segment_name
from refimpl.simulated_directory import SimulatedDirectory
from refimpl.wal import recover
from tests.refimpl.test_wal import RECORDS, states

Files = dict[str, bytes]
Mangle = Callable[[random.Random, bytes], bytes]


class Original:
    """A log of some records, some of them flushed one by one, some together."""

    def __init__(self, chance: random.Random) -> None:
        count = chance.randint(1, 12)
        records = tuple(chance.choice(RECORDS[:3]) for _ in range(count))
        disk = SimulatedDirectory()
        log_file, _ = recover(disk, chance.choice((1, 200, 500, 1 << 20)))
        for record in records:
            log_file.write(record)
            if chance.random() < 0.6:
                log_file.flush()
        self.files: Files = dict(disk.contents)
        self.frames: list[Frame] = list(LogReader(disk))
        self.states: list[Durable] = states(records)

    def whole(self, frame: Frame, files: Files) -> bool:
        name, first, last = segment_name(frame.base), frame.position - frame.base, frame.end - frame.base
        return name in files and files[name][first:last] == self.files[name][first:last]

    def expected(self, files: Files) -> Durable | None:
        """The state that recovery must find; None: it must refuse."""
        whole = [self.whole(frame, files) for frame in self.frames]
        if all(whole):
            return self.states[-1]
        first = whole.index(False)
        bad = self.frames[first].position
        pairs = zip(whole[first:], self.frames[first:], strict=True)
        return None if any(ok and frame.synced_through > bad for ok, frame in pairs) else self.states[first]


def flip(chance: random.Random, data: bytes) -> bytes:
    mangled = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        mangled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(mangled)


def overwrite(chance: random.Random, data: bytes) -> bytes:
    first, size = chance.randrange(len(data)), chance.randint(1, 40)
    return (data[:first] + chance.choice((bytes(size), chance.randbytes(size))) + data[first + size :])[: len(data)]


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def take_out(chance: random.Random, data: bytes) -> bytes:
    first = chance.randrange(len(data))
    return data[:first] + data[first + chance.randint(1, 200) :]


def put_in(chance: random.Random, data: bytes) -> bytes:
    first = chance.randrange(len(data) + 1)
    return data[:first] + chance.randbytes(chance.randint(1, 40)) + data[first:]


def copy_a_part(chance: random.Random, data: bytes) -> bytes:
    """Frames that are good where they stand are put elsewhere."""
    first, place = chance.randrange(len(data)), chance.randrange(len(data) + 1)
    return data[:place] + data[first : first + chance.randint(1, 300)] + data[place:]


def claim_a_length(chance: random.Random, data: bytes) -> bytes:
    place, length = chance.choice((0, chance.randrange(len(data)))), chance.choice((0, 1, 1 << 24, 1 << 31, 2**32 - 1))
    return data[:place] + length.to_bytes(4, "little") + data[place + 4 :]


MANGLES: tuple[Mangle, ...] = (flip, overwrite, cut, take_out, put_in, copy_a_part, claim_a_length)


def mangled(chance: random.Random, original: Original) -> Files:
    files = dict(original.files)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        name = chance.choice(sorted(files))
        if chance.random() < 0.1 and len(files) > 1:
            del files[name]
        elif files[name]:
            files[name] = chance.choice(MANGLES)(chance, files[name])
    return files


@pytest.mark.parametrize("number", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_mangled_log_is_recovered_to_what_is_whole_or_refused(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(1)
    verdicts = {"recovered": 0, "refused": 0}
    original = Original(chance)
    for attempt in range(number):
        if attempt % 10 == 0:
            original = Original(chance)
        files = mangled(chance, original)
        disk = SimulatedDirectory(files=files)
        expected = original.expected(files)
        try:
            _, state = recover(disk, 300)
        except WalDamaged:
            # More than the frames may be wrong: bytes too many, which reach into the next segment's place.
            assert expected is None or overlap(files), f"attempt {attempt} of seed 1: {files}"
            assert disk.contents == tuple(sorted(files.items()))
            verdicts["refused"] += 1
            continue
        assert state == expected, f"attempt {attempt} of seed 1: {files}"
        verdicts["recovered"] += 1
        assert recover(SimulatedDirectory(files=disk.durable), 300)[1] == state
    record_property("counted", verdicts)
    assert all(count > number / 10 for count in verdicts.values())


def overlap(files: Files) -> bool:
    """Whether a segment reaches beyond the beginning of the next, or the first is not there."""
    bases = [base_of(name) or 0 for name in sorted(files)]
    ends = [base + len(files[segment_name(base)]) for base in bases]
    return bases[0] != 0 or any(end > following for end, following in zip(ends, bases[1:], strict=False))


@pytest.mark.parametrize("number", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_mangled_payload_with_a_right_checksum_is_a_record_or_refused(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    """What no accident makes: a bug of a writer, or a hand."""
    chance = random.Random(2)
    verdicts = {"recovered": 0, "refused": 0}
    for _ in range(number):
        payload = msgspec.msgpack.encode(chance.choice(RECORDS))
        for _ in range(chance.choice((0, 1, 2))):
            payload = chance.choice((flip, overwrite, take_out))(chance, payload) or payload
        checksum = google_crc32c.value(bytes(16) + payload)
        frame = HEADER.pack(len(payload), checksum, 0) + payload
        try:
            _, state = recover(SimulatedDirectory(files={segment_name(0): frame}), 300)
        except WalDamaged:
            verdicts["refused"] += 1
            continue
        verdicts["recovered"] += 1
        record = decode_payload(frame, 0, len(frame))
        assert isinstance(record, Record)
        assert (state.log.entries, state.commit_index) == (record.append, record.commit_index or 0)
    record_property("counted", verdicts)
    assert all(count > number / 10 for count in verdicts.values())


def test_bytes_that_were_never_a_log_are_a_torn_tail() -> None:
    chance = random.Random(3)
    for _ in range(300):
        disk = SimulatedDirectory(files={segment_name(0): chance.randbytes(chance.randint(1, 500))})
        _, state = recover(disk)
        assert state == states(())[0]
        assert disk.durable == ((segment_name(0), b""),)
