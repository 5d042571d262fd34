"""The book-keeping of a leader's reads: rounds, echoes, and which reads may be answered."""

from __future__ import annotations

import pytest

from refimpl.entry import ClientId, Index, Round, Serial, ServerId
from refimpl.reads import NO_READS, Reads

S1, S2, S3 = SERVERS = tuple(ServerId(f"s{number}") for number in (1, 2, 3))


def taken(*indices: int) -> Reads:
    """s1's reads, one for each index that they have to see."""
    reads = NO_READS
    for serial, index in enumerate(indices, start=1):
        reads = reads.begin(ClientId("c1"), Serial(serial), "k", Index(index))
    return reads


def ready(reads: Reads, applied: int) -> list[int]:
    """The serials of those that s1, with so much applied, may answer."""
    return [read.serial for read in reads.ready(S1, SERVERS, Index(applied))]


def test_each_read_has_a_round_of_its_own() -> None:
    reads = taken(1, 1, 1)
    assert [read.round for read in reads.waiting] == [1, 2, 3]
    assert ready(reads.confirm(S2, Round(2)), applied=1) == [1, 2]


def test_a_read_waits_for_its_index_and_holds_up_those_after_it() -> None:
    reads = taken(1, 4, 4).confirm(S3, Round(3))
    assert [ready(reads, applied) for applied in (0, 1, 3, 4)] == [[], [1], [1], [1, 2, 3]]


def test_no_number_of_echoes_of_one_peer_is_a_quorum_of_five() -> None:
    five = (*SERVERS, ServerId("s4"), ServerId("s5"))
    reads = taken(1).confirm(S2, Round(1)).confirm(S2, Round(1))
    assert reads.ready(S1, five, Index(1)) == ()
    assert len(reads.confirm(S3, Round(1)).ready(S1, five, Index(1))) == 1


def test_an_echo_that_was_overtaken_takes_nothing_back() -> None:
    reads = taken(1, 1).confirm(S2, Round(2))
    assert reads.confirm(S2, Round(1)).confirmed_by(S2) == 2


@pytest.mark.parametrize(("echoed", "expected"), [(0, True), (1, True), (2, False)])
def test_a_leader_awaits_a_peer_until_it_has_echoed_the_latest_round(echoed: int, expected: bool) -> None:
    assert taken(1, 1).confirm(S2, Round(echoed)).awaits(S2) is expected


def test_a_leader_without_reads_awaits_nobody() -> None:
    assert not NO_READS.awaits(S2)
    assert not taken(1, 1).answered(2).awaits(S2)


def test_answered_reads_are_gone_and_their_rounds_are_not_used_again() -> None:
    reads = taken(1, 1, 1).answered(2)
    assert [read.serial for read in reads.waiting] == [3]
    assert reads.begin(ClientId("c1"), Serial(4), "k", Index(1)).waiting[-1].round == 4
