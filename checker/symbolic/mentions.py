"""Of runs that differ only in the names of interchangeable elements, one is searched for.

It is the run whose labels mention the elements in their order: of s1, s2, s3 the first to be mentioned is s1, the next
one s2. Permuting the elements turns any run into such a run, of the same length and to a violation of the same
property, if nothing in the system and nothing in the start tells them apart. Which sets may be permuted, the IR says
(``checker/explicit/symmetry.py``); which of their elements the start does not tell apart is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checker.explicit.canonical import CanonicalStates
from checker.explicit.symmetry import Symmetry
from checker.symbolic.choices import rule_parameters
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.transition import Step
from checker.symbolic.values import Atom, is_atom
from spec.sorts import AtomSort
from spec.state import State
from spec.system import System


def interchangeable(system: System, symmetry: Symmetry, start: State) -> tuple[tuple[str, ...], ...]:
    """The elements that any permutation may exchange without changing the start, in groups of two and more."""
    states = CanonicalStates(system, symmetry)
    groups = []
    for sort in symmetry.sets:
        left = list(sort.elements)
        while left:
            first = left.pop(0)
            alike = [other for other in left if states.renamed(start, {first: other, other: first}) == start]
            left = [other for other in left if other not in alike]
            if alike:
                groups.append((first, *alike))
    return tuple(groups)


class Mentions:
    """Of one run, whose steps are given in turn."""

    def __init__(self, c: Circuit, groups: Iterable[tuple[str, ...]]) -> None:
        self.c = c
        self.groups = tuple(groups)
        self.before: dict[str, Bit] = {element: FALSE for group in self.groups for element in group}

    def in_order(self, micro: Iterable[Step]) -> Bit:
        """Whether the labels of the next step mention no element before those that stand before it in its group."""
        c, result = self.c, TRUE
        for single in micro:
            for here, who in _mentioned(c, single):
                for group in self.groups:
                    hits = [c.conjunction(here, is_atom(c, who, element)) for element in group]
                    for i in range(1, len(group)):
                        result = c.conjunction(result, c.implies(hits[i], self.before[group[i - 1]]))
                    for element, hit in zip(group, hits, strict=True):
                        self.before[element] = c.disjunction(self.before[element], hit)
        return result


def _mentioned(c: Circuit, single: Step) -> Iterator[tuple[Bit, Atom]]:
    """What a label mentions: who acts, then its parameters; each with the condition that it does."""
    chosen = single.choices
    acts = (bit for bit, kind in zip(chosen.is_kind, chosen.kinds, strict=True) if kind.uses_process)
    yield c.some(acts), chosen.process
    for bit, kind in zip(chosen.is_kind, chosen.kinds, strict=True):
        if kind.rule is None:
            continue
        for value, parameter in zip(rule_parameters(chosen.parameters, kind.rule), kind.rule.parameters, strict=True):
            if isinstance(parameter.sort, AtomSort) and isinstance(value, Atom):
                yield bit, value
