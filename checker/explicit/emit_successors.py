"""The function that fires every label of a state, and the loops over processes, choices and slots that it is made of.

``successors(context, state)`` appends a record for every enabled label: the label, then the words of the successor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from checker.explicit.context import LABEL, OUT
from checker.explicit.emit_code import Code, unreachable_if_unused
from checker.explicit.emit_frame import read_value, region_of
from checker.explicit.emit_rules import rule_function
from checker.explicit.emit_system_actions import (
    crash_function,
    drop_or_duplicate_function,
    flush_function,
    restart_function,
)
from checker.explicit.emit_transitions import SYSTEM_ACTIONS, Transitions
from checker.explicit.emit_types import BIT, I64, POINTER, TRUE, number
from checker.explicit.emit_values import Int
from checker.explicit.layout import KindLayout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import IntShape, count, shape_of
from spec.grains import alone
from spec.system import Rule


def emit_successors(of: Transitions, macros: Sequence[tuple[int, Any]] = ()) -> None:
    """``macros``: each one's number and its function, see emit_macros."""
    function = ir.Function(of.module, ir.FunctionType(I64, [POINTER, POINTER]), "successors")
    function.linkage = "internal"
    for argument in function.args:
        argument.add_attribute("noalias")
    code = Code(function)
    context = code.bounded_context(function.args[0])
    state = code.bounded(function.args[1], of.layout.words)
    pool, begin = of.pool.cell(code), code.word(context, OUT)
    if of.layout.slots:
        code.b.call(of.pool.load, [state, pool])
    else:
        of.pool.set_size(code, pool, number(0))
    failed = code.block("failed")
    body, code.b = code.b, ir.IRBuilder(failed)
    status, failing = code.b.phi(I64), code.b.phi(I64)
    code.put_word(context, LABEL, failing)
    code.b.ret(status)
    code.b = body

    def fire(rule: Any, which: int, local: Ssa, choice: Ssa, first: int = 0) -> None:
        label = code.either(number(which), code.shift_left(code.add(local, number(first)), number(16)))
        label = code.either(label, code.shift_left(choice, number(32)))
        of.leave_room(code, context, begin)
        result = code.b.call(rule, [context, state, pool, local, choice, label])
        status.add_incoming(result, code.b.block)
        failing.add_incoming(label, code.b.block)
        code.go_on(code.is_equal(result, number(0)), failed)

    for which, function in macros:
        result = code.b.call(function, [context, state, code.b.inttoptr(begin, POINTER)])
        status.add_incoming(result, code.b.block)
        failing.add_incoming(number(which), code.b.block)
        code.go_on(code.is_equal(result, number(0)), failed)
    Firing(of, code, state, pool, fire).all()
    code.b.ret(number(0))
    unreachable_if_unused(status)
    code.finish()


