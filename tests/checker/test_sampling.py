"""Few runs of many, such that every crash window is among them."""

from __future__ import annotations

from typing import Any

import pytest

from checker.coverage import Cell, Matrix, Witness
from checker.question import ask
from checker.sampling import of_every_window, spaced
from checker.verdict import Exit
from spec.state import Label
from tests.checker.command_line import model_check


def run(name: str, length: int) -> tuple[Label, ...]:
    return tuple(Label("flush", f"{name}{number}") for number in range(length))


def matrix(**cells: list[int]) -> Matrix:
    """``w0_1``: the cell of window 0 and outcome 1, with a unit for each of the lengths of its runs."""
    made = Matrix(ask(None).system)
    for name, lengths in cells.items():
        window, outcome = int(name[1]), int(name[3])
        cell = Cell()
        for length in lengths:
            unit: Any = (name, length)
            cell.add(unit, Witness(run(name, length), 1))
            made.rows.setdefault(window, set()).add(unit)
        made.cells[window, 0, "none kept", outcome] = cell
    return made


def test_each_window_gives_its_shortest_run_first_and_then_each_of_its_cells() -> None:
    found = of_every_window(matrix(w0_0=[5, 4, 3], w0_1=[6], w2_0=[9]), 4)
    assert found.runs == (run("w0_0", 3), run("w2_0", 9), run("w0_1", 6), run("w0_0", 4))
    assert (found.of, len(found.windows), found.missed) == (5, 2, ())


def test_a_sample_larger_than_the_matrix_is_all_of_it() -> None:
    whole = matrix(w0_0=[5, 4, 3], w0_1=[6], w2_0=[9])
    assert sorted(of_every_window(whole, 99).runs, key=str) == sorted(whole.runs, key=str)


def test_a_window_without_a_place_in_the_sample_is_named() -> None:
    found = of_every_window(matrix(w0_0=[3], w1_0=[3], w2_0=[9]), 2)
    names = [window.name for window in ask(None).system.windows]
    assert (found.windows, found.missed) == ((names[0], names[1]), (names[2],))


def test_a_window_that_no_schedule_completed_is_named() -> None:
    lacking = matrix(w0_0=[3])
    unit: Any = ("never completed", 1)
    lacking.rows[4] = {unit}
    assert of_every_window(lacking, 9).missed == (ask(None).system.windows[4].name,)


ALL = list(range(10))


@pytest.mark.parametrize(("number", "expected"), [(1, [0]), (3, [0, 3, 6]), (10, ALL), (11, ALL)])
def test_runs_that_are_in_no_matrix_are_taken_evenly(number: int, expected: list[int]) -> None:
    found = spaced([run("r", length) for length in range(10)], number)
    assert [len(one) for one in found.runs] == expected
    assert (found.of, found.windows, found.missed) == (10, (), ())


WORDS = ("enumerate", "--scenario", "leader_elected", "--engine", "reference", "--depth", "1", "--window", "0")


def test_a_sample_is_replayed_and_said() -> None:
    ran = model_check(*WORDS, "--replay", "--sample", "3")
    assert ran.code == Exit.HOLDS
    assert "replayed completions: 3 traces" in ran.out
    assert "replayed interleavings" not in ran.out
    assert "in 1 of the 1 windows that crashes fell in" in ran.out
    found = model_check(*WORDS, "--replay", "--sample", "3", "--json").json
    assert found["sample"]["runs"] == found["completion_replays"]["traces"] == 3
    assert found["reproduce"].endswith("--replay --sample 3")


@pytest.mark.parametrize("words", [("--sample", "3"), ("--replay", "--sample", "3", "--reduce", "both")])
def test_a_sample_of_nothing_or_of_classes_is_refused(words: tuple[str, ...]) -> None:
    ran = model_check(*WORDS, *words)
    assert ran.code == Exit.USAGE
    assert "--sample" in ran.err
