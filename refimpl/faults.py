"""Rules that can be broken on purpose, so that a checker can show that it would notice.

Each fault is consulted at one place, named beside it. A server without faults passes through these places unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from refimpl.errors import ImpossibleRequest


class Fault(Enum):
    """A wrong rule; the value is the name by which traces and command lines ask for it."""

    NEW_LEADER_AUTO_COMMITS = "new-leader-auto-commits"  # Raft._become_leader
    COMMIT_PRIOR_TERM_BY_COUNTING = "commit-prior-term-by-counting"  # Raft._advance_commit
    VOTE_NOT_DURABLE = "vote-not-durable"  # Raft.durable
    FOLLOWER_ACKS_BEFORE_FSYNC = "follower-acks-before-fsync"  # Raft._reply_to_append
    REPLY_AT_APPEND = "reply-at-append"  # Raft._accept_command
    NO_DEDUP = "no-dedup"  # KeyValueStore.apply
    STALE_READS = "stale-reads"  # Raft._accept_read
    READ_BEFORE_OWN_COMMIT = "read-before-own-commit"  # Raft._read_index
    READ_BEFORE_APPLY = "read-before-apply"  # Raft._answer_reads


def faults_named(names: Iterable[str]) -> frozenset[Fault]:
    """The faults with these names. Raises ImpossibleRequest for a name that is none."""
    known = {fault.value: fault for fault in Fault}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise ImpossibleRequest(
            f"unknown faults {', '.join(unknown)}", f"one of {', '.join(known)}", "correct the name of the fault"
        )
    return frozenset(known[name] for name in names)
