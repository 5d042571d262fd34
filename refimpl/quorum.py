"""A quorum is any majority: two of them share a server, and every safety argument of Raft rests on that one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from refimpl.entry import Index, ServerId


def quorum_size(servers: Collection[ServerId]) -> int:
    """The least number of servers that is more than half."""
    return len(servers) // 2 + 1


def is_quorum(members: frozenset[ServerId], servers: Collection[ServerId]) -> bool:
    """Whether the members, all of them servers of the cluster, are more than half of it."""
    assert members <= frozenset(servers), "a quorum is counted among the cluster's own servers"
    return len(members) >= quorum_size(servers)


def quorum_index(match_index: Mapping[ServerId, Index]) -> Index:
    """The largest index that a quorum has reached, the leader included (§3.5: "replicated on a majority")."""
    highest_first = sorted(match_index.values(), reverse=True)
    return highest_first[quorum_size(match_index) - 1]
