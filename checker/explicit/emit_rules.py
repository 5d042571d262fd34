"""A rule of the spec, action or handler, as a function that appends the successor of one of its labels."""

from __future__ import annotations

from typing import Any

from checker.explicit.blocks import assigned, mentions
from checker.explicit.emit_code import Code
from checker.explicit.emit_exits import exits_of
from checker.explicit.emit_frame import Frame, read_message
from checker.explicit.emit_positions import at_position
from checker.explicit.emit_statements import Running
from checker.explicit.emit_transition_begin import begun, own_of, spent
from checker.explicit.emit_transition_end import Ending
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import number
from checker.explicit.emit_values import Emitted
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import count, shape_of
from spec.system import EndRecord, Rule


def rule_function(of: Transitions, which: int, rule: Rule) -> Any:
    """Fires one label of the rule."""
    code, given = begun(of, f"rule.{which}.{rule.name}")
    layout = of.layout
    exits = exits_of(code, given.context)
    frame = Frame(code, layout, given.state, lambda: given.pool, of.pool, exits.error)
    body = rule.body
    if rule.kind is not None:
        kind = layout.kinds[rule.kind]
        frame.own = own_of(code, kind, given.local)
        frame.local["self"] = at_position(code, given.local, shape_of(kind.kind.sort))
        if kind.kind.has_storage and not layout.buffered:
            body = (*body, *kind.kind.on_flush)
    budget = spent(of, code, given.state, rule.name, exits)
    frame.changing(assigned(body))
    if rule.message is not None:
        assert rule.message_name is not None
        assert not rule.parameters, "a handler's choice is its message"
        key = of.pool.key(code, given.pool, given.choice)
        frame.local[rule.message_name] = read_message(code, layout, layout.messages[rule.message.name], key)
    frame.local.update(chosen_parameters(code, rule, given.choice))
    running = Running(frame, rule.name, of.cuts, exits, every_order=of.every_order)
    running.block(rule.body)
    slot = given.choice if rule.message is not None else None
    Ending(of, running, given, budget).finish(slot, records=mentions(rule.body, EndRecord))
    return code.function


def chosen_parameters(code: Code, rule: Rule, choice: Ssa) -> dict[str, Emitted]:
    """The values of the rule's parameters, by the number of their combination."""
    found: dict[str, Emitted] = {}
    for parameter in reversed(rule.parameters):
        shape = shape_of(parameter.sort)
        size = number(count(shape))
        found[parameter.name] = at_position(code, code.b.urem(choice, size), shape)
        choice = code.b.udiv(choice, size)
    return found
