"""How the function of one transition begins: arguments, ways out, the acting process, and what its budget allows."""

from __future__ import annotations

from dataclasses import dataclass

from checker.explicit.context import OUT
from checker.explicit.emit_code import Code
from checker.explicit.emit_exits import Exits
from checker.explicit.emit_frame import Own, read_value, region_of
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.emit_values import Int
from checker.explicit.layout import KindLayout, Place
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import IntShape


@dataclass(frozen=True, slots=True)
class Arguments:
    """A rule function's: the acting process's position in its kind, which choice, slot or keep, and the label."""

    context: Ssa
    state: Ssa
    pool: Ssa
    local: Ssa
    choice: Ssa
    label: Ssa


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget stands at after the transition, and where."""

    place: Place
    value: Int


def begun(of: Transitions, name: str) -> tuple[Code, Arguments]:
    """A function for one transition, without its body."""
    type_ = ir.FunctionType(I64, [POINTER, POINTER, POINTER, I64, I64, I64])
    function = ir.Function(of.module, type_, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    for argument in function.args[:3]:
        argument.add_attribute("noalias")
    code, (context, state, pool, *choice) = Code(function), function.args
    context = code.bounded_context(context)
    state, pool = code.bounded(state, of.layout.words), code.bounded(pool, of.pool.words)
    return code, Arguments(context, state, pool, *choice)


def record_of(of: Transitions, code: Code, context: Ssa) -> Ssa:
    """Where the label and the words of the next successor go."""
    return code.bounded(code.b.inttoptr(code.word(context, OUT), POINTER), of.layout.words + 1)


def own_of(code: Code, kind: KindLayout, local: Ssa) -> Own:
    """The acting process, as known from the beginning on."""
    body = code.b
    code.b = code.prologue
    own = Own(kind, local, code.add(local, number(kind.first)), region_of(code, kind, local))
    code.b = body
    return own


def spent(of: Transitions, code: Code, state: Ssa, rule: str, exits: Exits) -> Spent | None:
    """Not enabled if the rule's budget is used up; else what is then spent, and where that stands."""
    if rule not in of.budgets:
        return None
    which = of.budgets[rule]
    limit, place = of.layout.budgets[which][1], of.layout.budget_places[which]
    already = read_value(code, state, 0, place, IntShape(0, limit))
    assert isinstance(already, Int)
    code.go_on(code.is_less(already.number, number(limit)), exits.none)
    return Spent(place, Int(code.add(already.number, number(1)), 0, limit))
