"""Quorums: majorities, and the index that one of them has reached."""

from __future__ import annotations

from itertools import combinations

import pytest

from refimpl.entry import Index, ServerId
from refimpl.quorum import is_quorum, quorum_index

SERVERS = tuple(ServerId(f"s{number}") for number in range(1, 6))


@pytest.mark.parametrize(("size", "least"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_quorum_is_more_than_half(size: int, least: int) -> None:
    cluster = SERVERS[:size]
    assert is_quorum(frozenset(cluster[:least]), cluster)
    assert not is_quorum(frozenset(cluster[: least - 1]), cluster)


@pytest.mark.parametrize("size", range(1, 6))
def test_two_quorums_share_a_server(size: int) -> None:
    cluster = SERVERS[:size]
    subsets = [frozenset(chosen) for count in range(size + 1) for chosen in combinations(cluster, count)]
    quorums = [subset for subset in subsets if is_quorum(subset, cluster)]
    assert quorums
    assert all(one & other for one in quorums for other in quorums)


def test_a_stranger_does_not_count() -> None:
    with pytest.raises(AssertionError, match="own servers"):
        is_quorum(frozenset({ServerId("s9")}), SERVERS)


@pytest.mark.parametrize(
    ("match_index", "reached"),
    [([4], 4), ([4, 2], 2), ([4, 2, 0], 2), ([4, 4, 1, 0], 1), ([5, 0, 3, 3, 0], 3), ([5, 5, 0, 0, 0], 0)],
)
def test_the_quorum_index_is_what_a_majority_has_reached(match_index: list[int], reached: int) -> None:
    pairs = zip(SERVERS, match_index, strict=False)
    assert quorum_index({server: Index(index) for server, index in pairs}) == reached
