"""Trials of the write-ahead log at one crash of a replay: the ways in which a disk can lose what the model calls lost.

The replay goes on from one of these crashes; the others are tried here on copies of the disk. Each must recover to the
state of the model's crash, and so must the life after it: the record that was lost is written again, and nothing
of what stood behind it may follow. Beside crashes, on what a recovery left: a full disk, a failing fsync, rot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from refimpl import wal
from refimpl.crashes import Placement, placements
from refimpl.durable import Durable, Record
from refimpl.errors import DiskError, RefimplError, WalDamaged, WalPoisoned, WrongRecovery
from refimpl.plain import plain_durable
from refimpl.segments import Frame, LogReader, exhaust, segment_name
from refimpl.simulated_directory import Contents, SimulatedDirectory

PLACEMENTS = "crash placements"
FAULTS = "disk faults"
REMEDY = "compare what recovery does there with refimpl/WAL.md"


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash of a server with this disk, of which the first `keep` unflushed frames survive.

    `states` are what a restart would read if no, one, two, … unflushed frames survived.
    """

    directory: SimulatedDirectory
    segment_size: int
    states: tuple[Durable, ...]
    keep: int


@dataclass(slots=True)
class CrashTrials:
    """`tried` counts the crashes and the faults, by PLACEMENTS and FAULTS."""

    recover: wal.Recover = wal.recover
    tried: Counter[str] = field(default_factory=Counter)

    def run(self, crash: Crash) -> None:
        """Try all of them. Raises WrongRecovery."""
        end = _end(crash.directory.durable)
        frames = [frame for frame in LogReader(crash.directory) if frame.position >= end]
        kept = sum(frame.end - frame.position for frame in frames[: crash.keep])
        lost = frames[crash.keep : crash.keep + 1]
        lives: set[tuple[Contents, Contents]] = set()
        for placement in placements(crash.directory.unflushed, kept):
            self.tried[PLACEMENTS] += 1
            disk = crash.directory.copy()
            disk.crash(placement.survivors)
            log_file = self._recovered(crash, disk, crash.states[crash.keep], placement.where)
            left = (disk.durable, disk.contents)
            if left not in lives:
                lives.add(left)
                self._recovery_cut_short(crash, placement)
                for frame in lost:
                    self._go_on(crash, disk, log_file, frame.record, placement.where)
        for durable, _ in lives:
            for frame in lost:
                self._write_cut_short(crash, durable, frame)
                for failing in (1, 2):
                    self._sync_failing(crash, durable, frame.record, failing)
            self._rot(crash, durable)

    def _go_on(self, crash: Crash, disk: SimulatedDirectory, log_file: wal.Wal, record: Record, where: str) -> None:
        """The record that was lost is written again, and the power fails again."""
        log_file.write(record)
        log_file.flush()
        disk.crash()
        self._recovered(crash, disk, crash.states[crash.keep + 1], f"{where}; then the lost record was written again")

    def _recovery_cut_short(self, crash: Crash, placement: Placement) -> None:
        """A sync of the recovery fails, and then the power, or only the process ends."""
        expected = crash.states[crash.keep]
        for failing in (1, 2, 3):
            self.tried[FAULTS] += 1
            disk = crash.directory.copy()
            disk.crash(placement.survivors)
            disk.failing_sync = failing
            try:
                self.recover(disk, crash.segment_size)
                return  # it needs fewer
            except DiskError:
                where = f"{placement.where}; sync number {failing} of the recovery failed"
            for survivors in ((), disk.unflushed):
                again = disk.copy()
                again.crash(survivors)
                self._recovered(crash, again, expected, f"{where}, and the power with it")
            self._recovered(crash, disk, expected, f"{where}, and the process ended")
            disk.crash()
            self._recovered(crash, disk, expected, f"{where}, another recovery did not, and then the power failed")

    def _write_cut_short(self, crash: Crash, durable: Contents, frame: Frame) -> None:
        """The disk is full in the middle of a frame; there is room again; whatever was promised then must be there."""
        where = "a write was cut short by a full disk"
        disk, log_file = self._fresh(crash, durable, where)
        # Another byte each time: all of them are tried, though not at the same crash.
        disk.capacity = disk.used + self.tried[FAULTS] % (frame.end - frame.position)
        self._must_fail(where, lambda: log_file.write(frame.record))
        disk.capacity = None
        promised = self._can_flush(log_file, frame.record)
        disk.crash(disk.unflushed)
        self._recovered(crash, disk, crash.states[crash.keep + promised], f"{where}, and there was room again")

    def _sync_failing(self, crash: Crash, durable: Contents, record: Record, failing: int) -> None:
        """An fsync fails; a second one is not to be believed, neither in this process nor in the next."""
        where = f"fsync number {failing} failed"
        before, after = crash.states[crash.keep], crash.states[crash.keep + 1]
        disk, log_file = self._fresh(crash, durable, where)
        log_file.write(record)
        disk.failing_sync = failing
        try:
            log_file.flush()
            return  # it needs fewer
        except DiskError:
            pass
        again = disk.copy()
        promised = self._can_flush(log_file, None)
        disk.crash()
        self._recovered(crash, disk, after if promised else before, f"{where}, and the power with it")
        # The process ends, and the next one reads what the page cache still has.
        _, seen = self._checked(again, crash.segment_size, (before, after), f"{where}, and the process ended")
        again.crash()
        self._recovered(crash, again, seen, f"{where}, a recovery read {_shown(seen)}, and the power failed")

    def _rot(self, crash: Crash, durable: Contents) -> None:
        """One bit of each frame that a later one vouches for, and each such segment: all are refused."""
        disk = SimulatedDirectory(crash.directory.name, durable)
        log = LogReader(disk)
        frames = list(log)
        for frame in frames:
            if frame.position < log.synced_through:
                name, offset = segment_name(frame.base), frame.position - frame.base
                at = self.tried[FAULTS] % (frame.end - frame.position)
                rotten = dict(durable)
                contents = bytearray(rotten[name])
                contents[offset + at] ^= 1 << at % 8
                rotten[name] = bytes(contents)
                self._must_refuse(crash, rotten, f"bit {at % 8} of byte {at} of the frame at byte {offset} of {name}")
        for base in log.bases:
            if base < log.synced_through and len(log.bases) > 1:  # no segment at all is a server that never ran
                rest = {name: contents for name, contents in durable if name != segment_name(base)}
                self._must_refuse(crash, rest, f"{segment_name(base)}, which is gone")

    def _must_refuse(self, crash: Crash, files: dict[str, bytes], where: str) -> None:
        self.tried[FAULTS] += 1
        disk = SimulatedDirectory(crash.directory.name, files)
        try:
            _, state = self.recover(disk, crash.segment_size)
        except WalDamaged:
            return
        raise WrongRecovery(
            f"a recovery to {_shown(state)} from a disk with damage in {where}",
            "a refusal: what was flushed may have been promised",
            REMEDY,
        )

    def _must_fail(self, where: str, write: Callable[[], None]) -> None:
        self.tried[FAULTS] += 1
        try:
            write()
        except DiskError:
            return
        raise WrongRecovery(f"{where}, and no error", "DiskError", REMEDY)

    def _can_flush(self, log_file: wal.Wal, record: Record | None) -> bool:
        """Whether the log promises, after an error, that this record, or what was written before, is on disk."""
        self.tried[FAULTS] += 1
        try:
            if record is not None:
                log_file.write(record)
            log_file.flush()
        except (WalPoisoned, DiskError):
            return False
        return True

    def _fresh(self, crash: Crash, durable: Contents, where: str) -> tuple[SimulatedDirectory, wal.Wal]:
        disk = SimulatedDirectory(crash.directory.name, durable)
        return disk, self._recovered(crash, disk, crash.states[crash.keep], where)

    def _recovered(self, crash: Crash, disk: SimulatedDirectory, expected: Durable, where: str) -> wal.Wal:
        return self._checked(disk, crash.segment_size, (expected,), where)[0]

    def _checked(
        self, disk: SimulatedDirectory, segment_size: int, allowed: tuple[Durable, ...], where: str
    ) -> tuple[wal.Wal, Durable]:
        try:
            log_file, state = self.recover(disk, segment_size)
        except RefimplError as error:
            raise WrongRecovery(f"{where}: {error}", f"a recovery to {_shown(*allowed)}", REMEDY) from error
        if state not in allowed:
            raise WrongRecovery(f"{where}: a recovery to {_shown(state)}", _shown(*allowed), REMEDY)
        return log_file, state


def _end(files: Contents) -> int:
    return exhaust(LogReader(SimulatedDirectory(files=files))).end


def _shown(*states: Durable) -> str:
    return " or ".join(str(plain_durable(state)) for state in states)
