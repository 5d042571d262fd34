"""Whether what is known of a state or a label agrees with what a run has there, and where it does not.

A run fits a log if its trace, as ``--out-itf`` would write it, has every value that the log has. The network and,
unless it is fifo, an outbox are compared in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from traces.partial import Missing, PartialState
from traces.trace import Label
from traces.values import Map, Value

Path = tuple[str | int, ...]
"""Variable, process or name, and what is inside of that; a sequence's elements count from 1."""

NOTHING = Missing("nothing")
"""What a run has where it has no such part."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``known``: what the log has there; ``found``: what the run has. In the network and in sets: what only one has."""

    path: Path
    known: Value
    found: Value


class Matcher:
    """``fifo``: the order of an outbox means something."""

    def __init__(self, fifo: bool) -> None:
        self.fifo = fifo

    def state_fits(self, known: PartialState, variables: Map) -> bool:
        return next(self.state(known, variables), None) is None

    def label_fits(self, known: PartialState, label: Label) -> bool:
        return next(self.label(known, label), None) is None

    def state(self, known: PartialState, variables: Map) -> Iterator[Difference]:
        """Where a run's state is not the log's."""
        for name, value in known.variables.items():
            found = variables.get(name, NOTHING)
            if name == "network":
                yield from _in_any_order((name,), value, found)
            elif name == "outbox" and not self.fifo and isinstance(value, Map) and isinstance(found, Map):
                for process, messages in value.items():
                    yield from _in_any_order((name, process), messages, found.get(process, NOTHING))
            else:
                yield from differences(value, found, (name,))

    def label(self, known: PartialState, label: Label) -> Iterator[Difference]:
        """Where a run's label is not the log's."""
        if known.rule is not None and known.rule != label.rule:
            yield Difference(("rule",), known.rule, label.rule)
        if known.picks:
            yield from differences(known.picks, picks(label))


def picks(label: Label) -> Map:
    """What was chosen in a label, by name."""
    chosen: dict[str | int, Value] = {} if label.process is None else {"process": label.process}
    chosen.update(label.arguments)
    if label.message is not None:
        chosen["message"] = label.message.flat
    return Map(chosen)


def differences(known: Value, found: Value, path: Path = ()) -> Iterator[Difference]:
    """Where ``found`` is not what is known of it; what is missing in a map is not known."""
    if isinstance(known, Missing):
        return
    if isinstance(known, Map) and isinstance(found, Map):
        for key, value in known.items():
            yield from differences(value, found.get(key, NOTHING), (*path, key))
    elif isinstance(known, tuple) and isinstance(found, tuple) and len(known) == len(found):
        for number, (value, other) in enumerate(zip(known, found, strict=True), 1):
            yield from differences(value, other, (*path, number))
    elif isinstance(known, frozenset) and isinstance(found, frozenset):
        yield from _unpaired(path, tuple(known), tuple(found), frozenset)
    elif known != found or isinstance(known, bool) is not isinstance(found, bool):
        yield Difference(path, known, found)


def _in_any_order(path: Path, known: Value, found: Value) -> Iterator[Difference]:
    if isinstance(known, tuple) and isinstance(found, tuple):
        yield from _unpaired(path, known, found, tuple)
    else:
        yield from differences(known, found, path)


def _unpaired(
    path: Path,
    known: Sequence[Value],
    found: Sequence[Value],
    collected: type[frozenset[Value]] | type[tuple[Value, ...]],
) -> Iterator[Difference]:
    """What has no partner on the other side, if each of the known is paired with one of the found that it fits."""
    if collected(known) == collected(found):
        return
    partners: dict[int, int] = {}
    for number in range(len(known)):
        _pair(number, known, found, partners, set())
    alone = [value for number, value in enumerate(known) if number not in partners.values()]
    others = [value for number, value in enumerate(found) if number not in partners]
    if alone or others:
        yield Difference(path, collected(alone), collected(others))


def _pair(
    number: int, known: Sequence[Value], found: Sequence[Value], partners: dict[int, int], seen: set[int]
) -> bool:
    """Finds a partner for a known element, moving others to other partners where that helps (Kuhn 1955)."""
    for other, value in enumerate(found):
        if other not in seen and next(differences(known[number], value), None) is None:
            seen.add(other)
            if other not in partners or _pair(partners[other], known, found, partners, seen):
                partners[other] = number
                return True
    return False


def weight(found: Iterable[Difference]) -> int:
    """How far apart: how many values differ."""
    total = 0
    for difference in found:
        sides = (difference.known, difference.found)
        total += max(len(side) if isinstance(side, tuple | frozenset) else 1 for side in sides) or 1
    return total


def path_text(path: Path, processes: Iterable[str]) -> str:
    """``s1.current_term``, ``disk(s1).log[2].term``, ``ghosts.leaders``, ``network``."""
    if len(path) > 1 and path[1] in set(processes):
        variable, process = path[:2]
        of_all = ("up", "disk", "pending", "outbox")
        head = f"{variable}({process})" if variable in of_all else f"{process}.{variable}"
        rest = path[2:]
    else:
        head, rest = str(path[0]), path[1:]
    return head + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
