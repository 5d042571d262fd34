"""The values in a trace: a small closed set, immutable and hashable, so that states can be compared and kept in sets.

``bool``, ``int``, ``str``; ``None`` for an absent optional (a present one is the value itself); ``tuple`` for a
sequence; ``frozenset``; :class:`Map` for a map with str or int keys and for a record, whose keys are its field names.
A value does not carry its type: a record and a map with the same keys are the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeAlias, Union

Value: TypeAlias = Union[bool, int, str, tuple["Value", ...], frozenset["Value"], "Map", None]

_ATOMS = frozenset({bool, int, str, type(None)})


class Map(dict[str | int, Value]):
    """A dict that cannot change, so that it can be hashed. It equals a dict with the same items."""

    __slots__ = ("_hash",)
    _hash: int

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            # Kept: a state's messages and entries are looked up many times in one replay.
            object.__setattr__(self, "_hash", hash(frozenset(self.items())))
            return self._hash

    def __repr__(self) -> str:
        return f"Map({dict.__repr__(self)})"

    def __reduce__(self) -> tuple[type[Map], tuple[dict[str | int, Value]]]:
        # Pickling a dict subclass item by item would go through the refused __setitem__; and a str's hash differs
        # from process to process, so the kept hash must not travel.
        return (Map, (dict(self),))

    def __copy__(self) -> Map:
        return self

    def __deepcopy__(self, memo: object) -> Map:
        return self

    def with_(self, changes: Mapping[str, Value]) -> Map:
        """The map with these keys set."""
        changed: dict[str | int, Value] = dict(self)
        changed.update(changes)
        return Map(changed)

    def without(self, *keys: str | int) -> Map:
        """The map without these keys."""
        return Map({key: value for key, value in self.items() if key not in keys})

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a value of a trace cannot be changed; build a new Map")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse


EMPTY = Map()


def freeze(plain: object) -> Value:
    """The value of plain Python data: lists become tuples, sets frozensets, dicts Maps.

    Raises TypeError for anything else, and for a key that is neither a str nor an int.
    """
    kind = type(plain)
    if kind in _ATOMS or kind is Map:
        return plain  # type: ignore[return-value]
    if isinstance(plain, list | tuple):
        return tuple([freeze(element) for element in plain])
    if isinstance(plain, Mapping):
        for key in plain:
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise TypeError(f"{key!r} cannot be a key in a trace: a key is a str or an int")
        return Map({key: freeze(value) for key, value in plain.items()})
    if isinstance(plain, set | frozenset):
        return frozenset([freeze(element) for element in plain])
    if isinstance(plain, str | int):  # an enum's member counts as its value
        return plain
    raise TypeError(
        f"{plain!r} is a {kind.__name__}; a trace holds bool, int, str, None, sequences, sets and maps of these"
    )


def freeze_map(plain: Mapping[str, object]) -> Map:
    """:func:`freeze` for what is known to be a mapping."""
    frozen = freeze(plain)
    assert isinstance(frozen, Map)
    return frozen


def thaw(value: Value) -> object:
    """Plain Python data of its own for the value: lists, dicts, and a sorted list for a set."""
    if isinstance(value, tuple):
        return [thaw(element) for element in value]
    if isinstance(value, Map):
        return {key: thaw(element) for key, element in value.items()}
    if isinstance(value, frozenset):
        return [thaw(element) for element in sorted(value, key=order)]
    return value


def order(value: Value) -> tuple[object, ...]:
    """A sort key that is total over all values: by kind, then by content."""
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int():
            return (2, value)
        case str():
            return (3, value)
        case tuple():
            return (4, len(value), *(order(element) for element in value))
        case frozenset():
            return (5, len(value), *sorted(order(element) for element in value))
        case Map():
            return (6, len(value), *sorted((order(key), order(element)) for key, element in value.items()))
