"""From lark's tree to the expressions, types and statements of ``syntax.py``.

What the grammar lets pass but the language does not (``f(x).y := 1`` as a target, ``x[1, 2]`` outside a type) is
noted in ``Building.faults``; a stand-in node keeps the walk going, so that all of a declaration is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lark import Token, Tree

from spec import syntax
from spec.diagnostics import Diagnostic
from spec.parse_hints import FOREIGN_STATEMENTS, STATEMENT_WORDS, advice
from spec.system import Place

Node: TypeAlias = "Tree[Token]"


@dataclass(slots=True)
class Building:
    """The text that a tree came from, and what was found wrong with the tree."""

    file: str
    lines: list[str]
    faults: list[Diagnostic] = field(default_factory=list)

    def fault(self, code: str, place: Place, message: str, hint: str | None = None) -> None:
        self.faults.append(Diagnostic(code, place, message, hint))

    def place(self, node: Node | Token) -> Place:
        """Where ``node`` starts, and how wide its first line is."""
        where: Any = node if isinstance(node, Token) else node.meta
        line: int = where.line
        if where.end_line == line:
            end: int = where.end_column
        else:
            end = len(self.lines[line - 1].split("#")[0].rstrip()) + 1
        return Place(self.file, line, where.column, max(1, end - where.column))


def parts(node: Node) -> list[Any]:
    """The children, untyped: each rule of the grammar says what they are."""
    return list(node.children)


# -------------------------------------------------------------------------------------------- expressions


def expression(node: Node, building: Building) -> syntax.Expression:
    place = building.place(node)
    match node.data, parts(node):
        case "name", [name]:
            return syntax.Name(str(name), place)
        case "number", [digits]:
            return syntax.Number(int(digits), place)
        case "true", _:
            return syntax.Boolean(True, place)
        case "false", _:
            return syntax.Boolean(False, place)
        case "none", _:
            return syntax.NoneLiteral(place)
        case "dot", [of, name]:
            return syntax.Dot(expression(of, building), str(name), place)
        case "call", _:
            return call(node, building)
        case "subscript", [of, *keys]:
            return subscript(of, keys, place, building)
        case "prefix", [operator, of]:
            return syntax.Prefix(str(operator), expression(of, building), place)
        case "infix", [left, operator, right]:
            return syntax.Infix(str(operator), expression(left, building), expression(right, building), place)
        case "comparison", [left, operator, right]:
            word = "_".join(operator.children)  # `not in` is one operator, not_in
            return syntax.Infix(word, expression(left, building), expression(right, building), place)
        case "conditional", [condition, then, otherwise]:
            return syntax.Conditional(
                expression(condition, building), expression(then, building), expression(otherwise, building), place
            )
        case "quantified", [quantifier, binders, body]:
            bound = tuple(binder(b, building) for b in binders.children)
            return syntax.QuantifiedExpression(str(quantifier), bound, expression(body, building), place)
        case "set_display", elements:
            return syntax.SetDisplay(tuple(expression(e, building) for e in elements if e is not None), place)
        case "seq_display", elements:
            return syntax.SeqDisplay(tuple(expression(e, building) for e in elements if e is not None), place)
        case "set_builder", [value, name, domain, condition]:
            when = None if condition is None else expression(condition, building)
            return syntax.SetBuilder(expression(value, building), str(name), expression(domain, building), when, place)
        case "map_builder", [key, value, name, domain]:
            if key != name:
                building.fault(
                    "S117",
                    building.place(name),
                    f"the key is called `{key}` before the `:` and `{name}` after `for`",
                    f"write `{{{key}: … for {key} in …}}`",
                )
            return syntax.MapBuilder(str(key), expression(value, building), type_(domain, building), place)
    raise AssertionError(f"no expression of syntax.py for {node.data}")


def call(node: Node, building: Building) -> syntax.Call:
    name, given = parts(node)
    return syntax.Call(str(name), arguments(given, building), building.place(node))


def arguments(node: Node | None, building: Building) -> tuple[syntax.Argument, ...]:
    if node is None:
        return ()
    found = []
    for argument in parts(node):
        name, value = parts(argument)
        found.append(
            syntax.Argument(None if name is None else str(name), expression(value, building), building.place(argument))
        )
    return tuple(found)


def binder(node: Node, building: Building) -> syntax.Binder:
    name, domain = parts(node)
    return syntax.Binder(str(name), expression(domain, building), building.place(name))


def subscript(of: Node, keys: list[Node], place: Place, building: Building) -> syntax.Expression:
    if len(keys) > 1:
        hint = "write `x[a][b]` for `x[a, b]`"
        building.fault("S117", building.place(keys[1]), "one key stands between `[` and `]`", hint)
    key = expression(keys[0], building)
    if isinstance(key, syntax.Infix) and key.operator == "..":
        return syntax.Subscript(expression(of, building), key.left, key.right, place)
    return syntax.Subscript(expression(of, building), key, None, place)


# ------------------------------------------------------------------------------------------------- types


def type_(node: Node, building: Building) -> syntax.TypeExpression:
    """The type that an expression spells: a name, a range, or a constructor with arguments in brackets."""
    place = building.place(node)
    match node.data, parts(node):
        case "name", [name]:
            return syntax.NameType(str(name), place)
        case "infix", [low, "..", high]:
            return syntax.RangeType(expression(low, building), expression(high, building), place)
        case "subscript", [Tree(data="name", children=[constructor]), *given]:
            return syntax.AppliedType(
                str(constructor),
                tuple(type_argument(str(constructor), i, a, building) for i, a in enumerate(given)),
                place,
            )
    building.fault(
        "S117",
        place,
        "a type is expected here",
        "a type is a name, a range such as 0..max_term, or optional[T], set[T], seq[T, capacity], map[K, V]",
    )
    return syntax.NameType("int", place)


def type_argument(
    constructor: str, index: int, node: Node, building: Building
) -> syntax.TypeExpression | syntax.Expression:
    if constructor == "seq" and index == 1:
        return expression(node, building)
    return type_(node, building)


# --------------------------------------------------------------------------------------------- statements


def block(node: Node, building: Building) -> syntax.Body:
    return tuple(statement(child, building) for child in parts(node))


def statement(node: Node, building: Building) -> syntax.Statement:
    place = building.place(node)
    match node.data, parts(node):
        case "assign", [of, value]:
            return syntax.AssignStatement(target(of, building), expression(value, building), False, place)
        case "ghost_assign", [of, value]:
            return syntax.AssignStatement(target(of, building), expression(value, building), True, place)
        case "call_statement", [called]:
            return call_statement(called, building)
        case "let", [name, value]:
            return syntax.LetStatement(str(name), expression(value, building), place)
        case "require", [condition]:
            return syntax.RequireStatement(expression(condition, building), place)
        case "send", [message, destination]:
            return syntax.SendStatement(call(message, building), expression(destination, building), place)
        case "reply", [message]:
            return syntax.SendStatement(call(message, building), None, place)
        case "event", [announced]:
            return syntax.EventStatement(call(announced, building), place)
        case "keep", [name]:
            return syntax.KeepStatement(str(name), place)
        case "simple_word", [word]:
            return syntax.SimpleStatement(str(word), place)
        case "at_block", [label, body]:
            return syntax.AtBlock(str(label), block(body, building), building.place(label))
        case "for_statement", [name, domain, body]:
            return syntax.ForStatement(str(name), expression(domain, building), block(body, building), place)
        case "if_statement", [condition, then, *others]:
            return if_statement(place, condition, then, others, building)
    raise AssertionError(f"no statement of syntax.py for {node.data}")


def if_statement(
    place: Place, condition: Node, then: Node, others: list[Node | None], building: Building
) -> syntax.IfStatement:
    """``others``: the ``elif`` branches in order, then the ``else`` branch or ``None``."""
    *alternatives, last = others
    otherwise = () if last is None else block(parts(last)[0], building)
    for alternative in reversed(alternatives):
        assert alternative is not None
        test, body = parts(alternative)
        chained = syntax.IfStatement(
            expression(test, building), block(body, building), otherwise, building.place(alternative)
        )
        otherwise = (chained,)
    return syntax.IfStatement(expression(condition, building), block(then, building), otherwise, place)


def target(node: Node, building: Building) -> syntax.Expression:
    of = expression(node, building)
    base = of
    while True:
        match base:
            case syntax.Dot(of=inner):
                base = inner
            case syntax.Subscript(of=inner, high=None):
                base = inner
            case syntax.Name():
                return of
            case _:
                break
    building.fault(
        "S117",
        building.place(node),
        "this cannot be assigned to",
        "assign to a variable, or to a part of one: `x := …`, `x[key] := …`, `x.field := …`",
    )
    return of


def call_statement(node: Node, building: Building) -> syntax.Statement:
    called = expression(node, building)
    if isinstance(called, syntax.Call):
        return syntax.CallStatement(called, called.place)
    if isinstance(called, syntax.Name):
        hint = advice(called.name, FOREIGN_STATEMENTS, STATEMENT_WORDS)
        hint = hint or f"a proc is called with brackets: `{called.name}()`"
        building.fault("S110", called.place, f"`{called.name}` is not a statement", hint)
    else:
        building.fault("S110", called.place, "an expression is not a statement", "to assign, write `x := …`")
    return syntax.SimpleStatement("skip", called.place)
