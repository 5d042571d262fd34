"""What the committed commands make of the keys: a second, plainer text of the state machine, kept entry by entry."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from refimpl.entry import Append, ClientId, Delete, Entry, Get, Index, Put, Serial


@dataclass(slots=True)
class Model:
    """Each key's values over the indices. A command counts where it was committed first, and nowhere else."""

    first_index: dict[tuple[ClientId, Serial], Index] = field(default_factory=dict)
    _indices: dict[str, list[int]] = field(default_factory=dict)
    _values: dict[str, list[str | None]] = field(default_factory=dict)

    def commit(self, index: Index, entry: Entry) -> bool:
        """Let the next committed entry take effect; False if an earlier copy of it did."""
        command = entry.command
        if command is None:
            return True
        if self.first_index.setdefault((command.client, command.serial), index) != index:
            return False
        before = self.value_at(command.operation.key, index)
        match command.operation:
            case Put(key, value):
                self._set(key, index, value)
            case Append(key, value):
                self._set(key, index, (before or "") + value)
            case Delete(key):
                self._set(key, index, None)
            case Get():
                pass
        return True

    def value_at(self, key: str, index: Index) -> str | None:
        """The key's value once the entries up to the index are applied."""
        changes = bisect_right(self._indices.get(key, ()), index)
        return self._values[key][changes - 1] if changes else None

    def first_with(self, key: str, value: str | None, not_before: Index) -> Index | None:
        """The first index from `not_before` on after which the key has the value; None if there is none so far."""
        if self.value_at(key, not_before) == value:
            return not_before
        indices = self._indices.get(key, [])
        for change in range(bisect_right(indices, not_before), len(indices)):
            if self._values[key][change] == value:
                return Index(indices[change])
        return None

    def _set(self, key: str, index: Index, value: str | None) -> None:
        self._indices.setdefault(key, []).append(index)
        self._values.setdefault(key, []).append(value)
