"""Replay on real processes: they follow the traces, lose what a power cut loses, and none of them is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.verdict import Exit
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest, ProcessFailed
from refimpl.held_process import HeldProcess
from refimpl.process_target import ProcessTarget, create
from refimpl.target import create as in_memory
from tests.checker.command_line import CORPUS, ROOT, model_check
from traces.itf import read_trace
from traces.raft import TABLE
from traces.replay import Divergence, Replayed, replay
from traces.target import METHODS, open_target

TARGET = "refimpl.process_target:create"
SERVERS = ("s1", "s2", "s3")
DEADLINE = 30.0


@pytest.fixture(scope="module")
def target() -> Iterator[ProcessTarget]:
    """One cluster for all tests that leave it sound: a reset gives the processes empty folders."""
    made = create()
    yield made
    made.close()


def pids(target: ProcessTarget) -> dict[str, int]:
    found = {server: place.process for server, place in target._servers.items()}
    return {server: process.pid for server, process in found.items() if process is not None}


def is_alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end_of(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        os.sched_yield()


@pytest.mark.parametrize("name", ["follower_crash_between_write_and_flush", "seed_case_2_one_follower_discarded"])
def test_real_processes_follow_a_named_trace(target: ProcessTarget, name: str) -> None:
    result = replay(read_trace(CORPUS / f"{name}.itf.json"), target, TABLE)
    assert isinstance(result, Replayed), result
    assert not result.unobserved
    assert result.fields_compared > 30 * result.steps


class Without:
    """A target that does not report these fields."""

    def __init__(self, target: ProcessTarget, *fields: str) -> None:
        self._target = target
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def observe(self, server: str) -> dict[str, Any]:
        return {name: value for name, value in self._target.observe(server).items() if name not in self._fields}


@pytest.mark.parametrize(
    ("fault", "hidden", "path"),
    [
        ("follower-acks-before-fsync", (), "s2.outbox"),
        ("vote-not-durable", (), "s1.pending"),
        # What the process says of itself left out: what has reached its files is read there.
        ("vote-not-durable", ("pending", "outbox"), "s1.disk"),
    ],
)
def test_a_planted_bug_is_seen_on_real_processes(fault: str, hidden: tuple[str, ...], path: str) -> None:
    broken = create(frozenset({fault}), disk="lossy")
    try:
        result = replay(read_trace(CORPUS / "seed_case_1.itf.json"), Without(broken, *hidden), TABLE)  # type: ignore[arg-type]
    finally:
        broken.close()
    assert isinstance(result, Divergence)
    assert result.path == path


def test_a_killed_process_has_lost_what_was_not_kept_and_a_new_one_recovers_the_rest(target: ProcessTarget) -> None:
    for keep, term in ((0, 0), (1, 1)):
        target.reset(SERVERS)
        before = pids(target)
        target.campaign("s1")
        assert target.observe("s1")["pending"][0]["current_term"] == 1
        target.crash("s1", keep)
        assert not is_alive(before["s1"])
        down = target.observe("s1")
        assert (down["up"], down["disk"]["current_term"]) == (False, term)
        assert target.restart("s1") == []
        assert target.observe("s1")["current_term"] == term
        after = pids(target)
        assert after["s1"] != before["s1"]
        assert (after["s2"], after["s3"]) == (before["s2"], before["s3"])


def test_a_torn_frame_reaches_the_file_and_is_forgotten() -> None:
    target = create(disk="torn")
    try:
        target.reset(("s1",))
        target.campaign("s1")
        target.crash("s1", 0)
        (file,) = target._servers[ServerId("s1")].folder.iterdir()
        assert file.stat().st_size > 10
        assert target.observe("s1")["disk"]["current_term"] == 0
        target.restart("s1")
        assert target.observe("s1")["current_term"] == 0
        target.campaign("s1")
        target.flush("s1")
        target.crash("s1", 0)
        target.restart("s1")
        assert target.observe("s1")["current_term"] == 1
    finally:
        target.close()


def test_messages_are_held_until_they_are_delivered_and_outlive_both_ends(target: ProcessTarget) -> None:
    target.reset(SERVERS)
    target.campaign("s1")
    requests = target.flush("s1")
    assert [message["destination"] for message in requests] == ["s2", "s3"]
    for server in ("s1", "s2"):
        target.crash(server, 0)
        target.restart(server)
    assert target.observe("s2")["current_term"] == 0
    for _ in range(2):  # delivered, and delivered again
        target.deliver("s2", requests[0])
    assert target.observe("s2")["voted_for"] == "s1"
    assert [message["vote_granted"] for message in target.flush("s2")] == [True, True]


class Both:
    """The cluster of processes and the one in memory, asked the same: they say the same."""

    def __init__(self, target: ProcessTarget) -> None:
        self._real, self._memory = target, in_memory()

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> Any:
            said = getattr(self._real, name)(*arguments)
            assert said == getattr(self._memory, name)(*arguments)
            for server in SERVERS:
                assert self._real.observe(server) == self._memory.observe(server)
            return said

        return ask


def test_commands_and_reads_are_answered_as_in_memory(target: ProcessTarget) -> None:
    both = Both(target)
    both.reset(SERVERS)
    both.campaign("s1")
    both.deliver("s2", both.flush("s1")[0])
    both.deliver("s1", both.flush("s2")[0])
    both.flush("s1")
    client = {"source": "c1", "destination": "s1", "serial": 1}
    both.deliver("s1", {"type": "ClientRequest", **client})
    both.flush("s1")
    for _ in range(2):
        both.deliver("s2", both.replicate("s1", "s2")[0])
        both.deliver("s1", both.flush("s2")[0])
        both.apply("s1")
    assert [answer["type"] for answer in both.answer("s1")] == ["ClientResponse"]
    both.deliver("s1", {"type": "ReadRequest", **client})
    both.deliver("s2", both.replicate("s1", "s2")[0])
    both.flush("s2")  # the commit mark
    (read,) = both.deliver("s1", both.deliver("s2", both.replicate("s1", "s2")[0])[0])
    assert (read["type"], read["writes"]) == ("ReadResponse", [["c1", 1]])


def test_a_reset_forgets_everything_and_keeps_the_processes(target: ProcessTarget) -> None:
    target.reset(SERVERS)
    fresh = [target.observe(server) for server in SERVERS]
    before = pids(target)
    target.campaign("s1")
    target.flush("s1")
    target.crash("s3", 0)
    target.reset(SERVERS)
    assert [target.observe(server) for server in SERVERS] == fresh
    after = pids(target)
    assert (after["s1"], after["s2"]) == (before["s1"], before["s2"])


def test_the_kernel_keeps_what_a_killed_process_has_written() -> None:
    target = create(disk="real")
    try:
        target.reset(("s1",))
        target.campaign("s1")
        seen = target.observe("s1")
        assert (seen["disk"]["current_term"], seen["pending"][0]["current_term"]) == (0, 1)
        with pytest.raises(ImpossibleRequest, match="replay with --disk lossy"):
            target.crash("s1", 0)
        target.reset(("s1",))
        target.campaign("s1")
        target.crash("s1", 1)
        assert target.observe("s1")["disk"]["current_term"] == 1
    finally:
        target.close()


def test_what_cannot_be_done_is_an_error_and_not_a_hang(target: ProcessTarget) -> None:
    target.reset(SERVERS)
    for call in (target.flush, target.apply, target.answer, target.restart):
        with pytest.raises(ImpossibleRequest, match="s1"):
            call("s1")
    for wrong in (("s1", "s1"), ("s1", "s9")):
        with pytest.raises(ImpossibleRequest, match="another server"):
            target.replicate(*wrong)
    with pytest.raises(ImpossibleRequest, match="0 to 0 kept frames"):
        target.crash("s1", 1)
    with pytest.raises(ImpossibleRequest, match="s9"):
        target.observe("s9")


# ------------------------------------------------------------------------------------------------ when a process fails


def test_a_process_that_dies_is_an_observation_and_the_next_replay_starts_anew(target: ProcessTarget) -> None:
    target.reset(SERVERS)
    before = pids(target)
    os.kill(before["s1"], signal.SIGKILL)
    with pytest.raises(ProcessFailed, match="s1 ended with code -9 in Campaign; ") as failure:
        target.campaign("s1")
    assert failure.value.remedy.startswith("read the end of its log:\n  {")
    assert '"event":"listening"' in failure.value.remedy
    target.reset(SERVERS)
    assert not any(is_alive(pid) for pid in before.values())
    assert target.observe("s1")["up"]


def test_a_process_that_hangs_is_an_observation_and_is_ended(
    target: ProcessTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.reset(SERVERS)
    before = pids(target)
    os.kill(before["s2"], signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr("refimpl.held_process.PATIENCE", 0.1)
        impatient.setattr("refimpl.held_process.GRACE", 0.1)
        with pytest.raises(ProcessFailed, match="s2 is silent in Campaign"):
            target.campaign("s2")
    target.reset(SERVERS)
    assert not is_alive(before["s2"])


def test_a_process_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refimpl").mkdir()
    (tmp_path / "refimpl" / "__init__.py").touch()
    (tmp_path / "refimpl" / "__main__.py").write_text("raise SystemExit('another program of this name')")
    monkeypatch.chdir(tmp_path)
    process = HeldProcess("s1", ["no-such-command"], tmp_path / "log")
    try:
        with pytest.raises(ProcessFailed, match=r"(?s)s1 ended with code 2 in start; .*No such command"):
            process.wait_until_listening()
    finally:
        process.kill()


def test_close_ends_every_process_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    target = create()
    target.reset(("s1", "s2"))
    started = pids(target)
    assert list(tmp_path.iterdir())
    target.close()
    assert not any(is_alive(pid) for pid in started.values())
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked: list[HeldProcess] = []
    ask = HeldProcess.ask

    def interrupted(self: HeldProcess, *request: Any) -> Any:
        asked.append(self)
        if len(asked) == 40:
            raise KeyboardInterrupt
        return ask(self, *request)

    monkeypatch.setattr(HeldProcess, "ask", interrupted)
    ran = model_check("replay", CORPUS / "seed_case_1.itf.json", "--target", TARGET, "--disk", "lossy")
    assert (ran.code, len(asked)) == (Exit.INTERRUPTED, 40)
    assert not any(is_alive(process.pid) for process in asked)
    assert not list(tmp_path.iterdir())


HARNESS = """
import os, signal
from refimpl.process_target import create
target = create()
target.reset(("s1", "s2"))
print(*(place.process.pid for place in target._servers.values()), target._home, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_servers_whose_harness_is_killed_end() -> None:
    command = [sys.executable, "-c", HARNESS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert done.returncode == -signal.SIGKILL, done.stderr
    *servers, home = done.stdout.split()
    assert len(servers) == 2
    for pid in servers:
        end_of(int(pid))
    shutil.rmtree(home)


# ------------------------------------------------------------------------------------------------------ how it is found


def test_the_target_is_installed_and_takes_a_disk_and_faults() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = project["entry-points"]["raftproof.targets"]["processes"]
    target = open_target(installed, frozenset({"no-dedup"}), {"disk": "real"})
    assert target.name == "processes, real disk (no-dedup)"
    assert all(callable(getattr(target, method)) for method in METHODS)


def test_a_disk_of_another_kind_is_refused() -> None:
    with pytest.raises(ImpossibleRequest, match="disk 'slow'; allowed: one of lossy, torn, real"):
        create(disk="slow")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", TARGET, "--disk", "slow"), "disk 'slow'"),
        (("--disk", "lossy"), "the target 'refimpl' has no option disk"),
        (("--target", TARGET, "--break", "no-fsync"), "unknown faults no-fsync"),
    ],
)
def test_a_target_that_cannot_be_made_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    ran = model_check("replay", CORPUS / "seed_case_1.itf.json", *words)
    assert ran.code == Exit.USAGE
    assert said in ran.err


def test_a_package_that_servers_lack_is_a_usage_error_and_no_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refimpl.process_target.find_spec", lambda name: None)
    ran = model_check("replay", CORPUS / "seed_case_1.itf.json", "--target", TARGET)
    assert ran.code == Exit.USAGE
    assert "pip install 'raftproof[server]'" in ran.err
