"""A data directory stays with its server and its cluster."""

from __future__ import annotations

import pytest

from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.ownership import FILE, claim
from refimpl.simulated_directory import SimulatedDirectory

S1, S2, S3 = ServerId("s1"), ServerId("s2"), ServerId("s3")


def test_a_directory_is_its_servers_from_the_first_start_and_survives_a_crash() -> None:
    directory = SimulatedDirectory("data")
    claim(directory, S1, (S1, S2))
    directory.crash(directory.prefix(0))
    assert FILE in directory.names()
    claim(directory, S1, (S2, S1))


@pytest.mark.parametrize(("server", "servers"), [(S2, (S1, S2)), (S1, (S1, S2, S3)), (S1, (S1,))])
def test_another_server_or_another_cluster_is_refused(server: ServerId, servers: tuple[ServerId, ...]) -> None:
    directory = SimulatedDirectory("data")
    claim(directory, S1, (S1, S2))
    with pytest.raises(ImpossibleRequest, match="data is the directory of s1 in a cluster of s1, s2"):
        claim(directory, server, servers)


def test_a_file_that_says_nothing_is_refused() -> None:
    directory = SimulatedDirectory("data")
    directory.create(FILE)
    with pytest.raises(ImpossibleRequest, match=r"data/server\.json"):
        claim(directory, S1, (S1,))


def test_a_first_start_that_was_cut_short_is_begun_again() -> None:
    directory = SimulatedDirectory("data")
    directory.create(FILE + ".new")
    claim(directory, S1, (S1,))
    assert directory.names() == (FILE,)
