"""The write-ahead log against a list of states, over random writes, flushes, crashes, failed fsyncs and recoveries.

A crash keeps any part of anything that was not flushed: bytes of a frame, a later frame without an earlier one, a new
segment's name or not, a half of what a recovery did. Two things are asked of a recovery: what it finds is the state
after some of the records written, in order; and these include every record that a flush has covered.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refimpl.crashes import Crashes
from refimpl.durable import INITIAL, Durable, Record
from refimpl.entry import Append, ClientId, Command, Entry, Index, Serial, ServerId, Term
from refimpl.errors import DiskError, WalDamaged, WalPoisoned
from refimpl.segments import LogReader, segment_bases, segment_name
from refimpl.simulated_directory import Operation, SimulatedDirectory
from refimpl.wal import SEGMENT_SIZE, Wal, recover


class WalMachine(RuleBasedStateMachine):
    """`states[k]` is the state after k records; the first `flushed` of them are promised."""

    disk: SimulatedDirectory
    log_file: Wal
    states: list[Durable]
    flushed: int
    poisoned: bool
    segment_size: int

    @initialize(segment_size=st.sampled_from([1, 150, 400, SEGMENT_SIZE]))
    def start(self, segment_size: int) -> None:
        self.segment_size = segment_size
        self.disk = SimulatedDirectory()
        self.log_file, recovered = self.recover()
        self.states = [recovered]
        self.flushed = 0
        self.poisoned = False
        assert recovered == INITIAL

    @precondition(lambda self: not self.poisoned)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        record = data.draw(records_after(self.states[-1]))
        self.log_file.write(record)
        self.states.append(self.states[-1].after(record))

    @precondition(lambda self: not self.poisoned)
    @rule()
    def flush(self) -> None:
        self.log_file.flush()
        self.flushed = len(self.states) - 1

    @precondition(lambda self: not self.poisoned)
    @rule(failing=st.integers(1, 3))
    def flush_fails(self, failing: int) -> None:
        self.disk.failing_sync = failing
        try:
            self.log_file.flush()
            self.flushed = len(self.states) - 1  # it needed fewer syncs
        except DiskError:
            self.poisoned = True
        self.disk.failing_sync = 0

    @precondition(lambda self: not self.poisoned)
    @rule(data=st.data())
    def disk_fills_up_in_a_write(self, data: st.DataObject) -> None:
        self.disk.capacity = self.disk.used + data.draw(st.integers(0, 16))
        with pytest.raises(DiskError):
            self.log_file.write(Record(term_and_vote=(Term(99), None)))
        self.disk.capacity = None
        self.poisoned = True

    @precondition(lambda self: self.poisoned)
    @rule()
    def poisoned_log_takes_nothing(self) -> None:
        with pytest.raises(WalPoisoned):
            self.log_file.flush()
        with pytest.raises(WalPoisoned):
            self.log_file.write(Record(commit_index=Index(1)))

    @rule(data=st.data())
    def power_fails(self, data: st.DataObject) -> None:
        self.disk.crash(data.draw(survivors(self.disk)))
        self.recovered(*self.recover())

    @rule()
    def process_restarts(self) -> None:
        self.recovered(*self.recover())

    @rule(data=st.data(), failing=st.integers(1, 4))
    def power_fails_and_again_during_recovery(self, data: st.DataObject, failing: int) -> None:
        self.disk.crash(data.draw(survivors(self.disk)))
        self.disk.failing_sync = failing
        with contextlib.suppress(DiskError):  # it may need fewer syncs
            self.recover()
        self.disk.failing_sync = 0
        self.disk.crash(data.draw(survivors(self.disk)))
        self.recovered(*self.recover())

    @rule()
    def power_fails_right_after_recovery(self) -> None:
        self.recovered(*self.recover())
        self.disk.crash()
        self.recovered(*self.recover())

    @precondition(lambda self: self.flushed >= 2 and not self.poisoned)
    @rule(data=st.data())
    def a_bit_of_a_vouched_frame_rots(self, data: st.DataObject) -> None:
        vouched = max(frame.synced_through for frame in LogReader(self.disk))
        if vouched == 0:
            return
        place = data.draw(st.integers(0, vouched - 1))
        files = {name: bytearray(contents) for name, contents in self.disk.contents}
        base = max(base for base in segment_bases(self.disk) if base <= place)
        files[segment_name(base)][place - base] ^= 1 << data.draw(st.integers(0, 7))
        damaged = SimulatedDirectory(files={name: bytes(contents) for name, contents in files.items()})
        before = damaged.contents
        with pytest.raises(WalDamaged):
            recover(damaged)
        assert damaged.contents == before

    def recover(self) -> tuple[Wal, Durable]:
        return recover(self.disk, self.segment_size)

    def recovered(self, log_file: Wal, state: Durable) -> None:
        self.log_file = log_file
        assert state in self.states[self.flushed :], "a recovered state was written, and is not older than a flush"
        self.flushed = self.states.index(state)
        del self.states[self.flushed + 1 :]
        self.poisoned = False
        # A crash right after recovery must not lose what it returned: it counts as flushed.
        assert self.disk.durable == self.disk.contents

    @invariant()
    def flushed_bytes_are_durable(self) -> None:
        frames = list(LogReader(SimulatedDirectory(files=self.disk.durable)))
        assert len(frames) >= self.flushed


@st.composite
def survivors(draw: st.DrawFn, disk: SimulatedDirectory) -> tuple[Operation, ...]:
    """Some of what is not flushed, by blocks of any size."""
    crashes = Crashes(disk.unflushed, draw(st.sampled_from([1, 16, 512])))
    # The ends of the numbers are the crashes that lose everything and nothing.
    return crashes[draw(st.integers(0, crashes.count - 1))]


@st.composite
def records_after(draw: st.DrawFn, state: Durable) -> Record:
    """A record that can follow the state."""
    term = Term(max(state.current_term, state.log.last_term))
    entries = st.builds(
        lambda serial, value: Entry(term, Command(ClientId("c1"), Serial(serial), Append("writes", value))),
        st.integers(1, 300),
        st.text(max_size=20),
    )
    kept = draw(st.none() | st.integers(0, state.log.last_index).map(Index))
    appended = tuple(draw(st.lists(entries, max_size=2)))
    last = (state.log.last_index if kept is None else kept) + len(appended)
    return Record(
        # Always a new term, so that no two states are equal and a recovered state has one place in the list.
        term_and_vote=(Term(term + draw(st.integers(1, 300))), draw(st.sampled_from([None, ServerId("s1")]))),
        truncate_to=kept,
        append=appended,
        commit_index=draw(st.none() | st.integers(0, last).map(Index)),
    )


TestWalMachine = WalMachine.TestCase
TestWalMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
