"""How often each kind of node, operator, sort and setting occurs in a number of systems, and how their labels end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args

from spec import sorts as sorts_
from spec import system as ir
from spec.resolve import SYSTEM_ACTIONS
from spec.system import Operator, System, UnaryOperator
from spec.type_loops import is_symmetric


def parts(node: Any) -> Iterator[Any]:
    """A node and all that is in it; what stands twice comes twice."""
    if isinstance(node, tuple):
        for part in node:
            yield from parts(part)
    elif is_dataclass(node) and not isinstance(node, type):
        yield node
        for name in (f.name for f in fields(node)):
            yield from parts(getattr(node, name))


EXPECTED = (
    *(kind.__name__ for kind in get_args(ir.Expr)),
    *(kind.__name__ for kind in get_args(ir.Statement)),
    *(f"operator {operator.value}" for operator in Operator),
    *(f"unary {operator.value}" for operator in UnaryOperator),
    *(quantifier.value for quantifier in ir.Quantifier),
    *(kind.__name__ for kind in get_args(sorts_.Sort)),
    "disk",
    "old",
    "all messages",
    "in network",
    "in outbox",
    *(kind.value for kind in ir.NetworkKind),
    "loss",
    "duplication",
    *(mode.value for mode in ir.StorageMode),
    *(storage.value for storage in ir.Storage),
    "on flush",
    "on any",
    "shared action",
    "two kinds of process",
    "never crashes with storage",
    *(["crashes", "drops", "duplicates", "retries", "in_flight", "copies", "pending"]),
    "constraint",
    "symmetric set",
    "loop over a symmetric set",
    "starts as itself",
    "macro",
    "try",
    *(f"macro of {steps}" for steps in (1, 2, 3)),
    *(f"{action} in a macro" for action in ("rule", "flush", "crash", "restart", "drop", "duplicate")),
)
"""What a suite of random specs must have, each at least once."""


@dataclass(slots=True)
class Census:
    """``nodes``: occurrences by kind. ``endings``: of labels, by how they ended. ``refused``: by seed, why a spec
    cannot be encoded."""

    nodes: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    refused: dict[int, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        return [name for name in EXPECTED if not self.nodes[name]]

    def count(self, system: System) -> None:
        for node in parts((system.rules, system.kinds, system.variables, system.messages)):
            self._node(node)
        properties = (system.invariants, system.action_invariants, system.sometimes, system.constraints)
        for node in parts(properties):
            self._node(node)
        self._settings(system)
        self._symmetry(system)
        for macro in system.macros:
            self._macro(macro)

    def _symmetry(self, system: System) -> None:
        sorts = {sort for sort in parts((system.kinds, system.variables)) if isinstance(sort, sorts_.AtomSort)}
        self.nodes.update("symmetric set" for sort in sorts if sort.symmetric)
        for node in parts(system.rules):
            if isinstance(node, ir.For) and is_symmetric(node.domain.sort):
                self.nodes["loop over a symmetric set"] += 1
        self.nodes.update("starts as itself" for variable in system.variables if len(set(variable.initial)) > 1)

    def _macro(self, macro: ir.Macro) -> None:
        found = self.nodes
        found.update(["macro", f"macro of {len(macro.steps)}"])
        for step in macro.steps:
            found.update([f"{step.rule if step.rule in SYSTEM_ACTIONS else 'rule'} in a macro"])
            found.update(["try"] if step.optional else [])

    def _node(self, node: Any) -> None:
        names = [type(node).__name__]
        match node:
            case ir.Place() | ir.Rule() | ir.Property() | ir.Parameter() | ir.ProcessKind() | ir.Variable():
                return
            case ir.Binary(operator):
                names.append(f"operator {operator.value}")
            case ir.Unary(unary):
                names.append(f"unary {unary.value}")
            case ir.Quantified(quantifier):
                names.append(quantifier.value)
            case ir.Read(layer=ir.Layer.DISK):
                names.append("disk")
            case ir.MessagesIn(where, message):
                names.append(f"in {where.value}")
                if message is None:
                    names.append("all messages")
        if getattr(node, "old", False):
            names.append("old")
        self.nodes.update(names)

    def _settings(self, system: System) -> None:
        network, found = system.network, self.nodes
        found.update([network.kind.value, system.storage.value])
        found.update(name for name in ("loss", "duplication") if getattr(network, name))
        found.update(variable.storage.value for variable in system.variables)
        found.update("on flush" for kind in system.kinds if kind.on_flush)
        found.update("never crashes with storage" for kind in system.kinds if kind.has_storage and not kind.crashes)
        found.update(["two kinds of process"] if len(system.kinds) > 1 else [])
        found.update("shared action" for rule in system.rules if rule.kind is None)
        named = Counter(rule.name for rule in system.rules)
        found.update("on any" for count in named.values() if count > 1)
        found.update("constraint" for _ in system.constraints)
        for bound in ("drops", "duplicates", "retries", "in_flight", "copies", "pending"):
            found.update([bound] if getattr(system.bounds, bound) is not None else [])
        found.update(["crashes"] if system.bounds.crashes else [])

    def report(self) -> str:
        width = 5
        names = sorted(self.nodes, key=lambda name: (-self.nodes[name], name))
        rows = [names[i : i + width] for i in range(0, len(names), width)]
        lines = ["".join(f"{self.nodes[name]:>8} {name:<16}" for name in row) for row in rows]
        total = sum(self.endings.values())
        shares = (f"{name} {count:,} ({count / max(1, total):.1%})" for name, count in self.endings.most_common())
        refused = (f"seed {seed} is refused: {reason}" for seed, reason in self.refused.items())
        return "\n".join([*lines, f"{total:,} labels: " + ", ".join(shares), *refused])
