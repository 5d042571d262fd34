"""Applies a mutant: replaces the marked statements of a spec, redeclares variables, redefines functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spec.syntax import (
    AtBlock,
    Declaration,
    EventuallyDeclaration,
    FunctionDeclaration,
    ModelDeclaration,
    MutantDeclaration,
    ProcessDeclaration,
    PropertyDeclaration,
    VariableDeclaration,
)
from spec.type_report import Report, close_to, did_you_mean, listed
from spec.type_walk import descendants, rebuilt


def mutated(
    declarations: tuple[Declaration, ...], mutant: MutantDeclaration, report: Report
) -> tuple[Declaration, ...]:
    """The spec's declarations with the mutant's changes; reports labels (S508) and names that the spec has not."""
    base = tuple(d for d in declarations if not isinstance(d, MutantDeclaration))
    labels = [part.label for part in descendants(base) if isinstance(part, AtBlock)]
    bodies = {}
    for block in mutant.replacements:
        if block.label not in labels:
            message = f"`{mutant.of}` has no statements marked `at {block.label}:`"
            report.error(
                "S508", block.place, message, did_you_mean(block.label, labels, f"the labels are {listed(labels)}")
            )
        bodies[block.label] = block.body
    functions = {function.name: function for function in mutant.functions}
    variables = {variable.name: variable for variable in mutant.variables}
    _check_known(base, mutant, report)

    def change(node: Any) -> Any:
        match node:
            case AtBlock(label) if label in bodies:
                return replace(node, body=bodies[label])
            case FunctionDeclaration(name) if name in functions:
                return functions[name]
            case VariableDeclaration(name=name) if name in variables:
                return variables[name]
        return node

    changed: tuple[Declaration, ...] = rebuilt(base, change)
    return changed


def _check_known(base: tuple[Declaration, ...], mutant: MutantDeclaration, report: Report) -> None:
    functions = [d.name for d in base if isinstance(d, FunctionDeclaration)]
    for function in mutant.functions:
        if function.name not in functions:
            message = f"`{mutant.of}` has no function `{function.name}` to redefine"
            report.error("S517", function.place, message, did_you_mean(function.name, functions, "remove it"))
    owners: dict[str, list[str]] = {}
    for declaration in base:
        if isinstance(declaration, VariableDeclaration):
            owners.setdefault(declaration.name, []).append("the system")
        elif isinstance(declaration, ProcessDeclaration):
            for variable in declaration.variables:
                owners.setdefault(variable.name, []).append(declaration.name)
    for variable in mutant.variables:
        found = owners.get(variable.name, [])
        if not found:
            message = f"`{mutant.of}` has no variable `{variable.name}` to redeclare"
            report.error("S517", variable.place, message, did_you_mean(variable.name, owners, "remove it"))
        elif len(found) > 1:
            message = f"`{variable.name}` is a variable of {' and of '.join(found)}; which one is meant is not clear"
            report.error("S517", variable.place, message, "rename one of them in the spec")
    properties = [d.name for d in base if isinstance(d, PropertyDeclaration | EventuallyDeclaration)]
    for broken in mutant.breaks:
        if broken.name not in properties:
            message = f"there is no property `{broken.name}` to break"
            report.error("S209", broken.place, message, close_to(broken.name, properties))
    models = [d.name for d in base if isinstance(d, ModelDeclaration)]
    for broken in mutant.breaks:
        if broken.model is not None and broken.model not in models:
            message = f"there is no model `{broken.model}` under which to break `{broken.name}`"
            report.error("S506", broken.place, message, close_to(broken.model, models))
