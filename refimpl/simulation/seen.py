"""What has happened in a run: counted and printed, zeros too, so that nothing is silently never exercised."""

from __future__ import annotations

from collections import Counter
from enum import Enum


class Seen(Enum):
    """One thing that is counted; the value is its name in reports."""

    ELECTION = "leaders elected"
    CAMPAIGN = "election timeouts"
    WRITE = "commands answered"
    READ = "reads answered"
    RETRY = "retries"
    DUPLICATE = "commands committed more than once"
    COMMIT = "entries committed"
    TRUNCATION = "entries truncated"
    APPLY = "entries applied"
    FSYNC = "fsyncs"
    GROUP = "fsyncs of several frames"
    SENT = "messages sent"
    LOST = "messages lost"
    DUPLICATED = "messages duplicated"
    OVERTOOK = "messages that overtook another"
    CUT = "messages stopped by a partition"
    PARTITION = "partitions"
    POWER_CUT = "power cuts of one server"
    LEADER_CRASH = "crashes of a leader"
    UNTIMELY_CRASH = "crashes at the worst moment"
    OUTAGE = "outages of all servers"
    FRAMES_LOST = "frames lost"
    FRAMES_KEPT = "unflushed frames kept"
    TORN_WRITE = "power cuts in the middle of writes"
    KILL = "processes killed"
    PAUSE = "pauses"
    FSYNC_ERROR = "fsyncs failed"
    FULL_DISK = "writes refused by a full disk"
    FAILED_RESTART = "restarts refused by the disk"
    RESTART = "restarts"
    CONVERGED = "quiet periods that converged"
    FULL_CHECK = "full checks"


Tally = Counter[Seen]


def complete(tally: Tally) -> dict[str, int]:
    """The counts by name, of everything that can be counted."""
    return {seen.value: tally[seen] for seen in Seen}
