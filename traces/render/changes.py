"""What a step changed, as lines of path and text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from traces.render.labels import value_text
from traces.render.wording import Wording
from traces.trace import TraceState
from traces.values import Map, Value, order


def changes(
    before: TraceState, after: TraceState, processes: tuple[str, ...], wording: Wording
) -> Iterator[tuple[str, str]]:
    """Each change, process by process, then what belongs to none: ``("s1.log", "+ 1:c1#1")``."""
    owned: dict[str, list[tuple[str, str]]] = {process: [] for process in processes}
    rest: list[tuple[str, str]] = []
    for name, new in after.variables.items():
        old = before.variables[name]
        if old == new:
            continue
        if of_processes(new, processes) and isinstance(old, Map) and isinstance(new, Map):
            for process in (key for key in new if old.get(key) != new[key]):
                owned[str(process)] += _change(f"{process}.{name}", old.get(process), new[process], wording)
        else:
            rest += _change(str(name), old, new, wording)
    for process in processes:
        yield from owned[process]
    yield from rest


def of_processes(value: Value, processes: tuple[str, ...]) -> bool:
    """A variable of this value has one value for each of several processes."""
    return isinstance(value, Map) and bool(value) and value.keys() <= set(processes)


def _change(path: str, old: Value, new: Value, wording: Wording) -> Iterator[tuple[str, str]]:
    match old, new:
        case Map(), Map() if old.keys() == new.keys() and wording.value(new) is None:
            for key in new:
                if old[key] != new[key]:
                    yield from _change(f"{path}.{key}", old[key], new[key], wording)
        case frozenset(), frozenset():
            gone, come = sorted(old - new, key=order), sorted(new - old, key=order)
            yield from _gone_and_come(path, gone, come, wording)
        case tuple(), tuple() if _is_bag(old) and _is_bag(new):
            yield from _copies(path, old, new, wording)
        case tuple(), tuple():
            same = next((i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
            kept = min(len(old), len(new)) if same is None else same
            yield from _gone_and_come(path, old[kept:], new[kept:], wording)
        case _:
            yield path, f"{value_text(old, wording)} → {value_text(new, wording)}"


def _gone_and_come(
    path: str, gone: list[Value] | tuple[Value, ...], come: list[Value] | tuple[Value, ...], wording: Wording
) -> Iterator[tuple[str, str]]:
    for sign, elements in (("−", gone), ("+", come)):
        for element in elements:
            yield path, f"{sign} {value_text(element, wording)}"


def _is_bag(value: tuple[Value, ...]) -> bool:
    return all(isinstance(entry, Map) and entry.keys() == {"message", "copies"} for entry in value)


def _copies(path: str, old: tuple[Value, ...], new: tuple[Value, ...], wording: Wording) -> Iterator[tuple[str, str]]:
    had, has = _counted(old), _counted(new)
    for message in sorted(had.keys() | has.keys(), key=order):
        more = has[message] - had[message]
        if more:
            times = "" if abs(more) == 1 else f" × {abs(more)}"
            yield path, f"{'+' if more > 0 else '−'} {value_text(message, wording)}{times}"


def _counted(bag: tuple[Value, ...]) -> Counter[Value]:
    counted: Counter[Value] = Counter()
    for entry in bag:
        assert isinstance(entry, Map)
        copies = entry["copies"]
        assert isinstance(copies, int)
        counted[entry["message"]] += copies
    return counted
