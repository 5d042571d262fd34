"""What emitted Python source calls the parts of a state, and where in them a variable stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from checker.explicit.source_text import Text
from spec.sorts import Sort, Value
from spec.state import State
from spec.system import Storage, System

OLD = "old_"
"""Before the names of the parts of the state before a step."""


class Slots:
    """Where the variables of a system stand in its states."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.processes = {process: i for i, process in enumerate(system.processes)}
        self.kinds = {process: kind.name for kind in system.kinds for process in kind.sort.elements}
        self.memory = {kind.name: [v.name for v in system.variables_of(kind.name)] for kind in system.kinds}
        self.durable = {
            kind.name: [v.name for v in system.variables_of(kind.name, Storage.DURABLE)] for kind in system.kinds
        }
        self.common = {
            area: [v.name for v in system.variables_of(None, storage)]
            for area, storage in (("shared", Storage.SHARED), ("ghosts", Storage.GHOST))
        }

    def kind_with(self, sort: Sort, variable: str) -> str:
        """The kind of those processes of this sort that have the variable."""
        elements = getattr(sort, "elements", ())
        kinds = {self.kinds[element] for element in elements if element in self.kinds}
        (found,) = (kind for kind in kinds if variable in self.memory[kind])
        return found

    def area(self, variable: str, kind: str | None) -> str:
        """The part of a state that a rule of this kind finds the variable in."""
        if kind is not None and variable in self.memory[kind]:
            return "memory"
        return next(area for area, names in self.common.items() if variable in names)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a local name stands for. ``values``: all that it may have, if that is known; ``sure``: it is known to be of
    its sort. ``place``: the Python variable that will hold the process's position, if it is a process."""

    source: str
    values: tuple[Value, ...] | None = None
    sure: bool = False
    place: str = ""


@dataclass(slots=True)
class Frame:
    """Where emitted source stands. ``kind``: the acting process's, whose variables are Python variables while its rule
    runs, as shared variables and ghosts are where ``running``. ``used``: what must be taken from the state first;
    ``places``: the variables for positions that are used."""

    text: Text
    slots: Slots
    kind: str | None = None
    running: bool = False
    local: dict[str, Bound] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)

    def part(self, name: str, *, old: bool = False) -> str:
        """A part of the state, by the name of its field."""
        assert name in State._fields
        name = f"{OLD}{name}" if old else name
        self.used.add(name)
        return name

    def variable(self, name: str) -> str:
        """The Python variable of a variable that the running rule may change."""
        area = self.slots.area(name, self.kind)
        self.used.add(f"own {area}")
        return f"{area[0]}_{name}"

    def names(self, area: str) -> list[str]:
        """Those of all variables of a part."""
        if area == "memory":
            assert self.kind is not None
            return [f"m_{name}" for name in self.slots.memory[self.kind]]
        return [f"{area[0]}_{name}" for name in self.slots.common[area]]

    def unpack(self, state: str, *, old: bool = False) -> None:
        """Lines that take from a state what has been used; they stand before the lines that use it."""
        for part in State._fields:
            name = f"{OLD}{part}" if old else part
            if name in self.used:
                self.text.line(f"{name} = {state}.{part}")


def tuple_of(items: list[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
