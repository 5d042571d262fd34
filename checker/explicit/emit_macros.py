"""The macro grain as code: for each step of each macro a function that fires its labels and goes on with the next step.

The labels are fired by the functions of the micro grain, unchanged; a step only sees to it that they are the right ones
and that the state they lead to lands in a place of its own, from where the next step starts. The action invariants that
were broken on the way come along as an argument, and so does what the parameters are bound to: positions in their
sorts' domains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from checker.explicit.context import OUT
from checker.explicit.emit_code import Code, unreachable_if_unused
from checker.explicit.emit_comparing import equal, lies_in
from checker.explicit.emit_frame import read_message
from checker.explicit.emit_positions import at_position, position
from checker.explicit.emit_rules import chosen_parameters
from checker.explicit.emit_successors import Firing
from checker.explicit.emit_transitions import Transitions
from checker.explicit.emit_types import I64, POINTER, TRUE, number
from checker.explicit.emit_values import Atom, Emitted, Int, constant
from checker.explicit.errors import NotEncodable
from checker.explicit.layout import KindLayout, Layout
from checker.explicit.llvm import Ssa, ir
from checker.explicit.shapes import count, shape_of
from spec.system import Grain, Literal, Local, Macro, MacroStep, StorageMode, System

MOST_ACTION_INVARIANTS = 46
"""Those that a macro has broken on the way stand above the number in its label."""


def macro_functions(transitions: Transitions) -> list[tuple[int, Any]]:
    """The number of each macro in labels, and a function (context, state, where the state's successors begin) that
    fires all its labels. Emitted after the properties."""
    system = transitions.system
    if system.grain is Grain.MICRO:
        return []
    if len(system.action_invariants) > MOST_ACTION_INVARIANTS:
        raise NotEncodable(f"more than {MOST_ACTION_INVARIANTS} action invariants at the macro grain")
    return [(transitions.numbers[macro.name][0], _Macro(transitions, macro).emit()) for macro in system.macros]


def most_macro_labels(system: System, macro: Macro, layout: Layout) -> int:
    """How many labels of a macro a state can have at most."""
    total, bound = 1, set[str]()
    for step in macro.steps:
        total *= _most_labels(system, step, layout, bound)
        values = (step.process, *(value for _, value in step.arguments))
        bound |= {value.name for value in values if isinstance(value, Local)}
    return total


def _most_labels(system: System, step: MacroStep, layout: Layout, bound: set[str]) -> int:
    """How many labels a step can have, where the parameters ``bound`` have a value."""
    rule = next((rule for rule in system.rules if rule.name == step.rule), None)
    if step.rule in ("drop", "duplicate") or (rule is not None and rule.message is not None):
        return layout.slots
    given = {name for name, value in (("self", step.process), *step.arguments) if _is_given(value, bound)}
    kinds = [*layout.kinds.values()]
    if rule is not None:
        kinds = [] if rule.kind is None else [layout.kinds[rule.kind]]
    choices = 1 if "self" in given else max(1, sum(len(kind.kind.sort.elements) for kind in kinds))
    for parameter in () if rule is None else rule.parameters:
        choices *= 1 if parameter.name in given else count(shape_of(parameter.sort))
    if step.rule == "crash" and "keep" not in given:
        choices *= 1 + max((len(kind.records) for kind in layout.kinds.values()), default=0)
    return choices


def _is_given(value: Literal | Local | None, bound: set[str]) -> bool:
    return isinstance(value, Literal) or (isinstance(value, Local) and value.name in bound)


@dataclass(frozen=True, slots=True)
class _Given:
    """The arguments of a step's function. ``begin``: where the successors of the state that is expanded begin."""

    code: Code
    context: Ssa
    state: Ssa
    begin: Ssa
    broken: Ssa
    bindings: dict[str, Ssa]


class _Macro:
    def __init__(self, of: Transitions, macro: Macro) -> None:
        self.of, self.macro, self.words = of, macro, of.layout.words
        self.bound: list[set[str]] = [set()]  # the parameters that have a value before each step, and at the end
        for step in macro.steps:
            values = (step.process, *(value for _, value in step.arguments))
            self.bound.append(self.bound[-1] | {value.name for value in values if isinstance(value, Local)})

    def emit(self) -> Any:
        following = self._end()
        for i in reversed(range(len(self.macro.steps))):
            following = self._step(i, following)
        function = ir.Function(self.of.module, ir.FunctionType(I64, [POINTER] * 3), f"macro.{self.macro.name}")
        function.linkage = "internal"
        code = Code(function)
        nothing = [number(0)] * (1 + len(self.macro.parameters))
        code.b.ret(code.b.call(following, [*function.args, *nothing]))
        code.finish()
        return function

    def _function(self, name: str) -> _Given:
        names = [parameter.name for parameter in self.macro.parameters]
        type_ = ir.FunctionType(I64, [POINTER] * 3 + [I64] * (1 + len(names)))
        function = ir.Function(self.of.module, type_, f"macro.{self.macro.name}.{name}")
        function.linkage = "internal"
        function.attributes.add("noinline")
        code, (context, state, begin, broken, *values) = Code(function), function.args
        context, state = code.bounded_context(context), code.bounded(state, self.words)
        return _Given(code, context, state, begin, broken, dict(zip(names, values, strict=True)))

    def _end(self) -> Any:
        """All steps are taken: the state is a successor."""
        given = self._function("end")
        code = given.code
        self.of.leave_room(code, given.context, code.b.ptrtoint(given.begin, I64))
        out = code.word(given.context, OUT)
        record = code.bounded(code.b.inttoptr(out, POINTER), self.words + 1)
        label = code.either(number(self.of.numbers[self.macro.name][0]), code.shift_left(given.broken, number(16)))
        code.put_word(record, 0, label)
        code.copy(code.at(record, 1), given.state, self.words)
        code.put_word(given.context, OUT, code.add(out, number(8 * (self.words + 1))))
        code.b.ret(number(0))
        code.finish()
        return code.function

    def _step(self, i: int, following: Any) -> Any:
        step, of = self.macro.steps[i], self.of
        given = self._function(f"{i}.{step.rule}")
        code = given.code
        pool = of.pool.cell(code)
        if of.layout.slots:
            code.b.call(of.pool.load, [given.state, pool])
        else:
            of.pool.set_size(code, pool, number(0))
        failed = code.block("failed")
        body, code.b = code.b, ir.IRBuilder(failed)
        status = code.b.phi(I64)
        code.b.ret(status)
        code.b = body
        taken, scratch = code.cell(I64), code.cell(I64, self.words + 1)
        code.put(taken, number(0))

        def check(result: Ssa) -> None:
            status.add_incoming(result, code.b.block)
            code.go_on(code.is_equal(result, number(0)), failed)

        def go_on(*arguments: Ssa) -> None:
            check(code.b.call(following, arguments))

        def fire(rule: Any, which: int, local: Ssa, choice: Ssa, first: int = 0) -> None:
            def go() -> None:
                code.put(taken, number(1))
                out, here = code.word(given.context, OUT), code.b.ptrtoint(scratch, I64)
                code.put_word(given.context, OUT, here)
                result = code.b.call(rule, [given.context, given.state, pool, local, choice, number(which)])
                moved = code.negation(code.is_equal(code.word(given.context, OUT), here))
                code.put_word(given.context, OUT, out)  # also where the label fails
                check(result)

                def take() -> None:
                    after, broken = code.at(scratch, 1), given.broken
                    if of.system.action_invariants:
                        seen = [given.state, after, number(which)]
                        broken = code.either(broken, code.b.call(of.module.globals["action_invariants"], seen))
                    bindings = {**given.bindings, **label.new_bindings()}
                    go_on(given.context, after, given.begin, broken, *bindings.values())

                code.if_(moved, take)

            label = _Label(of, step, code, pool, which, local, choice, first, given.bindings, self.bound[i])
            label.if_it_is(go)

        Firing(of, code, given.state, pool, fire).named(step.rule)
        if step.optional:  # no flush was there to be fired
            rest = (given.context, given.state, given.begin, given.broken, *given.bindings.values())
            code.if_(code.is_equal(code.get(taken, I64), number(0)), lambda: go_on(*rest))
        code.b.ret(number(0))
        unreachable_if_unused(status)
        code.finish()
        return code.function


@dataclass(slots=True)
class _Label:
    """A label that may be enabled, compared with what a step asks for. ``bound``: the parameters that have a value."""

    of: Transitions
    step: MacroStep
    code: Code
    pool: Ssa
    which: int
    local: Ssa
    choice: Ssa
    first: int
    bindings: dict[str, Ssa]
    bound: set[str]

    def if_it_is(self, then: Callable[[], None]) -> None:
        code, condition = self.code, TRUE
        if any(name == "keep" for name, _ in self.step.arguments) and self.of.system.storage is StorageMode.ATOMIC:
            return  # there the label of a crash says nothing of what is kept
        message = self._message_name()
        if message is not None and self._rule() is None:  # the fields of another type make no sense
            access = self.of.pool
            tag = number(self.of.layout.messages[message].tag) if message in self.of.layout.messages else number(-1)
            condition = code.is_equal(access.tag(code, access.key(code, self.pool, self.choice)), tag)
        code.if_(condition, lambda: code.if_(self._agrees(), then))

    def _agrees(self) -> Ssa:
        code, result = self.code, TRUE
        seen: dict[str, Emitted] = {}
        for value, wanted in self._given():
            match wanted:
                case Literal():
                    result = code.both(result, equal(code, value, constant(wanted.sort, wanted.value)))
                case Local():
                    shape = shape_of(wanted.sort)
                    if wanted.name in self.bound:
                        seen[wanted.name] = at_position(code, self.bindings[wanted.name], shape)
                    if wanted.name in seen:
                        result = code.both(result, equal(code, value, seen[wanted.name]))
                    else:
                        result = code.both(result, lies_in(code, value, shape))
                        seen[wanted.name] = value
        return result

    def new_bindings(self) -> dict[str, Ssa]:
        """What the label gives a value, where it agrees."""
        found: dict[str, Ssa] = {}
        for value, wanted in self._given():
            if isinstance(wanted, Local) and wanted.name not in self.bound and wanted.name not in found:
                found[wanted.name] = position(self.code, value, shape_of(wanted.sort))
        return found

    def _given(self) -> list[tuple[Emitted, Literal | Local]]:
        """Each part of the label that the step asks about, and what for."""
        wanted = [(name, value) for name, value in self.step.arguments if name != "message"]
        parts = self._parts({name for name, _ in wanted})
        found = [(parts[name], value) for name, value in wanted]
        if self.step.process is not None:
            found.append((self._process(), self.step.process))
        return found

    def _rule(self) -> Any:
        rules = self.of.system.rules
        return rules[self.which] if self.which < len(rules) else None

    def _message_name(self) -> str | None:
        rule = self._rule()
        if rule is not None:
            return None if rule.message is None else str(rule.message.name)
        named = dict(self.step.arguments).get("message")
        return str(named.value) if isinstance(named, Literal) else None

    def _process(self) -> Emitted:
        rule = self._rule()
        kinds = self.of.layout.kinds
        if rule is not None:
            assert rule.kind is not None
            kind: KindLayout = kinds[rule.kind]
        else:
            kind = next(kind for kind in kinds.values() if kind.first == self.first)
        return Atom(self.local, kind.kind.sort.elements)

    def _parts(self, names: set[str]) -> dict[str, Emitted]:
        code, layout, rule = self.code, self.of.layout, self._rule()
        if not names:
            return {}
        if self.step.rule == "crash":
            return {"keep": Int(self.choice, 0, max(len(kind.records) for kind in layout.kinds.values()))}
        if rule is not None and rule.message is None:
            return chosen_parameters(code, rule, self.choice)
        access = self.of.pool
        key = access.key(code, self.pool, self.choice)
        message = self._message_name()
        if message is not None:
            sort = layout.messages[message].sort
            emitted = read_message(code, layout, layout.messages[message], key)
            return dict(zip(("source", "destination", *(n for n, _ in sort.fields)), emitted.fields, strict=True))
        if names - {"source", "destination"}:
            raise NotEncodable(f"a macro's `{self.step.rule}` asks for the fields of a message and names no type")
        everyone = layout.processes
        return {
            "source": Atom(access.source(code, key), everyone),
            "destination": Atom(access.destination(code, key), everyone),
        }
