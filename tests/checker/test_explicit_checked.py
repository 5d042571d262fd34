"""The bounds-checked debug build: clean on correct code, and it names what a planted defect would have done."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, c_int64, c_uint32
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("llvmlite")

from checker.explicit import compile as compiling
from checker.explicit import emit_sequences, emit_stored
from checker.explicit.compile import CHECKED_VARIABLE, Compiled, compiled
from checker.explicit.emit_code import Code
from checker.explicit.emit_pool import Pool
from checker.explicit.emit_types import number
from checker.explicit.emit_visited import VisitedCode
from checker.explicit.emit_worker import WorkerAccess
from checker.explicit.errors import BrokenCode
from checker.explicit.layout import Capacity, Layout
from checker.explicit.search import explore
from checker.explicit.steps import Steps
from spec.evaluate import Evaluator
from spec.system import System
from tests.checker.macro_systems import kitchen_at_macro_grain
from tests.checker.symbolic_systems import kitchen, of_text

STATE, FAR = WorkerAccess.state, number(1 << 40)
COUNTING = """
const top: int
shared count: 0..top = 0
shared nested: set[set[0..top]] = {}
shared items: seq[0..top, 3] = []
action act:
    BODY
model m:
    storage = atomic
    top = 5
"""


def checked(system: System, cache: Path) -> Compiled:
    return compiled(system, Capacity(), cache, checked=True)


def counting(body: str) -> System:
    return of_text(COUNTING.replace("BODY", body))


def fire_first(code: Compiled) -> None:
    """The first state, and then its successors."""
    (state,) = Evaluator(code.layout.system).initial_states()
    steps = Steps(code)
    for _, words in steps.fire(code.layout.encode(state)).steps:
        steps.fire(words)


@pytest.mark.parametrize(
    ("network", "storage", "fingerprints"),
    [
        ("bag with loss, duplication", "buffered", False),
        ("fifo with loss, duplication", "atomic", True),
        ("set", "buffered", False),
    ],
)
def test_search_in_the_debug_build_is_clean_and_finds_the_same(
    network: str, storage: str, fingerprints: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = kitchen(network, storage, "max_in_flight = 2")
    plain = explore(system, max_steps=5, cache=tmp_path, workers=2)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    found = explore(system, max_steps=5, cache=tmp_path, workers=2, fingerprints=fingerprints)
    assert (found.levels, found.generated, found.cuts) == (plain.levels, plain.generated, plain.cuts)


def test_search_at_the_macro_grain_is_clean_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kitchen_at_macro_grain()
    plain = explore(system, max_steps=2, cache=tmp_path)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    found = explore(system, max_steps=2, cache=tmp_path)
    assert (found.levels, found.generated, found.taken) == (plain.levels, plain.generated, plain.taken)


@pytest.mark.parametrize("system", [kitchen(), kitchen_at_macro_grain()], ids=["micro", "macro"])
def test_every_access_is_to_memory_of_known_extent(system: System) -> None:
    module = compiling.emit(Layout(system), checked=True)[1].module
    assert module.unbounded == {}


def test_debug_build_has_its_own_place_in_the_cache(tmp_path: Path) -> None:
    system = counting("count := 1")
    assert not compiled(system, Capacity(), tmp_path, checked=False).cached
    assert not compiled(system, Capacity(), tmp_path, checked=True).cached
    assert compiled(system, Capacity(), tmp_path, checked=True).cached


def test_environment_asks_for_the_debug_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit_stored, "check", lambda *_: None)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    with pytest.raises(BrokenCode):
        fire_first(compiled(counting("count := count + 7"), Capacity(), tmp_path))


# ------------------------------------------------------------------------------------------------- planted defects


def test_value_that_is_stored_unchecked_does_not_fit_its_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit_stored, "check", lambda *_: None)
    with pytest.raises(BrokenCode, match=r"packed Int of 3 bits in rule\.0\.act \(emit_"):
        fire_first(checked(counting("count := count + 8"), tmp_path))
    fire_first(checked(counting("count := count + 3"), tmp_path))  # the second time, 6 fits: 3 bits hold it


def test_place_beyond_a_sequence_shifts_too_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = emit_sequences.element_or_any
    monkeypatch.setattr(
        emit_sequences, "element_or_any", lambda code, of, at: right(code, of, code.add(at, number(30)))
    )
    body = "items := append(items, 1)\n    count := items[len(items)]"
    with pytest.raises(BrokenCode, match=r"a shift of 64 bits in rule\.0\.act"):
        fire_first(checked(counting(body), tmp_path))


@pytest.mark.parametrize(("access", "what"), [("key", "a read of 8 bytes"), ("set_copies", "a write of 8 bytes")])
def test_slot_beyond_the_pool_is_out_of_bounds(
    access: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pool, access, beyond(getattr(Pool, access)))
    with pytest.raises(BrokenCode, match=what):
        fire_first(checked(kitchen(), tmp_path))


def beyond(right: Callable[..., Any]) -> Callable[..., Any]:
    def access(self: Pool, code: Code, pool: Any, i: Any, *more: Any) -> Any:
        return right(self, code, pool, code.add(i, number(1000)), *more)

    return access


def test_row_beyond_a_table_is_out_of_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Code.table
    monkeypatch.setattr(Code, "table", lambda self, values, type_, i: right(self, [7], type_, i))
    with pytest.raises(BrokenCode, match=r"a read of 8 bytes in rule\.0\.act"):
        fire_first(checked(counting("nested := nested + {{count}}"), tmp_path))


@pytest.mark.parametrize(
    ("owner", "method", "planted", "what"),
    [
        (VisitedCode, "slot", lambda self, code, worker, tag: tag, "a read of 8 bytes in absorb"),
        (VisitedCode, "owner", lambda self, code, worker, h: number(7), "a read of 8 bytes in commit"),
        (WorkerAccess, "state", lambda self, code, worker, i, *at: STATE(self, code, worker, FAR, *at), "outside the"),
    ],
)
def test_search_that_leaves_its_memory_is_stopped(
    owner: type, method: str, planted: Callable[..., Any], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, method, planted)
    monkeypatch.setenv(CHECKED_VARIABLE, "1")
    with pytest.raises(BrokenCode, match=what):
        explore(kitchen(), max_steps=3, cache=tmp_path)


def test_parent_of_a_state_that_is_not_in_the_store(tmp_path: Path) -> None:
    code = checked(kitchen(), tmp_path)
    words = code.layout.words
    states, out, parents = (c_int64 * (3 * words))(), (c_int64 * (3 * words))(), (c_uint32 * 3)(5, 6, 7)
    items, found = (c_int64 * 6)(), (c_uint32 * 3)()
    code.itemise(addressof(states), 3, addressof(items))
    arguments = addressof(items), 3, addressof(states)
    assert code.gather(*arguments, 3, addressof(parents), addressof(out), addressof(found)) == 3
    assert list(found) == [5, 6, 7]
    with pytest.raises(BrokenCode, match="a state outside the store in gather"):
        code.gather(*arguments, 2, addressof(parents), addressof(out), addressof(found))


def test_more_successors_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "most_successors", lambda _: 1)
    with pytest.raises(BrokenCode, match="more successors than there is room for"):
        fire_first(checked(kitchen(), tmp_path))
