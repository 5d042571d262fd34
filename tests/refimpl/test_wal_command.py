"""``python -m refimpl wal``: a log dumped and judged, and paths that lead to none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refimpl.__main__ import cli, run
from refimpl.exits import Exit, Stop
from refimpl.real_directory import RealDirectory
from refimpl.segments import segment_name
from refimpl.wal import recover
from tests.refimpl.test_wal import RECORDS

FIRST = segment_name(0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A log of four frames in three segments."""
    directory = RealDirectory(tmp_path / "data")
    log_file, _ = recover(directory, segment_size=200)
    for record in RECORDS:
        log_file.write(record)
        log_file.flush()
    directory.close()
    return tmp_path / "data"


def wal(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["wal", *map(str, arguments)], standalone_mode=False)


def refused(*arguments: object) -> Stop:
    ran = wal(*arguments)
    assert isinstance(ran.exception, Stop), ran.output
    return ran.exception


def segments(data: Path) -> list[Path]:
    return sorted(data.glob("*.wal"))


def test_dump_prints_each_frame_with_file_offset_and_record(data: Path) -> None:
    lines = wal("dump", data).output.splitlines()
    assert lines[0] == f'{FIRST}:0  71 bytes, synced 0  {{"term_and_vote":[1,"s1"]}}'
    assert lines[1].startswith(f"{FIRST}:71  83 bytes, synced 71  ")
    assert lines[2].startswith(f"{segments(data)[1].name}:0  ")
    assert len(lines) == len(RECORDS)


def test_dump_in_json_is_an_object_a_frame_and_one_for_the_end(data: Path) -> None:
    objects = [json.loads(line) for line in wal("dump", data, "--json").output.splitlines()]
    assert objects[1] == {
        "file": FIRST, "offset": 71, "size": 83, "synced_through": 71,
        "record": {"append": [{"term": 1, "command": None}]},
    }  # fmt: skip
    assert objects[-1] == {"verdict": "whole"}


def test_verify_says_that_a_log_is_whole(data: Path) -> None:
    ran = wal("verify", data)
    assert ran.return_value == Exit.DONE
    assert ran.output.startswith("whole: 4 whole frames, 438 bytes, segments: 3; up to byte 301 of the log")
    found = json.loads(wal("verify", "--json", data).output)
    assert found == {"verdict": "whole", "frames": 4, "segments": 3, "end": 438, "vouched": 301}


def test_a_torn_tail_is_found_with_file_and_byte_and_left_alone(data: Path) -> None:
    last = segments(data)[-1]
    with last.open("ab") as file:
        file.write(b"torn")
    size = last.stat().st_size
    ran = wal("verify", data)
    assert ran.return_value == Exit.TORN
    assert ran.output.startswith(f"torn tail at byte {size - 4} of {last}: 4 whole frames")
    assert json.loads(wal("verify", data, "--json").output)["offset"] == size - 4
    assert wal("dump", data).return_value == Exit.TORN
    assert wal("dump", data).output.endswith(f"torn tail at byte {size - 4} of {last}\n")
    assert last.stat().st_size == size


def test_damage_is_found_with_file_and_byte(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = bytearray(segments(data)[0].read_bytes())
    damaged[80] ^= 1
    segments(data)[0].write_bytes(damaged)
    stop = refused("verify", data)
    assert stop.code == Exit.IO_ERROR
    assert f"{data / FIRST}: damage at byte 71: no whole frame, though" in stop.message
    assert run(["wal", "dump", "--json", str(data)]) == Exit.IO_ERROR
    *frames, end = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (len(frames), end["verdict"], end["file"], end["offset"]) == (1, "damaged", str(data / FIRST), 71)
    assert (end["error"], end["exit"]) == (stop.message, Exit.IO_ERROR)


def test_a_segment_is_read_alone(data: Path) -> None:
    assert wal("verify", segments(data)[1]).output.startswith("whole: 1 whole frames, 301 bytes, segments: 1")
    assert len(wal("dump", segments(data)[2]).output.splitlines()) == 1


def test_a_path_that_leads_to_no_log_is_explained(data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path, text in (
        (tmp_path / "absent", "there is no such file or folder"),
        (tmp_path, f"no log in this folder, that is no {FIRST}"),
        (tmp_path / "notes.txt", f"no segment of a log, such as {FIRST}"),
    ):
        stop = refused("verify", path)
        assert stop.code == Exit.USAGE
        assert text in stop.message
        assert "name the folder of a server's log" in stop.message


def test_a_log_of_another_kind_and_one_that_cannot_be_read_are_io_errors(data: Path, tmp_path: Path) -> None:
    (tmp_path / "raft.wal").write_bytes(b"")
    assert refused("verify", tmp_path).code == Exit.IO_ERROR
    segments(data)[0].unlink()
    segments(data)[0].with_name(FIRST).mkdir()
    stop = refused("dump", data)
    assert (stop.code, "Is a directory" in stop.message) == (Exit.IO_ERROR, True)


def test_a_log_in_use_can_be_verified(data: Path) -> None:
    directory = RealDirectory(data)
    assert wal("verify", data).return_value == Exit.DONE
    directory.close()


def test_a_reader_that_has_gone_changes_no_exit_code(data: Path) -> None:
    words = [sys.executable, "-m", "refimpl", "wal", "dump", str(data)]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as output:
        ended = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (Exit.DONE, "")
