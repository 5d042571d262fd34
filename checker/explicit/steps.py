"""One state at a time: the compiled transitions and properties asked about a single state, labels decoded."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from itertools import product

from checker.explicit.compile import Compiled
from checker.explicit.context import CAPACITIES, COUNTERS, CUTS, LABEL, OUT
from checker.explicit.errors import DoesNotFit
from checker.explicit.stepping import Fired
from checker.explicit.worker import Returned
from spec.sorts import Value
from spec.state import Label
from spec.system import StorageMode
from spec.values import cached_domain

Words = tuple[int, ...]


class Steps:
    """Fires the labels of one state after the other, by native code."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled, self.layout = compiled, compiled.layout
        system = self.layout.system
        words = self.layout.words
        self._state = (ctypes.c_int64 * words)()
        self._buffer = (ctypes.c_int64 * (compiled.most * (words + 1)))()
        self._context = (ctypes.c_int64 * compiled.context_words)()
        self._choices = [tuple(product(*(cached_domain(p.sort) for p in rule.parameters))) for rule in system.rules]

    def fire(self, words: Sequence[int]) -> Fired:
        """Raises DoesNotFit if a successor has no room in the layout."""
        self._state[:] = list(words)
        context = self._context
        ctypes.memset(context, 0, ctypes.sizeof(context))
        context[OUT] = ctypes.addressof(self._buffer)
        status = self.compiled.fire_all(ctypes.addressof(context), ctypes.addressof(self._state))
        if status >= Returned.OVERFLOW:
            raise DoesNotFit(CAPACITIES[status - Returned.OVERFLOW])
        size = self.layout.words + 1
        found = (context[OUT] - ctypes.addressof(self._buffer)) // (8 * size)
        steps = tuple(
            (self._buffer[i * size], tuple(self._buffer[i * size + 1 : (i + 1) * size])) for i in range(found)
        )
        cuts = {name: context[COUNTERS + i] for i, name in enumerate(self.compiled.cuts) if context[COUNTERS + i]}
        assert sum(cuts.values()) == context[CUTS]
        return Fired(steps, cuts, context[LABEL] if status == Returned.ERROR else None)

    def label(self, words: Words, label: int) -> Label:
        """The label of a state that a label word stands for."""
        layout = self.layout
        which, local, choice = label & 0xFFFF, label >> 16 & 0xFFFF, label >> 32
        name = self.compiled.kinds[which]
        rules = layout.system.rules
        if which < len(rules) and rules[which].message is None:
            kind = rules[which].kind
            process = None if kind is None else layout.kinds[kind].kind.sort.elements[local]
            return Label(name, process, self._choices[which][choice])
        if which < len(rules):
            message = layout.message(self._key(words, choice))
            return Label(name, message[2], (), message)
        if name in ("drop", "duplicate"):
            return Label(name, None, (), layout.message(self._key(words, choice)))
        arguments: tuple[Value, ...] = ()
        if name == "crash" and layout.system.storage is StorageMode.BUFFERED:
            arguments = (choice,)
        return Label(name, layout.processes[local], arguments)

    def _key(self, words: Words, slot: int) -> int:
        return self.layout.pool(words)[slot][0]

    def rule(self, label: int) -> str:
        """The name of the rule, system action or macro of a label word."""
        return self.compiled.kinds[label & 0xFFFF]

    def labelled(self, words: Words) -> Iterator[tuple[Label, Words]]:
        for label, after in self.fire(words).steps:
            yield self.label(words, label), after

    def canonical(self, words: Sequence[int]) -> Words:
        """The words of the state that stands for this one: itself, unless states are stored up to symmetry."""
        self._state[:] = list(words)
        self.compiled.make_canonical(ctypes.addressof(self._state))
        return tuple(self._state)

    def hash_of(self, words: Words) -> int:
        self._state[:] = list(words)
        return int(self.compiled.hash_of(ctypes.addressof(self._state)))

    # -------------------------------------------------------------------------------------- properties

    def broken(self, words: Words) -> list[str] | None:
        """The invariants that a state breaks; None if the evaluation fails."""
        self._state[:] = list(words)
        mask = self.compiled.see_invariants(ctypes.addressof(self._state))
        return self._named(mask, [p.name for p in self.layout.system.invariants])

    def reached(self, words: Words) -> list[str] | None:
        goals = [p.name for p in self.layout.system.sometimes]
        self._state[:] = list(words)
        return self._named(self.compiled.see_goals(ctypes.addressof(self._state), (1 << len(goals)) - 1), goals)

    def broken_by_step(self, before: Words, label: int, after: Words) -> list[str] | None:
        second = (ctypes.c_int64 * self.layout.words)(*after)
        self._state[:] = list(before)
        mask = self.compiled.see_action_invariants(ctypes.addressof(self._state), ctypes.addressof(second), label)
        return self._named(mask, [p.name for p in self.layout.system.action_invariants])

    def _named(self, mask: int, names: list[str]) -> list[str] | None:
        return None if mask == -1 else [name for i, name in enumerate(names) if mask >> i & 1]
