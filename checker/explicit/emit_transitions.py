"""What the functions of all transitions of a system share: numbers for labels and cuts, the pool, the constraints.

Each rule and each system action is a function of the context, the state, its pool and the parts of a label
(emit_transition_begin, emit_transition_end, emit_rules, emit_system_actions); ``successors`` fires them all
(emit_successors). Evaluated in the order of spec.evaluate: what a budget forbids first, then the body, the bounds on
messages in flight, on pending records, and the constraints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checker.explicit.blocks import most_sends
from checker.explicit.context import ERROR, OUT
from checker.explicit.emit_code import Code
from checker.explicit.emit_exits import Cuts
from checker.explicit.emit_expressions import Expressions
from checker.explicit.emit_frame import Frame
from checker.explicit.emit_pool import Pool
from checker.explicit.emit_types import I64, POINTER, number
from checker.explicit.layout import Layout
from checker.explicit.llvm import Ssa, ir
from spec.system import Grain, Property, System

SYSTEM_ACTIONS = ("flush", "crash", "restart", "drop", "duplicate")


def label_kinds(system: System) -> tuple[str, ...]:
    """What each kind of label is an occurrence of, by its number; at the macro grain the macros come last."""
    macros = system.macros if system.grain is Grain.MACRO else ()
    return (*(rule.name for rule in system.rules), *SYSTEM_ACTIONS, *(macro.name for macro in macros))


class Transitions:
    """The transitions of one system, which are emitted into a module."""

    def __init__(self, module: Any, layout: Layout, most: int, *, every_order: bool = False) -> None:
        """``most``: how many successors a state can have; the caller has room for so many. ``every_order``: a loop over
        a symmetric set fails if one of its rounds does, in whatever order they are."""
        self.module, self.layout, self.system, self.most = module, layout, layout.system, most
        self.every_order = every_order
        self.pool = Pool(module, layout, self._most_sends())
        self.cuts = Cuts()
        self.budgets = {rule: i for i, (rule, _) in enumerate(layout.budgets)}
        self.numbers: dict[str, list[int]] = {}  # the label kinds of each rule: `on any` has several
        for i, name in enumerate(label_kinds(self.system)):
            self.numbers.setdefault(name, []).append(i)
        self.constraints: list[tuple[str, Any]] = []
        self.made: dict[str, Any] = {}

    def emit(self) -> None:
        self.pool.emit()
        for constraint in self.system.constraints:
            self.constraints.append((constraint.name, self._constraint(constraint)))

    def once(self, what: str, make: Callable[[], Any]) -> Any:
        """The function of a rule or a system action, which several labels of macros may need."""
        if what not in self.made:
            self.made[what] = make()
        return self.made[what]

    def _most_sends(self) -> int:
        limit = self.layout.capacity.sends
        on_flush = {kind.name: most_sends(kind.on_flush, limit) for kind in self.system.kinds}
        bodies = [most_sends(rule.body, limit) + on_flush.get(rule.kind or "", 0) for rule in self.system.rules]
        return min(limit, max([*bodies, *on_flush.values()], default=0))

    def _constraint(self, constraint: Property) -> Any:
        """1 where it holds, 0 where not, ERROR."""
        function = ir.Function(self.module, ir.FunctionType(I64, [POINTER]), f"constraint.{constraint.name}")
        function.linkage = "internal"
        code = Code(function)
        error = code.block("error")
        frame = self.property_frame(code, function.args[0], error)
        code.b.ret(code.resize(Expressions(frame).boolean(constraint.expr), I64))
        code.b.position_at_end(error)
        code.b.ret(number(ERROR))
        code.finish()
        return function

    def property_frame(self, code: Code, state: Ssa, error: Any) -> Frame:
        """What a property reads: a state, whose pool is unpacked when it is asked for."""
        state = code.bounded(state, self.layout.words)
        loaded: list[Ssa] = []

        def pool() -> Ssa:
            if not loaded:
                loaded.append(self.pool.cell(code))
                code.prologue.call(self.pool.load, [state, loaded[0]])
            return loaded[0]

        return Frame(code, self.layout, state, pool, self.pool, error)

    def leave_room(self, code: Code, context: Ssa, begin: Ssa) -> None:
        """In a checked module: there is room for one more successor; if not, it takes the place of the first."""
        if code.checks is None:
            return
        here, room = code.word(context, OUT), number(8 * (self.layout.words + 1) * (self.most - 1))
        fits = code.is_less_equal(code.sub(here, begin), room)
        code.ensure(lambda: fits, "more successors than there is room for")
        code.put_word(context, OUT, code.select(fits, here, begin))
