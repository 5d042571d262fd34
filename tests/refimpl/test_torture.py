"""Torture: it leaves nothing behind, its judge sees what is wrong, and (slow) it finds planted faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from refimpl import __main__, wal
from refimpl.durable import Record
from refimpl.entry import ClientId, Command, Entry, Get, Index, Put, Serial, ServerId, Term
from refimpl.exits import Exit
from refimpl.history import Call
from refimpl.real_directory import ReadOnlyDirectory, RealDirectory
from refimpl.torture.cluster import Deed, Shape
from refimpl.torture.judge import NoOrder, judge_answered, judge_key, judge_logs
from refimpl.torture.report import in_words
from refimpl.torture.run import Plan, Report

SECONDS = 30
FAULTS = (
    "follower-acks-before-fsync", "vote-not-durable", "no-dedup", "commit-prior-term-by-counting", "stale-reads",
)  # fmt: skip


def torture(*arguments: str) -> tuple[int, str, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = __main__.run(["torture", *arguments])
    return code, out.getvalue(), err.getvalue()


def processes_with(word: str) -> list[int]:
    """Those that have it in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and word.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_a_short_run_of_a_correct_cluster_finds_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "torture"
    code, out, err = torture("--seconds", "3", "--seed", "7", "--secure", "--folder", str(folder), "--json")
    report = json.loads(out)
    assert code == Exit.DONE, report["findings"]
    assert report["counts"]["ok"] > report["keys"], "more was answered than the last reads"
    assert report["counts"]["elections"] >= 1
    assert "seed 7" in err
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (signal.SIGINT, Exit.INTERRUPTED),
        (signal.SIGTERM, Exit.INTERRUPTED),
        (signal.SIGKILL, -signal.SIGKILL),  # the servers notice
    ],
)
def test_an_interrupted_run_leaves_no_process(tmp_path: Path, end: signal.Signals, code: int) -> None:
    folder = tmp_path / "torture"
    with subprocess.Popen(
        [sys.executable, "-m", "refimpl", "torture", "--seconds", "60", "--seed", "1", "--folder", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as run:  # fmt: skip
        try:
            deadline = time.monotonic() + SECONDS
            while not any(folder.glob("s?.log")):
                assert run.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            while not (servers := set(processes_with(str(folder))) & set(processes_with("\0serve\0"))):
                assert time.monotonic() < deadline, "the test sees what it looks for"
                time.sleep(0.02)
            if end is signal.SIGKILL:
                stopped = min(servers)
                os.kill(stopped, signal.SIGSTOP)  # it cannot notice by itself
                while "State:\tT" not in Path(f"/proc/{stopped}/status").read_text():
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            run.send_signal(end)
            assert run.wait(timeout=SECONDS) == code
            if end is not signal.SIGKILL:
                assert run.stdout is not None
                assert "interrupted; nothing was found until then" in run.stdout.read()
        finally:
            run.kill()
    while processes_with(str(folder)):
        assert end is signal.SIGKILL
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_folder_with_something_in_it_and_a_fault_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    assert torture("--folder", str(tmp_path))[0] == Exit.USAGE
    assert torture("--break", "everything")[0] == Exit.USAGE


# The judge -----------------------------------------------------------------------------------------------------------


def entry(term: int, value: str) -> Entry:
    return Entry(Term(term), Command(ClientId("c"), Serial(1), Put("k", value)))


def log(folder: Path, *records: Record) -> ReadOnlyDirectory:
    """A server's log, as it is when the server has ended."""
    directory = RealDirectory(folder)
    try:
        log_file, _ = wal.recover(directory)
        for record in records:
            log_file.write(record)
        log_file.flush()
    finally:
        directory.close()
    return ReadOnlyDirectory(folder)


def test_logs_that_agree_as_far_as_they_are_committed_are_right(tmp_path: Path) -> None:
    folders = {
        ServerId("s1"): log(
            tmp_path / "s1",
            Record(append=(entry(1, "a"), entry(1, "b"))),
            Record(truncate_to=Index(1), append=(entry(2, "c"),), commit_index=Index(2)),
        ),
        ServerId("s2"): log(tmp_path / "s2", Record(append=(entry(1, "a"), entry(1, "b")), commit_index=Index(1))),
    }
    assert judge_logs(folders) == []


def test_different_committed_entries_and_committed_entries_given_up_are_found(tmp_path: Path) -> None:
    folders = {
        ServerId("s1"): log(tmp_path / "s1", Record(append=(entry(1, "a"), entry(1, "b")), commit_index=Index(2))),
        ServerId("s2"): log(tmp_path / "s2", Record(append=(entry(1, "a"), entry(2, "c")), commit_index=Index(2))),
        ServerId("s3"): log(
            tmp_path / "s3",
            Record(append=(entry(1, "a"), entry(1, "b")), commit_index=Index(2)),
            Record(truncate_to=Index(1)),
        ),
    }
    assert judge_logs(folders) == [
        "s2 and s1 have committed different entries at 2",
        "s3 gave up entries behind 1, which it had committed",
    ]


def test_an_answered_write_that_no_log_has_committed_is_found(tmp_path: Path) -> None:
    folders = {
        ServerId("s1"): log(tmp_path / "s1", Record(append=(entry(1, "a"), entry(1, "b")), commit_index=Index(1)))
    }
    there, lost = Call("c", Put("k", "a"), 0, 1), Call("c", Put("k", "b"), 2, 3)
    maybe = Call("c", Put("k", "d"), 4, None)
    assert judge_answered(folders, [there, maybe]) == []
    assert judge_answered(folders, [there, maybe, lost]) == [
        f"an answered write is in no server's committed log: {lost}"
    ]


def test_a_violation_is_told_with_its_window_what_was_done_and_the_command_to_try_again() -> None:
    stale = [
        Call("c1", Put("k", "a;"), 0, 1_000_000_000),
        Call("c1", Put("k", "b;"), 2_000_000_000, 3_000_000_000),
        Call("c2", Get("k"), 4_000_000_000, 5_000_000_000, "a;"),
    ]
    found = judge_key("k", stale)
    assert isinstance(found, NoOrder)
    report = Report(
        Plan(60, Shape(3, 5, ("stale-reads",))),
        findings=["no order explains what clients saw of key k"],
        no_orders=[found],
        deeds=[Deed(3_500_000_000, "cut: s1 | s2 s3")],
        is_whole=True,
    )
    text = in_words(report)
    assert "put(k, 'b;')" in text
    assert "get(k) → 'a;'" in text
    assert "put(k, 'a;')" not in text, "it plays no part"
    assert "3.500  cut: s1 | s2 s3" in text
    assert "torture --seconds 60 --seed 5 --servers 3 --writers 8 --readers 4 --break stale-reads" in text


def test_a_fault_that_was_planted_and_not_found_is_no_pass(tmp_path: Path) -> None:
    code, out, _ = torture("--seconds", "1", "--seed", "1", "--break", "vote-not-durable", "--json")
    assert (code, json.loads(out)["exit"]) == (Exit.SURVIVED, Exit.SURVIVED)
    text = in_words(Report(Plan(1, Shape(3, 1, ("vote-not-durable",))), is_whole=True))
    assert text.endswith("vote-not-durable: planted, and not found; try more --seconds, or another --seed")


# Slow ----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("servers", [3, 5])
def test_two_minutes_of_torture_find_nothing_in_a_correct_cluster(tmp_path: Path, servers: int) -> None:
    code, out, _ = torture(
        "--seconds", "120", "--seed", "1", "--servers", str(servers), "--folder", str(tmp_path / "torture"), "--json"
    )  # fmt: skip
    report = json.loads(out)
    assert code == Exit.DONE, report["findings"] or report["unknown"]
    assert report["counts"]["kills"] >= 20
    assert report["counts"]["ok"] >= 1000


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_by_one_of_three_seeds(tmp_path: Path, fault: str) -> None:
    for seed in ("1", "2", "3"):
        code, out, _ = torture(
            "--seconds", "240", "--seed", seed, "--break", fault, "--folder", str(tmp_path / seed), "--json"
        )  # fmt: skip
        if code == Exit.SAFETY:
            assert json.loads(out)["findings"]
            return
    pytest.fail(f"{fault} survived three seeds of four minutes")
