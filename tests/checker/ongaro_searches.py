"""A search whose counts are known, for tests of how it is done."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from checker.explicit.search import Explored, Room, explore
from spec.load import load_system, shipped
from spec.system import System

COUNTS = ("levels", "generated", "expanded", "distinct", "complete", "cuts", "taken", "queue")


@cache
def system(max_active: int = 1) -> System:
    return load_system(shipped("ongaro"), model="one_entry", settings={"max_active": str(max_active)})


@cache
def undisturbed(max_active: int = 1) -> Explored:
    return explore(system(max_active))


def assert_same(found: Explored, expected: Explored) -> None:
    for name in COUNTS:
        assert getattr(found, name) == getattr(expected, name), name
    assert {goal: len(run) for goal, run in found.reached.items()} == {
        goal: len(run) for goal, run in expected.reached.items()
    }


def stopped_search(folder: Path) -> Path:
    explore(system(), workers=2, max_steps=12, room=Room(checkpoint=folder, interval=0))
    return folder
