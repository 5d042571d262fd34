"""The macro grain: the same system under its declared schedule, as one pass from IR to IR that all engines read.

At the macro grain a run is made of occurrences of the spec's macros, and of single labels of what no macro has as a
step. Each macro label stands for the labels of its steps, so its runs are some of the micro runs: what is found replays
label by label, and *what is not found may exist all the same*.

Decided here: invariants and `sometimes` are looked at where a macro ends, action invariants at every
label in it (over the whole of it they would say something else). Bounds cut and evaluations fail as in the micro run.
"""

from __future__ import annotations

from dataclasses import replace

from spec.state import Label
from spec.system import Grain, System

ABSENCE = "absence at the macro grain is not absence"


def coarsened(system: System) -> System:
    """The system at the macro grain. It must declare macros."""
    assert system.macros, "no macro is declared: there is no macro grain"
    return replace(system, grain=Grain.MACRO)


def alone(system: System) -> tuple[str, ...]:
    """The rules and system actions that are labels of their own at this grain: the steps of macros are not, nor is
    what the model forbids."""
    steps = {step.rule for macro in system.macros for step in macro.steps} if system.grain is Grain.MACRO else set()
    names = dict.fromkeys(rule.name for rule in system.rules)
    steps |= set(system.forbidden)
    return tuple(name for name in (*names, "flush", "crash", "restart", "drop", "duplicate") if name not in steps)


def step_names(system: System) -> tuple[str, ...]:
    """What a step of a run can be called at this grain, apart from the system actions."""
    rules = tuple(dict.fromkeys(rule.name for rule in system.rules if rule.name not in system.forbidden))
    if system.grain is Grain.MICRO:
        return rules
    single = alone(system)
    return (*(macro.name for macro in system.macros), *(name for name in rules if name in single))


def is_macro(system: System, label: Label) -> bool:
    return system.grain is Grain.MACRO and any(macro.name == label.rule for macro in system.macros)


def micro_labels(system: System, labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """The labels that a run of either grain is made of."""
    return tuple(
        single for label in labels for single in (label.arguments if is_macro(system, label) else (label,))
    )
