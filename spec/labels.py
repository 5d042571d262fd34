"""A label's arguments by the names that patterns of labels use."""

from __future__ import annotations

from collections.abc import Iterator

from spec.sorts import Value
from spec.state import Label
from spec.system import System


def arguments_of(system: System, label: Label) -> Iterator[tuple[str, Value]]:
    """The rule's parameters, ``keep`` of a crash; of a message ``message`` (its type), ``source``, ``destination`` and
    its fields."""
    if label.rule == "crash":
        yield from (("keep", keep) for keep in label.arguments)
    elif label.arguments:
        rule = next(rule for rule in system.rules if rule.name == label.rule)
        yield from zip((p.name for p in rule.parameters), label.arguments, strict=True)
    if label.message is not None:
        sort = next(m for m in system.messages if m.name == label.message[0])
        names = ("message", "source", "destination", *(name for name, _ in sort.fields))
        yield from zip(names, label.message, strict=True)
