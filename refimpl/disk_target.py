"""The reference implementation on a faulty disk: each crash of a replay, at every byte of every frame that it loses.

Segments are so small that frames which wait for one flush stand in several: one frame to a segment on the first server,
two or three on the second, all of them in one on the third.
"""

from __future__ import annotations

from refimpl import wal
from refimpl.crash_trials import CrashTrials
from refimpl.faults import faults_named
from refimpl.target import RefimplTarget, Storage

SEGMENT_SIZES = (1, 400, wal.SEGMENT_SIZE)
"""Bytes; frames have about 150 in a replay."""


def create(broken: frozenset[str] = frozenset(), recover: wal.Recover = wal.recover) -> RefimplTarget:
    """A target; `broken` as in `refimpl.target.create`. `recover`: another write-ahead log than refimpl/wal.py."""
    return RefimplTarget(faults_named(broken), "disk", Storage(SEGMENT_SIZES, recover, CrashTrials(recover)))
