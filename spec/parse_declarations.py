"""From lark's tree to the declarations of ``syntax.py``."""

from __future__ import annotations

from typing import Any

from lark import Token

from spec import syntax
from spec.parse_expressions import Building, Node, arguments, block, expression, parts, type_
from spec.system import Place


def declarations(node: Node, building: Building) -> tuple[syntax.Declaration, ...]:
    """The declaration that ``node`` spells; several only for ``const A, B: int``."""
    match node.data, parts(node):
        case "const_declaration", [names, kind]:
            of, symmetric = str(kind.children[0]), kind.data == "const_symmetric_set"
            return tuple(syntax.ConstDeclaration(str(n), of, symmetric, building.place(n)) for n in names.children)
        case "type_declaration", [name, spelled]:
            return (syntax.TypeDeclaration(str(name), type_(spelled, building), building.place(name)),)
        case "enum_declaration", [name, *members]:
            return (syntax.EnumDeclaration(str(name), tuple(str(m) for m in members), building.place(name)),)
        case "record_declaration", [name, given]:
            return (syntax.RecordDeclaration(str(name), fields(given.children, building), building.place(name)),)
        case "message_declaration", [name, given]:
            return (syntax.MessageDeclaration(str(name), fields(given.children, building), building.place(name)),)
        case "network_declaration", [kind, features]:
            with_ = set() if features is None else {str(f.children[0]) for f in features.children}
            place = building.place(kind.children[0])
            return (syntax.NetworkDeclaration(str(kind.children[0]), "loss" in with_, "duplication" in with_, place),)
        case "track", [name, spelled]:
            return (syntax.TrackDeclaration(str(name), type_(spelled, building), building.place(name)),)
        case "property", [kind, name, stated]:
            return (property_(str(kind.children[0]), name, stated, building),)
        case "action_invariant", [name, stated]:
            return (property_("action invariant", name, stated, building),)
        case "fair", _:
            return (fair(node, building),)
        case "eventually", _:
            return (eventually(node, building),)
        case "converged", [word, stated]:
            return (property_("converged", word, stated, building),)
        case "variable", _:
            return (variable(node, building),)
        case "function", _:
            return (function(node, building),)
        case (("action" | "shared_action" | "handler" | "proc" | "on_flush"), _):
            return (member(node, building),)
        case (("server" | "process"), _):
            return (process(node, building),)
        case "scenario", _:
            return (scenario(node, building),)
        case "completion", _:
            return (completion(node, building),)
        case "macro", _:
            return (macro(node, building),)
        case "model", _:
            return (model(node, building),)
        case "mutant", _:
            return (mutant(node, building),)
        case "extends", [name, behaviour]:
            return (syntax.ExtendsDeclaration(str(name), behaviour is not None, building.place(name)),)
        case "beside", [where, label, body]:
            side = syntax.Beside(str(where.children[0]))
            return (syntax.BesideDeclaration(side, str(label), block(body, building), building.place(label)),)
    raise AssertionError(f"no declaration of syntax.py for {node.data}")


def fields(nodes: list[Any], building: Building) -> tuple[syntax.FieldDeclaration, ...]:
    found = []
    for node in nodes:
        name, spelled = parts(node)
        found.append(syntax.FieldDeclaration(str(name), type_(spelled, building), building.place(name)))
    return tuple(found)


def parameters(node: Node | None, building: Building) -> tuple[syntax.FieldDeclaration, ...]:
    return () if node is None else fields([p for p in parts(node) if p is not None], building)


def property_(kind: str, name: Token, stated: Node, building: Building) -> syntax.PropertyDeclaration:
    return syntax.PropertyDeclaration(kind, str(name), expression(stated, building), building.place(name))


def named(node: Node | None, building: Building) -> tuple[tuple[str, Place], ...]:
    """Names with their places; none where there is no list."""
    return () if node is None else tuple((str(name), building.place(name)) for name in parts(node))


def fair(node: Node, building: Building) -> syntax.FairDeclaration:
    name, *lines = parts(node)
    found: dict[str, list[tuple[str, Place]]] = {"weak": [], "strong": []}
    for line in lines:
        strength, rules = parts(line)
        found[str(strength.children[0])] += named(rules, building)
    return syntax.FairDeclaration(str(name), tuple(found["weak"]), tuple(found["strong"]), building.place(name))


def eventually(node: Node, building: Building) -> syntax.EventuallyDeclaration:
    name, given, under, first, second = parts(node)
    trigger, goal = (None, first) if second is None else (first, second)
    return syntax.EventuallyDeclaration(
        str(name),
        parameters(given, building),
        named(under, building),
        None if trigger is None else expression(trigger, building),
        expression(goal, building),
        building.place(name),
    )


def variable(node: Node, building: Building) -> syntax.VariableDeclaration:
    storage, name, spelled, initial = parts(node)
    return syntax.VariableDeclaration(
        str(storage.children[0]),
        str(name),
        type_(spelled, building),
        expression(initial, building),
        building.place(name),
    )


def function(node: Node, building: Building) -> syntax.FunctionDeclaration:
    name, given, result, body = parts(node)
    return syntax.FunctionDeclaration(
        str(name),
        parameters(given, building),
        type_(result, building),
        expression(body, building),
        building.place(name),
    )


Member = syntax.ActionDeclaration | syntax.HandlerDeclaration | syntax.ProcDeclaration | syntax.FlushDeclaration


