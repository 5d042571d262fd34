"""What clients saw of the store: one call for each operation, with the moments between which it took effect.

A call without an answer (the client gave up, or its server died) has not failed: the command may be in somebody's log
and take effect at any later time, or never. A history that called it failed would accuse a correct store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from refimpl.entry import Append, Delete, Get, Operation, Put


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of one client. Times are of one clock, in any unit; `returned` is None without an answer.

    `response` is the value that a Get returned, None if the key was absent; other operations return nothing.
    """

    client: str
    operation: Operation
    invoked: int
    returned: int | None
    response: str | None = None

    def __post_init__(self) -> None:
        assert self.returned is None or self.invoked <= self.returned, "an answer does not come before its request"
        assert self.response is None or isinstance(self.operation, Get), "only a Get returns a value"

    def __str__(self) -> str:
        answered = "no answer" if self.returned is None else f"answered at {self.returned}"
        return f"{self.client}: {described(self.operation, self)} invoked at {self.invoked}, {answered}"


def described(operation: Operation, call: Call) -> str:
    """The operation in a line's worth of text, with what it returned."""
    match operation:
        case Put(key, value):
            return f"put({key}, {value!r})"
        case Append(key, value):
            return f"append({key}, {value!r})"
        case Delete(key):
            return f"delete({key})"
        case Get(key):
            returned = "?" if call.returned is None else "absent" if call.response is None else repr(call.response)
            return f"get({key}) → {returned}"


def by_key(history: Iterable[Call]) -> dict[str, tuple[Call, ...]]:
    """The calls of each key in the order in which they were invoked.

    A history is linearizable if those of its keys are: locality (Herlihy and Wing 1990, theorem 1).
    """
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    for call in sorted(history, key=lambda call: call.invoked):
        calls[call.operation.key].append(call)
    return {key: tuple(calls[key]) for key in sorted(calls)}
