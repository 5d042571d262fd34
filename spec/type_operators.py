"""Types of operators: which kinds of values each one takes, and how its two sides come to one type."""

from __future__ import annotations

from spec.resolve import SYSTEM_ACTIONS
from spec.sorts import BOOL, INT, AtomSort, IntSort, MessageSort, OptionalSort, SeqSort, SetSort, Sort
from spec.syntax import Expression, Infix, Name, NoneLiteral, Number, Prefix
from spec.system import (
    Binary,
    Expr,
    IntRange,
    LabelIs,
    Literal,
    MakeSet,
    MessagesIn,
    Operator,
    Unary,
    UnaryOperator,
)
from spec.type_report import did_you_mean
from spec.type_scope import Scope, is_open
from spec.type_sorts import coerced, comparable, described, joined

_ARITHMETIC = {"*": Operator.MULTIPLY, "div": Operator.DIVIDE, "mod": Operator.MODULO}
_ORDER = {"<": Operator.LESS, "<=": Operator.LESS_EQUAL, ">": Operator.GREATER, ">=": Operator.GREATER_EQUAL}
_LOGIC = {"and": Operator.AND, "or": Operator.OR, "=>": Operator.IMPLIES}


def prefix(node: Prefix, scope: Scope) -> Expr | None:
    if node.operator == "not":
        of = scope.condition(node.of, "the operand of `not`")
        return None if of is None else Unary(UnaryOperator.NOT, of, BOOL, node.place)
    if isinstance(node.of, Number):
        return Literal(-node.of.value, INT)
    of = scope.typed(node.of)
    return (
        None if of is None or not _are_ints(node, of, of, scope) else Unary(UnaryOperator.NEGATE, of, INT, node.place)
    )


def infix(node: Infix, scope: Scope, expected: Sort | None) -> Expr | None:
    operator = node.operator
    if operator in _LOGIC:
        left = scope.condition(node.left, f"the left side of `{operator}`")
        right = scope.condition(node.right, f"the right side of `{operator}`")
        return None if left is None or right is None else Binary(_LOGIC[operator], left, right, BOOL, node.place)
    if operator in _ORDER or operator in _ARITHMETIC or operator == "..":
        return _ints(node, scope)
    match operator:
        case "==" | "!=":
            return _equal(node, scope)
        case "in" | "not_in":
            inside = _in(node, scope)
            if inside is None or operator == "in":
                return inside
            return Unary(UnaryOperator.NOT, inside, BOOL, node.place)
        case "+" | "-":
            return _plus_minus(node, scope, expected)
        case "&":
            return _sets(node, Operator.INTERSECT, scope, expected)
        case _:
            assert operator == "subset", operator
            return _sets(node, Operator.SUBSET, scope, None)


def pair(
    left: Expression, right: Expression, scope: Scope, expected: Sort | None, *, wrap: bool = True
) -> tuple[Expr, Expr] | None:
    """Both expressions, where one that is open takes its type from the other. ``wrap``: `none` beside a T makes
    both an optional[T]."""
    swapped = is_open(left) and not is_open(right)
    first_node, second_node = (right, left) if swapped else (left, right)
    first = scope.typed(first_node, expected)
    if first is None:
        if not is_open(second_node):
            scope.typed(second_node, expected)
        return None
    context: Sort = first.sort
    if wrap and isinstance(second_node, NoneLiteral) and not isinstance(context, OptionalSort):
        context = OptionalSort(context)
    second = scope.typed(second_node, context)
    if second is None:
        return None
    return (second, first) if swapped else (first, second)


def unified(left: Expr, right: Expr) -> tuple[Expr, Expr] | None:
    """Both with one kind of value: one may have to become an optional. ``None``: they have nothing in common."""
    if comparable(left.sort, right.sort):
        return left, right
    wrapped = coerced(left, right.sort)
    if wrapped is not None:
        return wrapped, right
    wrapped = coerced(right, left.sort)
    return None if wrapped is None else (left, wrapped)


def _equal(node: Infix, scope: Scope) -> Expr | None:
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(side, Name) and side.name == "label" and "label" not in scope.locals:
            return _label(node, side, other, scope)
    sides = pair(node.left, node.right, scope, None, wrap=False)
    if sides is None:
        return None
    united = unified(*sides)
    if united is None:
        message = f"cannot compare {described(sides[0].sort)} with {described(sides[1].sort)}"
        scope.report.error(
            "S302", node.place, message, "both sides of a comparison have one type; these are never equal"
        )
        return None
    operator = Operator.EQUAL if node.operator == "==" else Operator.NOT_EQUAL
    for one, empty in (united, united[::-1]):
        if isinstance(one, MessagesIn) and empty == MakeSet((), empty.sort):  # engines count messages, and store none
            return Binary(operator, Unary(UnaryOperator.SIZE, one, INT), Literal(0, INT), BOOL, node.place)
    return Binary(operator, *united, BOOL, node.place)


def _label(node: Infix, label: Name, rule: Expression, scope: Scope) -> Expr | None:
    if not scope.permissions.step:
        hint = "move it into an `action invariant`, which speaks of a step"
        scope.report.error("S415", label.place, f"{scope.permissions.where} has no `label`", hint)
        return None
    known = (*scope.environment.declarations.rules, *SYSTEM_ACTIONS)
    if not isinstance(rule, Name) or rule.name not in known:
        otherwise = "write the name of an action or a handler"
        hint = did_you_mean(rule.name, known, otherwise) if isinstance(rule, Name) else otherwise
        what = f"`{rule.name}`" if isinstance(rule, Name) else "this"
        scope.report.error("S206", rule.place, f"{what} is not an action, a handler or a system action", hint)
        return None
    test = LabelIs(rule.name, BOOL)
    return test if node.operator == "==" else Unary(UnaryOperator.NOT, test, BOOL, node.place)


