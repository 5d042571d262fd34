"""What must be true of a run once it is over: of what clients saw, and of what the servers' logs hold.

The logs are read from their first frame, so that also what a server believed for a while is judged: an entry below a
server's commit mark is the same on all servers, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from refimpl.directory import Readable
from refimpl.entry import Append, Entry, Put, ServerId
from refimpl.failing_window import FailingWindow, failing_window
from refimpl.history import Call
from refimpl.linearizability import Limit, Linearizable, NotLinearizable, Unknown, linearize
from refimpl.segments import LogReader

LIMIT = Limit(configurations=1_000_000, seconds=60.0)


@dataclass(frozen=True, slots=True)
class NoOrder:
    """The calls of a key that no order explains, and the window that shows it."""

    key: str
    window: FailingWindow


def judge_key(key: str, calls: Iterable[Call], limit: Limit = LIMIT) -> NoOrder | Unknown | None:
    """None: linearizable."""
    calls = tuple(calls)
    verdict = linearize(calls, limit=limit)
    match verdict:
        case Linearizable():
            return None
        case NotLinearizable():
            return NoOrder(key, failing_window(calls, limit))
        case Unknown():
            return verdict


def judge_answered(directories: Mapping[ServerId, Readable], calls: Iterable[Call]) -> list[str]:
    """Answered writes that no server's log has below its commit mark. The servers have ended well: a mark is lazy."""
    committed = {
        entry.command.operation.value
        for directory in directories.values()
        for entry in _read(directory).committed
        if entry.command is not None and isinstance(entry.command.operation, Put | Append)
    }
    return [
        f"an answered write is in no server's committed log: {call}"
        for call in calls
        if call.returned is not None
        and isinstance(call.operation, Put | Append)
        and call.operation.value not in committed
    ]


def judge_logs(directories: Mapping[ServerId, Readable]) -> list[str]:
    """What is wrong with what the servers have committed. Also while they run. Raises WalDamaged, DiskError."""
    findings = []
    agreed: tuple[ServerId | None, list[Entry]] = (None, [])
    for server, directory in directories.items():
        log = _read(directory)
        if log.gave_up is not None:
            findings.append(f"{server} gave up entries behind {log.gave_up}, which it had committed")
        longest_by, longest = agreed
        for index, (entry, other) in enumerate(zip(log.committed, longest, strict=False), start=1):
            if entry != other:
                findings.append(f"{server} and {longest_by} have committed different entries at {index}")
                break
        if len(log.committed) > len(longest):
            agreed = (server, log.committed)
    return findings


@dataclass(slots=True)
class _Log:
    """What a server's commit mark has covered, up to the record by which it gave up some of that."""

    committed: list[Entry]
    gave_up: int | None = None


def _read(directory: Readable) -> _Log:
    entries: list[Entry] = []
    commit_index = 0
    for frame in LogReader(directory):
        record = frame.record
        if record.truncate_to is not None:
            if record.truncate_to < commit_index:
                return _Log(entries[:commit_index], record.truncate_to)
            del entries[record.truncate_to :]
        entries.extend(record.append)
        # A record of one step holds the entries of that step before its mark.
        commit_index = max(commit_index, min(record.commit_index or 0, len(entries)))
    return _Log(entries[:commit_index])
