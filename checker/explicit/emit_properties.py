"""Invariants, action invariants and goals as code: each function returns a mask of properties, or -1 for an error.

As in the evaluator every invariant is evaluated, so an error in a later one is an error even where an earlier one is
broken; a goal is evaluated only while it is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checker.explicit.emit_code import Code
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.errors import NotEncodable
from checker.explicit.llvm import Ssa, ir
from spec.system import Grain, Property

MOST_PROPERTIES = 62
FAILED = -1


def emit_properties(module: Any, transitions: Transitions) -> None:
    system = transitions.system
    for kind in (system.invariants, system.action_invariants, system.sometimes):
        if len(kind) > MOST_PROPERTIES:
            raise NotEncodable(f"more than {MOST_PROPERTIES} properties of one kind")
    _invariants(module, transitions, system.invariants)
    _goals(module, transitions, system.sometimes)
    _action_invariants(module, transitions, system.action_invariants)


def _function(module: Any, name: str, *arguments: Any) -> tuple[Code, Any]:
    function = ir.Function(module, ir.FunctionType(I64, arguments), name)
    function.linkage = "internal"
    code = Code(function)
    error = code.block("error")
    ir.IRBuilder(error).ret(number(FAILED))
    return code, error


def _mask(code: Code, expressions: Expressions, properties: Sequence[Property]) -> Ssa:
    """Bit i: property i is false."""
    mask: Ssa = number(0)
    for i, property_ in enumerate(properties):
        broken = code.resize(code.negation(expressions.boolean(property_.expr)), I64)
        mask = code.either(mask, code.shift_left(broken, number(i)))
    return mask


def _invariants(module: Any, transitions: Transitions, properties: Sequence[Property]) -> None:
    code, error = _function(module, "invariants", POINTER)
    frame = transitions.property_frame(code, code.function.args[0], error)
    code.b.ret(_mask(code, Expressions(frame), properties))
    code.finish()


def _goals(module: Any, transitions: Transitions, properties: Sequence[Property]) -> None:
    """(state, wanted): which of the wanted goals are reached."""
    code, error = _function(module, "goals", POINTER, I64)
    state, wanted = code.function.args
    frame = transitions.property_frame(code, state, error)
    expressions = Expressions(frame)
    reached = code.cell(I64)
    code.put(reached, number(0))
    for i, property_ in enumerate(properties):
        is_wanted = code.is_less(number(0), code.both(wanted, number(1 << i)))

        def look(i: int = i, property_: Property = property_) -> None:
            holds = code.resize(expressions.boolean(property_.expr), I64)
            code.put(reached, code.either(code.get(reached, I64), code.shift_left(holds, number(i))))

        code.if_(is_wanted, look)
    code.b.ret(code.get(reached, I64))
    code.finish()


def _action_invariants(module: Any, transitions: Transitions, properties: Sequence[Property]) -> None:
    """(before, after, label)"""
    code, error = _function(module, "action_invariants", POINTER, POINTER, I64)
    before, after, label = code.function.args
    frame = transitions.property_frame(code, after, error)
    frame.old = transitions.property_frame(code, before, error)
    if transitions.system.grain is Grain.MACRO:  # a macro's label has the result: it was evaluated label by label
        macros = min(transitions.numbers[macro.name][0] for macro in transitions.system.macros)
        done = code.block()
        code.go_on(code.is_less(code.low_bits(label, 16), number(macros)), done)
        builder = ir.IRBuilder(done)
        builder.ret(builder.ashr(label, number(16)))
    frame.label = code.low_bits(label, 16)
    frame.rule_numbers = transitions.numbers
    code.b.ret(_mask(code, Expressions(frame), properties))
    code.finish()
