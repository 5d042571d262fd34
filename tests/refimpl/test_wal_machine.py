"""The write-ahead log against a list of states, over random writes, flushes, crashes, failed fsyncs and recoveries.

Two things are asked of a recovery: what it finds is the state after some of the records written, in order; and these
include every record that a flush has covered.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refimpl.disk import SimulatedDisk
from refimpl.durable import INITIAL, Durable, Record
from refimpl.entry import Append, ClientId, Command, Entry, Index, Serial, ServerId, Term
from refimpl.errors import DiskError, WalDamaged, WalPoisoned
from refimpl.wal import Wal, read_frames, recover


class WalMachine(RuleBasedStateMachine):
    """`states[k]` is the state after k records; the first `flushed` of them are promised."""

    disk: SimulatedDisk
    log_file: Wal
    states: list[Durable]
    flushed: int
    poisoned: bool

    @initialize()
    def start(self) -> None:
        self.disk = SimulatedDisk("raft.wal")
        self.log_file, recovered = recover(self.disk)
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
    @rule()
    def flush_fails(self) -> None:
        self.disk.fail_next_sync = True
        with pytest.raises(DiskError):
            self.log_file.flush()
        self.poisoned = True

    @precondition(lambda self: not self.poisoned)
    @rule(data=st.data())
    def disk_fills_up_in_a_write(self, data: st.DataObject) -> None:
        self.disk.capacity = len(self.disk.read()) + data.draw(st.integers(0, 16))
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
        self.disk.crash(keep_bytes=data.draw(st.integers(0, self.disk.unflushed)))
        self.recovered(*recover(self.disk))

    @rule()
    def process_restarts(self) -> None:
        self.recovered(*recover(self.disk))

    @rule(data=st.data())
    def power_fails_and_again_during_recovery(self, data: st.DataObject) -> None:
        self.disk.crash(keep_bytes=data.draw(st.integers(0, self.disk.unflushed)))
        self.disk.fail_next_sync = True
        with pytest.raises(DiskError):
            recover(self.disk)
        self.disk.crash()
        self.recovered(*recover(self.disk))

    @precondition(lambda self: self.flushed >= 2 and not self.poisoned)
    @rule(data=st.data())
    def a_bit_of_a_vouched_frame_rots(self, data: st.DataObject) -> None:
        contents = self.disk.read()
        vouched = max(frame.synced_through for frame in read_frames(contents, "raft.wal"))
        if vouched == 0:
            return
        damaged = bytearray(contents)
        damaged[data.draw(st.integers(0, vouched - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(WalDamaged):
            recover(SimulatedDisk("raft.wal", bytes(damaged)))

    def recovered(self, log_file: Wal, state: Durable) -> None:
        self.log_file = log_file
        assert state in self.states[self.flushed :], "a recovered state was written, and is not older than a flush"
        self.flushed = self.states.index(state)
        del self.states[self.flushed + 1 :]
        self.poisoned = False
        # A crash right after recovery must not lose what it returned: it counts as flushed.
        assert self.disk.durable == self.disk.read()

    @invariant()
    def flushed_bytes_are_durable(self) -> None:
        frames = read_frames(self.disk.durable, "raft.wal")
        assert len(frames) >= self.flushed


def records_after(state: Durable) -> st.SearchStrategy[Record]:
    """Records that can follow the state."""
    entries = st.builds(
        lambda serial, value: Entry(
            Term(max(state.current_term, state.log.last_term)),
            Command(ClientId("c1"), Serial(serial), Append("writes", value)),
        ),
        st.integers(1, 300),
        st.text(max_size=20),
    )
    votes = st.tuples(
        st.integers(state.current_term, state.current_term + 300).map(Term),
        st.sampled_from([None, ServerId("s1"), ServerId("s2")]),
    )
    return st.builds(
        Record,
        term_and_vote=st.none() | votes,
        truncate_to=st.none() | st.integers(0, state.log.last_index).map(Index),
        append=st.lists(entries, max_size=2).map(tuple),
        # Always one more, so that no two states are equal and a recovered state has one place in the list.
        commit_index=st.just(Index(state.commit_index + 1)),
    )


TestWalMachine = WalMachine.TestCase