def member(node: Node, building: Building) -> Member:
    match node.data, parts(node):
        case ("action" | "shared_action") as rule, [name, given, body]:
            return syntax.ActionDeclaration(
                str(name),
                parameters(given, building),
                block(body, building),
                rule == "shared_action",
                building.place(name),
            )
        case "handler", [message, parameter, name, body]:
            label = None if name is None else str(name)
            place = building.place(message if name is None else name)
            return syntax.HandlerDeclaration(str(message), str(parameter), label, block(body, building), place)
        case "proc", [name, given, body]:
            return syntax.ProcDeclaration(
                str(name), parameters(given, building), block(body, building), building.place(name)
            )
        case "on_flush", [word, body]:
            return syntax.FlushDeclaration(block(body, building), building.place(word))
    raise AssertionError(f"no member of a process for {node.data}")


def process(node: Node, building: Building) -> syntax.ProcessDeclaration:
    name, never_crashes, inside = parts(node)
    is_server = node.data == "server"
    return syntax.ProcessDeclaration(
        "Server" if is_server else str(name),
        is_server,
        never_crashes is not None,
        tuple(variable(m, building) for m in inside.children if m.data == "variable"),
        tuple(member(m, building) for m in inside.children if m.data != "variable"),
        building.place(name),
    )


# -------------------------------------------------------------------------- scenarios, models and mutants


def step(node: Node, building: Building) -> syntax.PatternStep:
    rule, given = parts(node)
    return syntax.PatternStep(str(rule), arguments(given, building), building.place(node))


def scenario(node: Node, building: Building) -> syntax.ScenarioDeclaration:
    name, after, *sections = parts(node)
    runs = [s for s in sections if s.data == "run"]
    goals = [s for s in sections if s.data == "reach"]
    for doubled in (*runs[1:], *goals[1:]):
        word = parts(doubled)[0]
        building.fault("S117", building.place(word), f"a scenario has one `{word}:`", "chain scenarios with `after`")
    for late in runs:
        if goals and parts(goals[0])[0].line < parts(late)[0].line:
            building.fault("S117", building.place(parts(late)[0]), "`run:` stands before `reach:`")
    return syntax.ScenarioDeclaration(
        str(name),
        None if after is None else str(after),
        tuple(step(s, building) for s in parts(runs[0])[1:]) if runs else (),
        expression(parts(goals[0])[1], building) if goals else None,
        building.place(name),
    )


def completion(node: Node, building: Building) -> syntax.CompletionDeclaration:
    name, given, *steps = parts(node)
    found = []
    for node_of_step in steps:
        shape, when = parts(node_of_step)
        taken = step(shape, building)
        condition = None if when is None else expression(when, building)
        found.append(syntax.CompletionStepDeclaration(taken.rule, taken.arguments, condition, taken.place))
    return syntax.CompletionDeclaration(str(name), parameters(given, building), tuple(found), building.place(name))


def macro(node: Node, building: Building) -> syntax.MacroDeclaration:
    name, given, *steps = parts(node)
    found = []
    for node_of_step in steps:
        optional, shape = parts(node_of_step)
        taken = step(shape, building)
        found.append(syntax.MacroStepDeclaration(taken.rule, taken.arguments, optional is not None, taken.place))
    return syntax.MacroDeclaration(str(name), parameters(given, building), tuple(found), building.place(name))


def model(node: Node, building: Building) -> syntax.ModelDeclaration:
    name, *lines = parts(node)
    settings, enumerations, agreements, constraints = [], [], [], []
    checks: list[tuple[str, Place]] = []
    forbidden: list[tuple[str, Place]] = []
    for line in lines:
        match line.data, parts(line):
            case "setting", [setting, value]:
                settings.append(syntax.Setting(str(setting), expression(value, building), building.place(setting)))
            case "enumerate", [of, depth, window]:
                place = building.place(line)
                enumerations.append(syntax.EnumerateSetting(str(of), int(depth), int(window), place))
            case "agree", [depth, window]:
                agreements.append(syntax.AgreeSetting(int(depth), int(window), building.place(line)))
            case "constraint", [label, stated]:
                constraints.append(property_("constraint", label, stated, building))
            case "check", [names]:
                checks += named(names, building)
            case "forbid", [names]:
                forbidden += named(names, building)
    return syntax.ModelDeclaration(
        str(name),
        tuple(settings),
        tuple(enumerations),
        tuple(constraints),
        building.place(name),
        tuple(checks),
        tuple(forbidden),
        tuple(agreements),
    )


def mutant(node: Node, building: Building) -> syntax.MutantDeclaration:
    name, of, *lines = parts(node)
    breaks: list[syntax.BrokenProperty] = []
    survivals: list[tuple[syntax.Survival, Place]] = []
    replacements, variables, functions = [], [], []
    for line in lines:
        match line.data:
            case "breaks":
                breaks += [broken(node, building) for node in parts(line)]
            case "survival":
                (word,) = parts(line)[0].children
                survivals.append((syntax.Survival(str(word)), building.place(word)))
            case "at_block":
                label, body = parts(line)
                replacements.append(syntax.AtBlock(str(label), block(body, building), building.place(label)))
            case "variable":
                variables.append(variable(line, building))
            case "function":
                functions.append(function(line, building))
    for survival, place in survivals if breaks else survivals[1:]:
        hint = "a mutant breaks properties, or it is neutral, or it survives within the bounds of its model"
        building.fault("S117", place, f"`{survival.value}` is a second claim of one mutant", hint)
    return syntax.MutantDeclaration(
        str(name),
        str(of),
        tuple(breaks),
        survivals[0][0] if survivals else None,
        tuple(replacements),
        tuple(variables),
        tuple(functions),
        building.place(name),
    )


def broken(node: Node, building: Building) -> syntax.BrokenProperty:
    name, length, macros, model = node.children
    return syntax.BrokenProperty(
        str(name),
        None if length is None else int(str(length)),
        building.place(name),
        macros is not None,
        None if model is None else str(model),
    )
