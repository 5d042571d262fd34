"""Liveness: fairness, `eventually` properties, and what a model asks of them, as IR."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spec.resolve import SYSTEM_ACTIONS
from spec.syntax import EventuallyDeclaration, FairDeclaration, HandlerDeclaration, ModelDeclaration
from spec.system import Eventually, Place
from spec.type_environment import Environment
from spec.type_report import did_you_mean, listed
from spec.type_scope import PROPERTY, Names, Scope
from spec.typecheck import expression

Named = tuple[tuple[str, Place], ...]


@dataclass(frozen=True, slots=True)
class Liveness:
    """The `eventually` properties of a file, under one model."""

    environment: Environment

    def properties(self) -> tuple[Eventually, ...]:
        for fair in self.environment.declarations.fairness.values():
            self._rules((*fair.weak, *fair.strong), "fair")
        found = (self._property(node) for node in self.environment.declarations.eventually.values())
        return tuple(property_ for property_ in found if property_ is not None)

    def _property(self, node: EventuallyDeclaration) -> Eventually | None:
        scope = Scope(self.environment, Names(), PROPERTY, expression)
        parameters, scope = scope.choosing(node.parameters, "take")
        trigger = None
        if node.trigger is not None:
            trigger = scope.condition(node.trigger, f"what leads to the goal of `{node.name}`")
        goal = scope.condition(node.goal, f"the goal of `{node.name}`")
        under = self._under(node.under)
        strong = self._rules((rule for fair in under for rule in fair.strong), None)
        weak = self._rules((rule for fair in under for rule in fair.weak), None)
        if goal is None or (node.trigger is not None and trigger is None):
            return None
        weak = tuple(rule for rule in weak if rule not in strong)  # strong fairness is weak fairness, and more
        return Eventually(node.name, parameters, trigger, goal, weak, strong, node.place)

    def _under(self, names: Named) -> list[FairDeclaration]:
        declared = self.environment.declarations.fairness
        for name, place in names:
            if name not in declared:
                hint = did_you_mean(name, declared, f"declare `fair {name}:`")
                message = f"there is no fairness `{name}`; declared are {listed(declared, 'none')}"
                self.environment.report.error("S216", place, message, hint)
        return [declared[name] for name, _ in names if name in declared]

    def _rules(self, named: Iterable[tuple[str, Place]], what: str | None) -> tuple[str, ...]:
        """The rules that are named, `deliver` being every handler; ``what``: report those that are none."""
        rules = self.environment.declarations.rules
        found: dict[str, None] = {}
        for name, place in named:
            if name == "deliver":
                found |= {r: None for r, entry in rules.items() if isinstance(entry.declaration, HandlerDeclaration)}
            elif name in rules or name in SYSTEM_ACTIONS:
                found[name] = None
            elif what is not None:
                known = (*rules, *SYSTEM_ACTIONS, "deliver")
                hint = did_you_mean(name, known, f"the rules are {listed(known)}")
                self.environment.report.error("S206", place, f"there is no action or handler `{name}`", hint)
        return tuple(found)

    # ---------------------------------------------------------------------------------- what a model asks

    def checks(self, model: ModelDeclaration) -> tuple[str, ...]:
        """The properties that `check` names."""
        declared = self.environment.declarations.eventually
        for name, place in model.checks:
            if name not in declared:
                hint = did_you_mean(name, declared, f"declared are {listed(declared, 'none')}")
                message = f"`check` names an `eventually` property; there is no `{name}`"
                self.environment.report.error("S209", place, message, hint)
        return tuple(dict.fromkeys(name for name, _ in model.checks if name in declared))

    def forbidden(self, model: ModelDeclaration) -> tuple[str, ...]:
        """What `forbid` names: rules, and `restart`. The other system actions have budgets."""
        known = (*self.environment.declarations.rules, "restart")
        for name, place in model.forbidden:
            if name in SYSTEM_ACTIONS and name not in known:
                budgets = {"crash": "max_crashes", "drop": "max_drops", "duplicate": "max_duplicates"}
                hint = f"bound it with `{budgets[name]} = 0`" if name in budgets else "remove it from the line"
                message = f"`{name}` is a system action; `forbid` names actions, handlers and `restart`"
                self.environment.report.error("S515", place, message, hint)
            elif name not in known:
                hint = did_you_mean(name, known, f"known are {listed(known)}")
                self.environment.report.error("S206", place, f"there is no action or handler `{name}`", hint)
        return tuple(dict.fromkeys(name for name, _ in model.forbidden if name in known))