@dataclass(slots=True)
class Firing:
    """Writes the loops over processes, choices and slots that fire every label that may be enabled."""

    of: Transitions
    code: Code
    state: Ssa
    pool: Ssa
    fire: Callable[..., None]

    def all(self) -> None:
        for name in alone(self.of.system):
            self.named(name)

    def named(self, name: str) -> None:
        """All labels of a rule or a system action."""
        system, of = self.of.system, self.of
        kinds = [*of.layout.kinds.values()] if name in ("flush", "crash", "restart") else []
        which = of.numbers[name][-1]
        for kind in kinds:
            if name == "flush" and kind.records:
                self._flushes(which, kind)
            elif name == "crash" and kind.kind.crashes and system.bounds.crashes:
                self._crashes(which, kind)
            elif name == "restart" and kind.kind.crashes and of.layout.crashes:
                self._restarts(which, kind)
        if name in ("drop", "duplicate"):
            there = system.network.loss if name == "drop" else system.network.duplication
            if there and of.layout.slots:
                self._slots(of.once(name, lambda: drop_or_duplicate_function(of, name)), which)
        elif name not in SYSTEM_ACTIONS:
            for which in of.numbers[name]:
                self._rule(which, system.rules[which])

    def _is_up(self, index: Ssa) -> Ssa:
        if not self.of.layout.crashes:
            return TRUE
        code, piece = self.code, self.of.layout.up.pieces[0]
        word = code.shift_right(code.word(self.state, piece.word), code.add(index, number(piece.shift)))
        return code.resize(code.low_bits(word, 1), BIT)

    def _processes(self, kind: KindLayout, body: Callable[[Ssa], None], *, up: bool = True) -> None:
        code = self.code
        last = number(len(kind.kind.sort.elements) - 1)

        def process(local: Ssa) -> None:
            there = self._is_up(code.add(local, number(kind.first)))
            code.if_(there if up else code.negation(there), lambda: body(local))

        code.for_range(number(0), last, process)

    def _rule(self, which: int, rule: Rule) -> None:
        code, of = self.code, self.of
        choices = 1
        for parameter in rule.parameters:
            choices *= count(shape_of(parameter.sort))
        if rule.message is not None:
            if of.layout.slots and rule.message.name in of.layout.messages:
                self._handler(which, rule)
            return
        if not choices:
            return
        function = of.once(f"rule {which}", lambda: rule_function(of, which, rule))

        def choose(local: Ssa) -> None:
            code.for_range(number(0), number(choices - 1), lambda i: self.fire(function, which, local, i))

        if rule.kind is None:
            choose(number(0))
        else:
            self._processes(of.layout.kinds[rule.kind], choose)

    def _handler(self, which: int, rule: Rule) -> None:
        code, of = self.code, self.of
        assert rule.message is not None
        assert rule.kind is not None
        function = of.once(f"rule {which}", lambda: rule_function(of, which, rule))
        kind, access = of.layout.kinds[rule.kind], of.pool
        tag = number(of.layout.messages[rule.message.name].tag)

        def slot(i: Ssa) -> None:
            key = access.key(code, self.pool, i)
            able = code.both(access.is_deliverable(code, self.pool, i, key), code.is_equal(access.tag(code, key), tag))
            destination = access.destination(code, key)
            able = code.both(able, self._is_up(destination))
            local = code.sub(destination, number(kind.first))
            code.if_(able, lambda: self.fire(function, which, local, i))

        code.for_range(number(0), code.sub(access.size(code, self.pool), number(1)), slot)

    def _slots(self, function: Any, which: int) -> None:
        code, access = self.code, self.of.pool

        def slot(i: Ssa) -> None:
            able = access.is_deliverable(code, self.pool, i, access.key(code, self.pool, i))
            code.if_(able, lambda: self.fire(function, which, number(0), i))

        code.for_range(number(0), code.sub(access.size(code, self.pool), number(1)), slot)

    def _pending(self, kind: KindLayout, local: Ssa) -> Ssa:
        base = region_of(self.code, kind, local)
        found = read_value(self.code, self.state, base, kind.pending, IntShape(0, len(kind.records)))
        assert isinstance(found, Int)
        return found.number

    def _flushes(self, which: int, kind: KindLayout) -> None:
        code, of = self.code, self.of
        function = of.once(f"flush {kind.kind.name}", lambda: flush_function(of, kind))

        def process(local: Ssa) -> None:
            some = code.is_less(number(0), self._pending(kind, local))
            code.if_(some, lambda: self.fire(function, which, local, number(0), kind.first))

        self._processes(kind, process)

    def _crashes(self, which: int, kind: KindLayout) -> None:
        code, of = self.code, self.of
        function = of.once(f"crash {kind.kind.name}", lambda: crash_function(of, kind))

        def process(local: Ssa) -> None:
            keeps = self._pending(kind, local) if kind.records else number(0)
            code.for_range(number(0), keeps, lambda keep: self.fire(function, which, local, keep, kind.first))

        self._processes(kind, process)

    def _restarts(self, which: int, kind: KindLayout) -> None:
        of = self.of
        function = of.once(f"restart {kind.kind.name}", lambda: restart_function(of, kind))
        self._processes(kind, lambda local: self.fire(function, which, local, number(0), kind.first), up=False)
