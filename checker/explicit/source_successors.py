"""The function that fires every label of a state, as Python source.

``successors(s, found, cuts)`` appends label and successor of every label that is enabled and not cut to ``found``, in
the evaluator's order of labels, and counts in ``cuts``. Labels that do not depend on the state are made beforehand.
"""

from __future__ import annotations

from itertools import product

from checker.explicit.source_transitions import STATE, Transitions
from spec import system as ir
from spec.grains import alone
from spec.state import Label
from spec.system import Grain
from spec.values import cached_domain


class Successors:
    """Writes the functions of all labels, then the one that calls them."""

    def __init__(self, transitions: Transitions) -> None:
        self.transitions, self.text, self.system = transitions, transitions.text, transitions.system
        self.place = transitions.slots.processes
        self.rules = {rule: f"rule_{number}" for number, rule in enumerate(self.system.rules)}
        self.allowed_only = False

    def emit(self) -> None:
        system = self.system
        for rule, name in self.rules.items():
            self.transitions.rule(name, rule)
        for number, kind in enumerate(system.kinds):
            if kind.has_storage and self.transitions.buffered:
                self.transitions.flush(f"flush_{number}", kind)
            if kind.crashes:
                self.transitions.crash(f"crash_{number}", kind)
        self.transitions.restart("restart")
        self.transitions.drop("drop")
        self.transitions.duplicate("duplicate")
        self._function("successors", alone(system))
        for name, function in self.steps.items():
            self.allowed_only = True
            self._function(function, (name,))

    @property
    def steps(self) -> dict[str, str]:
        """At the macro grain: the function that fires the labels of each step's rule or system action. It is given a
        predicate ``allow`` besides."""
        macros = self.system.macros if self.system.grain is Grain.MACRO else ()
        names = dict.fromkeys(step.rule for macro in macros for step in macro.steps)
        return {name: f"step_{number}" for number, name in enumerate(names)}

    def _function(self, function: str, names: tuple[str, ...]) -> None:
        """Fires the labels of these rules and system actions."""
        text = self.text
        with text.block(f"def {function}(s, found, cuts{', allow' if self.allowed_only else ''}):"):
            text.line(f"{STATE} = s")
            text.line("messages = deliverable(network)")
            text.line("label = None")
            with text.block("try:"):
                for name in names:
                    self._fire_named(name)
                text.line("pass")
            with text.block("except EvaluationError as error:"):
                text.line("error.labels = (label,)")
                text.line("raise")

    def _fire_named(self, name: str) -> None:
        kinds = list(enumerate(self.system.kinds))
        match name:
            case "flush":
                for number, kind in kinds:
                    if kind.has_storage and self.transitions.buffered:
                        self._fire_flushes(number, kind)
            case "crash":
                with self.text.block(f"if budgets[0] < {self.system.bounds.crashes}:"):
                    for number, kind in kinds:
                        if kind.crashes:
                            self._fire_crashes(number, kind)
            case "restart":
                for _, kind in kinds:
                    if kind.crashes:
                        self._fire_restarts(kind)
            case "drop" | "duplicate":
                network = self.system.network
                if network.loss if name == "drop" else network.duplication:
                    with self.text.block("for m in messages:"):
                        self.text.line(f"label = new(Label, ({name!r}, None, (), m))")
                        self._fire(name, f"{name}(s, m)")
            case _:
                for rule in self.system.rules:  # `on any m as NAME` is one rule for each type of message
                    if rule.name == name:
                        self._fire_rule(rule, self.rules[rule])

    def _fire(self, rule: str, call: str) -> None:
        text = self.text
        if self.allowed_only:
            with text.block("if not allow(label):"):
                text.line("continue")
        text.line(f"after = {call}")
        with text.block("if after is not None:"):
            with text.block("if after.__class__ is str:"):
                text.line(f"key = {f'{rule}: '!r} + after")
                text.line("cuts[key] = cuts.get(key, 0) + 1")
            with text.block("else:"):
                text.line("found.append((label, after))")

    def _fire_rule(self, rule: ir.Rule, function: str) -> None:
        text = self.text
        arguments = [f"a_{i}" for i in range(len(rule.parameters))]
        choices = list(dict.fromkeys(product(*(cached_domain(parameter.sort) for parameter in rule.parameters))))
        if rule.message is None:
            processes = (None,) if rule.kind is None else self.system.kind(rule.kind).sort.elements
            labels = tuple(
                (Label(rule.name, process, choice), self.place.get(process or "", -1), process, *choice)
                for process in processes
                for choice in choices
            )
            each = text.block(f"for {', '.join(('label', 'i', 'me', *arguments))} in {text.constant(labels)}:")
            with each, text.block("if up[i]:" if rule.kind is not None else "if True:"):
                self._fire(rule.name, f"{function}({', '.join(('s', 'i', 'me', *arguments))})")
            return
        of_type = f"if m[0] == {rule.message.name!r} and up[place_of[m[2]]]:"
        with text.block("for m in messages:"), text.block(of_type):
            text.line("me = m[2]")
            text.line("i = place_of[me]")
            with text.block(f"for choice in {text.constant(tuple(choices))}:"):
                text.line(f"label = new(Label, ({rule.name!r}, me, choice, m))")
                self._fire(rule.name, f"{function}(s, i, me, m, *choice)")

    def _fire_flushes(self, number: int, kind: ir.ProcessKind) -> None:
        text = self.text
        each = text.block(f"for label, i, me in {self._labels('flush', kind)}:")
        with each, text.block("if pending[i] and up[i]:"):
            self._fire("flush", f"flush_{number}(s, i, me)")

    def _fire_restarts(self, kind: ir.ProcessKind) -> None:
        text = self.text
        with text.block(f"for label, i, me in {self._labels('restart', kind)}:"), text.block("if not up[i]:"):
            self._fire("restart", "restart(s, i)")

    def _fire_crashes(self, number: int, kind: ir.ProcessKind) -> None:
        text = self.text
        with text.block(f"for label, i, me in {self._labels('crash', kind)}:"), text.block("if up[i]:"):
            if not self.transitions.buffered:
                self._fire("crash", f"crash_{number}(s, i, me, 0)")
                return
            with text.block("for keep in range(len(pending[i]) + 1):"):
                text.line("label = new(Label, ('crash', me, (keep,), None))")
                self._fire("crash", f"crash_{number}(s, i, me, keep)")

    def _labels(self, rule: str, kind: ir.ProcessKind) -> str:
        """Label, position and name of each process of a kind."""
        return self.text.constant(tuple((Label(rule, p), self.place[p], p) for p in kind.sort.elements))
