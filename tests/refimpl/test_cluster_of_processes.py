"""Server processes and the command line, as a person uses them: kill -9, a full disk, Ctrl-C, wrong certificates."""

from __future__ import annotations

import json
import logging
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from refimpl import __main__, wal
from refimpl.commands import serve
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.exits import Exit
from refimpl.local_cluster import LocalCluster
from refimpl.real_directory import RealDirectory

SECONDS = 30
FAST = ("--election-timeout", "0.2", "--heartbeat", "0.05")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    before = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = before


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path / "cluster", ("s1", "s2", "s3"), options=FAST) as cluster:
        cluster.start_all()
        yield cluster


def refimpl(*arguments: str) -> tuple[int, str, str]:
    """A command of the command line, in this process: starting another takes longer than most commands."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = __main__.run(list(arguments))
    return code, out.getvalue(), err.getvalue()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def leader_of(cluster: LocalCluster) -> ServerId:
    _, out, _ = refimpl("status", "--cluster", str(cluster.folder), "--json", "--timeout", "5")
    answers = [answer for answer in json.loads(out)["servers"].values() if isinstance(answer, dict)]
    newest = max(answers, key=lambda answer: int(answer["term"]))
    return ServerId(newest["leader"])


def events(cluster: LocalCluster, server: str, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in cluster.log(ServerId(server)).read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_cluster_survives_kill_9_of_its_leader_and_ends_well(cluster: LocalCluster) -> None:
    here = ("--cluster", str(cluster.folder))
    assert refimpl("put", *here, "greeting", "hellö")[:2] == (0, "done\n")
    leader = leader_of(cluster)
    cluster.kill(leader)
    assert refimpl("get", *here, "greeting")[:2] == (0, "hellö\n")
    assert refimpl("get", *here, "absent", "--json")[0] == Exit.ABSENT
    assert refimpl("delete", *here, "greeting")[0] == 0
    cluster.start(leader)
    until(lambda: any(e["commit_index"] for e in events(cluster, leader, "recovered")))
    assert refimpl("get", *here, "greeting")[0] == Exit.ABSENT
    assert set(cluster.stop().values()) == {0}
    assert all(events(cluster, server, "stopped") for server in cluster.book.servers)


def test_a_server_whose_disk_is_full_says_what_to_do_and_goes_on_after_it_was_done(cluster: LocalCluster) -> None:
    here = ("--cluster", str(cluster.folder))
    assert refimpl("put", *here, "k", "1" * 60_000)[0] == 0  # so that the server's log, a file too, is not the largest
    victim = leader_of(cluster)
    process = cluster.processes[victim]
    largest = max(file.stat().st_size for file in (cluster.folder / victim).iterdir())
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest + 100, largest + 100))
    assert refimpl("put", *here, "k", "2" * 1000)[0] == 0  # by the others
    until(lambda: process.poll() is not None)
    assert process.returncode == Exit.IO_ERROR
    [said] = events(cluster, victim, "disk")
    assert "restart the server" in str(said["remedy"])
    cluster.start(victim)
    assert refimpl("get", *here, "k")[:2] == (0, "2" * 1000 + "\n")


def test_a_server_does_not_start_from_a_damaged_log_nor_from_anothers(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "one", ("s1",), options=FAST) as cluster:
        cluster.start_all()
        for value in ("1", "2"):
            assert refimpl("put", "--cluster", str(cluster.folder), "k", value)[0] == 0
        cluster.stop()
        where = ("--listen", "127.0.0.1:0", "--data", str(cluster.folder / "s1"), "--insecure")
        code, _, err = refimpl("serve", "--id", "s2", *where)
        assert code == Exit.USAGE
        assert "is the directory of s1" in err
        [segment] = (cluster.folder / "s1").glob("*.wal")
        data = bytearray(segment.read_bytes())
        data[20] ^= 1
        segment.write_bytes(data)
        cluster.start(ServerId("s1"))
        assert cluster.processes[ServerId("s1")].wait(SECONDS) == Exit.IO_ERROR
        [said] = events(cluster, "s1", "disk")
        assert said["kind"] == "WalDamaged"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("get", "--json"), "Missing argument 'KEY'."),
        (("simulate", "--json", "--steps", "0"), "0 is not in the range x>=1"),
        (("wal", "verify", "nowhere", "--json"), "there is no such file or folder"),
    ],
)
def test_a_usage_error_is_json_where_json_was_asked_for(words: tuple[str, ...], error: str) -> None:
    code, out, err = refimpl(*words)
    assert code == Exit.USAGE
    assert error in err
    found = json.loads(out)
    assert error in found["error"]
    assert found["exit"] == Exit.USAGE
    assert refimpl("get", "--", "--json", "too", "many")[1] == ""


def test_a_cluster_that_runs_is_not_started_again_beside_itself(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    LocalCluster(folder, ("s1",))
    with closing(RealDirectory(folder)):
        code, out, err = refimpl("cluster", str(folder))
    assert (code, out) == (Exit.USAGE, "")
    assert "is running already; stop it (Ctrl-C there), or name another folder" in err


def test_a_server_that_somebody_else_has_started_is_not_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    cluster = LocalCluster(folder, ("s1",))
    with closing(RealDirectory(folder / "s1")):
        code, out, err = refimpl("cluster", str(folder))
    assert (code, out) == (Exit.USAGE, "")
    assert f"s1 of the cluster in {folder} runs already" in err
    assert f"stop it first: it is the process with --data {folder}/s1" in err
    assert cluster.processes == {}


def test_the_command_that_starts_a_server_again_works_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = LocalCluster(Path("one"), ("s1",)).command(ServerId("s1"))
    assert words[words.index("--data") + 1] == str(tmp_path / "one" / "s1")
    assert words[words.index("--certificates") + 1] == str(tmp_path / "one" / "certificates")


def test_a_folder_with_other_things_in_it_is_not_made_a_clusters(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ImpossibleRequest):
        LocalCluster(tmp_path, ("s1",))
    code, out, err = refimpl("cluster", str(tmp_path))
    assert (code, out) == (Exit.USAGE, "")
    assert "holds thesis.tex, and no cluster.json" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_a_majority_nothing_is_claimed(cluster: LocalCluster) -> None:
    here = ("--cluster", str(cluster.folder), "--timeout", "2")
    for server in ("s1", "s2"):
        cluster.kill(ServerId(server))
    until(lambda: bool(events(cluster, "s3", "listening")))
    code, out, err = refimpl("put", *here, "k", "v")
    assert (code, out) == (Exit.UNKNOWN, "")
    assert "may or may not have taken effect" in err
    code, out, _ = refimpl("put", *here, "k", "v", "--json")
    found = json.loads(out)
    assert (code, found["exit"], found["outcome"]) == (Exit.UNKNOWN, Exit.UNKNOWN, "unknown")
    assert "may or may not have taken effect" in found["error"]


def test_a_server_stops_on_ctrl_c_and_on_a_terminate(cluster: LocalCluster) -> None:
    until(lambda: all(events(cluster, server, "leader") for server in ("s1", "s2")))
    cluster.processes[ServerId("s1")].send_signal(signal.SIGINT)
    cluster.processes[ServerId("s2")].send_signal(signal.SIGTERM)
    assert cluster.processes[ServerId("s1")].wait(SECONDS) == Exit.INTERRUPTED
    assert cluster.processes[ServerId("s2")].wait(SECONDS) == Exit.DONE


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("get", "k"), Exit.USAGE, "give --cluster DIR, or --servers"),
        (("get", "k", "--cluster", "/nowhere"), Exit.USAGE, "no cluster.json in /nowhere"),
        (("get", "k", "--servers", "s1=127.0.0.1:1"), Exit.USAGE, "either --certificates DIR or --insecure"),
        (("get", "k", "--servers", "s1", "--insecure"), Exit.USAGE, "NAME=HOST:PORT"),
        (
            ("put", "k", "v", "--servers", "s1=127.0.0.1:1", "--insecure", "--timeout", "0.2"),
            Exit.UNKNOWN,
            "nothing was sent",
        ),
        (("get", "k" * 2000, "--servers", "s1=127.0.0.1:1", "--insecure"), Exit.REFUSED, "the key has 2000 bytes"),
        (("put", "k", "\udcff", "--servers", "s1=127.0.0.1:1", "--insecure"), Exit.USAGE, "not text in UTF-8"),
        (("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "d"), Exit.USAGE, "--certificates DIR or --ins"),
        (("serve", "--id", "s1", "--listen", "0.0.0.0:0", "--data", "d", "--insecure"), Exit.USAGE, "loopback"),
        (("serve", "--id", "s1", "--listen", "here", "--data", "d", "--insecure"), Exit.USAGE, "HOST:PORT"),
        (
            ("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "/nowhere/d", "--insecure"),
            Exit.IO_ERROR,
            "/nowhere",
        ),
        (
            ("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "d", "--insecure", "--peers", "s1=h:1"),
            Exit.USAGE,
            "each name once",
        ),
        (("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "", "--insecure"), Exit.USAGE, "names no folder"),
        (("serve", "--id", "s1", "--listen", "a..b:1", "--data", "d", "--insecure"), Exit.USAGE, "the name of a host"),
        (
            ("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "d", "--insecure", "--heartbeat", "0.4"),
            Exit.USAGE,
            "two heartbeats in an election timeout",
        ),
        (
            ("serve", "--id", "s1", "--listen", "[::1]:0", "--data", "d", "--insecure", "--election-timeout", "0.1"),
            Exit.USAGE,
            "two heartbeats in an election timeout",
        ),
        (("torture", "--seconds", "nan"), Exit.USAGE, "nan is no number of seconds"),
        (("get", "k", "--timeout", "inf"), Exit.USAGE, "inf is no number of seconds"),
        (("certificates", "d", "--names", ","), Exit.USAGE, "--names names nobody"),
        (("certificates", "d", "--names", "s1,s1"), Exit.USAGE, "each name once"),
        (
            ("serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", "/nowhere/\udcff", "--insecure"),
            Exit.IO_ERROR,
            "/nowhere/\\udcff",
        ),
        (("certificates", "d", "--names", "a.b"), Exit.USAGE, "letters, digits and inner hyphens"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(arguments: tuple[str, ...], code: Exit, said: str) -> None:
    found, _, err = refimpl(*arguments)
    assert found == code
    assert said in err


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
def test_a_port_that_somebody_has_is_said_in_the_log_with_what_to_do(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = f"127.0.0.1:{somebody.getsockname()[1]}"
        places = {"--listen": "127.0.0.1:0"} | {option: taken}
        arguments = [word for place in places.items() for word in place]
        code, _, err = refimpl("serve", "--id", "s1", "--data", str(tmp_path / "s1"), "--insecure", *arguments)
    assert code == Exit.IO_ERROR
    said = json.loads(err.splitlines()[-1])
    assert said["event"] == "cannot_listen"
    assert taken in said["error"]
    assert "choose another" in said["remedy"]


def test_a_terminate_while_a_server_starts_ends_it_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recover = wal.recover

    def recover_long(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return recover(*arguments)

    def ends_badly(number: int, frame: FrameType | None) -> None:
        raise AssertionError("the signal ended the process")

    monkeypatch.setattr(wal, "recover", recover_long)
    before = signal.signal(signal.SIGTERM, ends_badly)
    try:
        code, _, err = refimpl(
            "serve", "--id", "s1", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "s1"), "--insecure"
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == Exit.DONE
    assert json.loads(err.splitlines()[-1])["event"] == "stopped"


def test_a_server_raises_its_limit_of_open_files_and_does_not_start_where_it_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def set_limit(kind: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        if limits[0] > limits[1]:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", set_limit)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    serve._allow_open_files()
    assert asked == [(serve.OPEN_FILES, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 1024))
    with socket.create_server(("127.0.0.1", 0)) as taken:  # or it would run, did it start
        where = ("--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--data", str(tmp_path / "data"), "--insecure")
        code, _, err = refimpl("serve", "--id", "s1", *where)
    assert code == Exit.USAGE
    assert "at most 1024 open files" in err
