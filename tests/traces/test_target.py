"""Finding an implementation by its name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from tests.traces.toy import ToyTarget
from traces import target
from traces.errors import TargetNotFound
from traces.target import Target, close_target, installed_targets, open_target


def create(broken: frozenset[str] = frozenset()) -> Target:
    return ToyTarget(hide=broken)


def install(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    found = EntryPoints(EntryPoint(name, value, target.GROUP) for name, value in entries.items())

    def entry_points(**wanted: Any) -> EntryPoints:
        return found.select(**wanted)

    monkeypatch.setattr(target, "entry_points", entry_points)


def test_a_target_is_found_by_its_installed_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, toy="tests.traces.test_target:create")
    assert installed_targets() == ("toy",)
    assert open_target("toy").name == "toy"


def test_the_bugs_asked_for_reach_the_target() -> None:
    opened = open_target("tests.traces.test_target:create", frozenset({"sent"}))
    opened.reset(("a1", "b1"))
    assert opened.observe("a1") == {"received": 0}


def test_an_unknown_name_lists_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, toy="x:y", other="x:y")
    with pytest.raises(TargetNotFound, match=r"'etcd' is installed\n  allowed: other, toy\n  to do: install"):
        open_target("etcd")


def test_where_nothing_is_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with pytest.raises(TargetNotFound, match="no target is installed"):
        open_target("refimpl")


@pytest.mark.parametrize("name", ["nowhere.to.be.found:create", "tests.traces.toy:missing", ":create"])
def test_what_cannot_be_loaded_is_said(name: str) -> None:
    with pytest.raises(TargetNotFound, match="cannot be loaded"):
        open_target(name)


def with_a_disk(broken: frozenset[str] = frozenset(), disk: str = "real") -> Target:
    return ToyTarget(hide=frozenset({disk}))


def test_an_option_reaches_a_factory_that_has_it() -> None:
    opened = open_target("tests.traces.test_target:with_a_disk", options={"disk": "sent"})
    opened.reset(("a1", "b1"))
    assert opened.observe("a1") == {"received": 0}


def test_an_option_that_a_factory_does_not_have_is_refused() -> None:
    with pytest.raises(TargetNotFound, match=r"has no option disk\n.*\n.*leave --disk away"):
        open_target("tests.traces.test_target:create", options={"disk": "lossy"})


def test_a_target_that_holds_something_is_told_to_end_it() -> None:
    class Holds(ToyTarget):
        closed = False

        def close(self) -> None:
            self.closed = True

    holds = Holds()
    close_target(holds)
    close_target(ToyTarget())
    assert holds.closed