def _in(node: Infix, scope: Scope) -> Expr | None:
    left = None if is_open(node.left) else scope.typed(node.left)
    if left is None and not is_open(node.left):
        if not is_open(node.right):
            scope.typed(node.right)
        return None
    right = scope.typed(node.right, None if left is None else SetSort(left.sort))
    if right is None:
        return None
    if not isinstance(right.sort, SetSort):
        hint = (
            "`exists i in 1..len(s): s[i] == x` searches a sequence"
            if isinstance(right.sort, SeqSort)
            else "write a set"
        )
        scope.report.error("S309", node.right.place, f"`in` tests a set; this is {described(right.sort)}", hint)
        return None
    element = right.sort.of
    if left is None:
        left = scope.typed(node.left, element)
        if left is None:
            return None
    fitting = left if comparable(left.sort, element) else coerced(left, element)
    if fitting is None:
        hint = "write an element of the set's type"
        if isinstance(left.sort, OptionalSort) and comparable(left.sort.of, element):
            hint = "check that it is not none, then write `the(x) in …`"
        message = f"{described(left.sort)} is never in a {described(right.sort)}"
        scope.report.error("S302", node.place, message, hint)
        return None
    return Binary(Operator.IN, fitting, right, BOOL, node.place)


def _plus_minus(node: Infix, scope: Scope, expected: Sort | None) -> Expr | None:
    sides = pair(node.left, node.right, scope, expected)
    if sides is None:
        return None
    left, right = sides
    plus = node.operator == "+"
    match left.sort, right.sort:
        case IntSort(), IntSort():
            return Binary(Operator.ADD if plus else Operator.SUBTRACT, left, right, INT, node.place)
        case SetSort(of), SetSort(other) if comparable(of, other):
            sort = joined(left.sort, right.sort) if plus else left.sort
            return Binary(Operator.UNION if plus else Operator.DIFFERENCE, left, right, sort, node.place)
        case SeqSort(of, capacity), SeqSort(other, another) if plus and comparable(of, other):
            return Binary(Operator.CONCAT, left, right, concatenated(joined(of, other), capacity, another), node.place)
    takes = "two ints, two sets or two sequences" if plus else "two ints or two sets"
    message = f"`{node.operator}` takes {takes}; these are {described(left.sort)} and {described(right.sort)}"
    hint = None
    if isinstance(left.sort, SetSort) and comparable(left.sort.of, right.sort):
        hint = f"put the element in braces: `s {node.operator} {{x}}`"
    elif isinstance(left.sort, SeqSort) and plus and comparable(left.sort.of, right.sort):
        hint = "`append(s, x)` adds an element"
    scope.report.error("S303", node.place, message, hint or "make both sides one type")
    return None


def concatenated(of: Sort, capacity: int | None, another: int | None) -> SeqSort:
    """The sort of two sequences put together: as long as both at most."""
    return SeqSort(of, None if capacity is None or another is None else capacity + another)


def _sets(node: Infix, operator: Operator, scope: Scope, expected: Sort | None) -> Expr | None:
    sides = pair(node.left, node.right, scope, expected)
    if sides is None:
        return None
    left, right = sides
    if not (isinstance(left.sort, SetSort) and isinstance(right.sort, SetSort) and comparable(left.sort, right.sort)):
        these = f"{described(left.sort)} and {described(right.sort)}"
        message = f"`{node.operator}` takes two sets of one type; these are {these}"
        scope.report.error("S303", node.place, message, "put a single element in braces: `{x}`")
        return None
    return Binary(operator, left, right, BOOL if operator is Operator.SUBSET else left.sort, node.place)


def _ints(node: Infix, scope: Scope) -> Expr | None:
    left, right = scope.typed(node.left), scope.typed(node.right)
    if left is None or right is None or not _are_ints(node, left, right, scope):
        return None
    if node.operator in _ORDER:
        return Binary(_ORDER[node.operator], left, right, BOOL, node.place)
    if node.operator in _ARITHMETIC:
        return Binary(_ARITHMETIC[node.operator], left, right, INT, node.place)
    exact = isinstance(left, Literal) and isinstance(right, Literal) and left.value <= right.value
    of = IntSort(left.value, right.value) if exact and isinstance(left, Literal) and isinstance(right, Literal) else INT
    return IntRange(left, right, SetSort(of))


def _are_ints(node: Infix | Prefix, left: Expr, right: Expr, scope: Scope) -> bool:
    """Whether both operands are ints; S303 at the first that is not."""
    for expr in (left, right):
        if not isinstance(expr.sort, IntSort):
            place = node.right.place if isinstance(node, Infix) and expr is not left else _first(node).place
            hint = "write an int"
            match expr.sort:
                case SeqSort():
                    hint = "`len(x)` is a sequence's length"
                case SetSort():
                    hint = "`size(x)` is the number of a set's elements"
                case OptionalSort(IntSort()):
                    hint = "check that it is not none, then write `the(x)`"
                case AtomSort() | MessageSort():
                    hint = "elements have no order and no arithmetic"
            scope.report.error("S303", place, f"`{node.operator}` takes ints; this is {described(expr.sort)}", hint)
            return False
    return True


def _first(node: Infix | Prefix) -> Expression:
    return node.left if isinstance(node, Infix) else node.of
