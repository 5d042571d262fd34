"""The meaning of every expression of the IR: each node compiled once to a Python function of a :class:`Frame`.

Compiled closures rather than a walk at each evaluation: the text is the same, one case a node, and it is the oracle
for both engines, so it runs millions of times.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from spec import system as ir
from spec.sorts import MapSort, MessageSort, RecordSort, SetSort, Sort, Value
from spec.state import Label, State
from spec.system import Operator, Quantifier, UnaryOperator
from spec.values import EvaluationError, cached_domain, contains, positions, show, sort_key


class Frame:
    """What an expression reads: a state, the acting process's memory as changed so far, and the local names.

    ``own``: the memory of process ``index`` while its rule runs (``index`` is -1 in properties). Everything else
    (other processes, disk, pending, outboxes, network, up) is read as it was before the transition. ``old``: in an
    action invariant, the frame of the state before the step, whose label is ``label``.
    """

    __slots__ = ("ghosts", "index", "label", "local", "old", "own", "shared", "state")

    def __init__(self, state: State, local: dict[str, Value] | None = None) -> None:
        self.state = state
        self.index = -1
        self.own: list[Value] = []
        self.shared: Any = state.shared
        self.ghosts: Any = state.ghosts
        self.local: dict[str, Value] = {} if local is None else local
        self.old: Frame | None = None
        self.label: Label | None = None


Compiled: TypeAlias = Callable[[Frame], Value]


def _divide(left: int, right: int, place: ir.Place | None) -> int:
    if right == 0:
        raise EvaluationError("division by zero", place)
    return left // right


def _modulo(left: int, right: int, place: ir.Place | None) -> int:
    if right == 0:
        raise EvaluationError("modulo by zero", place)
    return left % right


_STRICT: dict[Operator, Callable[[Any, Any], Value]] = {
    Operator.ADD: operator.add,
    Operator.SUBTRACT: operator.sub,
    Operator.MULTIPLY: operator.mul,
    Operator.MIN: min,
    Operator.MAX: max,
    Operator.LESS: operator.lt,
    Operator.LESS_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_EQUAL: operator.ge,
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.IN: lambda element, elements: element in elements,
    Operator.SUBSET: operator.le,
    Operator.UNION: operator.or_,
    Operator.INTERSECT: operator.and_,
    Operator.DIFFERENCE: operator.sub,
    Operator.CONCAT: operator.add,
}


class Compiler:
    """Compiles the expressions of one system."""

    def __init__(self, system: ir.System) -> None:
        self.system = system
        self.process_index = {process: i for i, process in enumerate(system.processes)}
        self.slots: dict[str, tuple[str, int]] = {}  # variable → (memory | shared | ghosts, position)
        for kind in system.kinds:
            for position, variable in enumerate(system.variables_of(kind.name)):
                self.slots[f"{kind.name}.{variable.name}"] = ("memory", position)
        for area, storage in (("shared", ir.Storage.SHARED), ("ghosts", ir.Storage.GHOST)):
            for position, variable in enumerate(system.variables_of(None, storage)):
                self.slots[variable.name] = (area, position)
        self.kind_names = {process: kind.name for kind in system.kinds for process in kind.sort.elements}
        self.durable_positions = {
            kind.name: {v.name: i for i, v in enumerate(system.variables_of(kind.name, ir.Storage.DURABLE))}
            for kind in system.kinds
        }

    def __call__(self, node: ir.Expr) -> Compiled:
        compile_ = self
        match node:
            case ir.Literal(value):
                return lambda f: value
            case ir.Local(name):
                return lambda f: f.local[name]
            case ir.Read():
                return self._read(node)
            case ir.Field(of, name):
                inner = compile_(of)
                position = _position(_sort_of(of), name)
                return lambda f: inner(f)[position]
            case ir.Unary():
                return self._unary(node)
            case ir.Binary():
                return self._binary(node)
            case ir.IfElse(condition, then, otherwise):
                test, yes, no = compile_(condition), compile_(then), compile_(otherwise)
                return lambda f: yes(f) if test(f) else no(f)
            case ir.LetIn(name, value, body):
                return _let(name, compile_(value), compile_(body))
            case ir.Checked(of, sort, what, place):
                return _checked(compile_(of), sort, what, place)
            case ir.Wrap(of):
                return compile_(of)
            case ir.MakeSet(elements):
                parts = tuple(compile_(element) for element in elements)
                return lambda f: frozenset([part(f) for part in parts])
            case ir.MakeSeq(elements) | ir.MakeRecord(elements):
                parts = tuple(compile_(element) for element in elements)
                return lambda f: tuple([part(f) for part in parts])
            case ir.MakeMap(name, value, sort):
                assert isinstance(sort, MapSort)
                return _make_map(name, compile_(value), cached_domain(sort.key))
            case ir.IntRange(low, high):
                first, last = compile_(low), compile_(high)
                return lambda f: frozenset(range(first(f), last(f) + 1))
            case ir.Index(of, key, _, place):
                return self._index(of, key, place)
            case ir.Slice(of, low, high, _, place):
                return _slice(compile_(of), compile_(low), compile_(high), place)
            case ir.Update(of, key, value, _, place):
                return self._update(of, key, value, place)
            case ir.WithField(of, name, value):
                inner, new, position = compile_(of), compile_(value), _position(_sort_of(of), name)
                return lambda f: _replaced(inner(f), position, new(f))
            case ir.Quantified(quantifier, name, over, body):
                return _quantified(quantifier, name, self.elements(over), compile_(body))
            case ir.SetComprehension(name, over, condition, value):
                return _comprehension(name, self.elements(over), compile_(condition), compile_(value))
            case ir.IsUp(process, _, old):
                which = self._process(process)
                return lambda f: _frame(f, old).state.up[which(f)]
            case ir.PendingCount(process, _, old):
                which = self._process(process)
                return lambda f: len(_frame(f, old).state.pending[which(f)])
            case ir.MessagesIn():
                return self._messages_in(node)
            case ir.LabelIs(rule):
                return lambda f: f.label is not None and f.label.rule == rule

    def elements(self, over: ir.Expr) -> Callable[[Frame], Iterable[Value]]:
        """The elements of a set-valued expression in the order of its sort's domain."""
        if isinstance(over, ir.IntRange):
            first, last = self(over.low), self(over.high)
            return lambda f: range(first(f), last(f) + 1)
        sort = _sort_of(over)
        assert isinstance(sort, SetSort), over
        key = sort_key(sort.of)
        if isinstance(over, ir.Literal):
            fixed = tuple(sorted(over.value, key=key))
            return lambda f: fixed
        inner = self(over)
        return lambda f: sorted(inner(f), key=key)

    def _process(self, process: ir.Expr) -> Compiled:
        if process == ir.Local("self", process.sort):
            return lambda f: f.index if f.index >= 0 else self.process_index[f.local["self"]]
        inner, index = self(process), self.process_index
        return lambda f: index[inner(f)]

    def _read(self, node: ir.Read) -> Compiled:
        old = node.old
        if node.process is None:
            area, position = self.slots[node.variable]
            if area == "shared":
                return lambda f: _frame(f, old).shared[position]
            return lambda f: _frame(f, old).ghosts[position]
        which = self._process(node.process)
        kinds = self._kinds_of(node.process, node.variable)
        if node.layer is ir.Layer.DISK:
            slot = self.durable_positions[kinds[0]][node.variable]
            return lambda f: _disk(_frame(f, old).state, which(f))[slot]
        if node.layer is ir.Layer.KEPT:
            return self._kept(node, kinds[0], which)
        position = self.slots[f"{kinds[0]}.{node.variable}"][1]
        if not old and node.process == ir.Local("self", node.process.sort):
            return lambda f: f.own[position] if f.index >= 0 else f.state.memory[which(f)][position]

        def read(f: Frame) -> Value:
            frame = _frame(f, old)
            index = which(f)
            return frame.own[position] if index == frame.index else frame.state.memory[index][position]

        return read

    def _kept(self, node: ir.Read, kind: str, which: Callable[[Frame], int]) -> Compiled:
        assert node.keep is not None
        keep, old, place = self(node.keep), node.old, node.place
        slot = self.durable_positions[kind].get(node.variable)
        variable = next(v for v in self.system.variables if v.kind == kind and v.name == node.variable)
        names = self.system.kind(kind).sort.elements
        initial = {self.process_index[name]: value for name, value in zip(names, variable.initial, strict=True)}

        def kept(f: Frame) -> Value:
            state, index, count = _frame(f, old).state, which(f), keep(f)
            pending = state.pending[index]
            if not 0 <= count <= len(pending):
                raise EvaluationError(f"kept: {count} records of {len(pending)} pending", place)
            if slot is None:
                return initial[index]
            return pending[count - 1][slot] if count else _disk(state, index)[slot]

        return kept

    def _kinds_of(self, process: ir.Expr, variable: str) -> list[str]:
        elements = getattr(process.sort, "elements", ())
        kinds = sorted({self.kind_names[element] for element in elements if element in self.kind_names})
        found = [kind for kind in kinds if f"{kind}.{variable}" in self.slots]
        assert len(found) == 1, f"{variable} of {process.sort}: {kinds}"
        return found

    def _unary(self, node: ir.Unary) -> Compiled:
        inner, place = self(node.of), node.place
        match node.operator:
            case UnaryOperator.NOT:
                return lambda f: not inner(f)
            case UnaryOperator.NEGATE:
                return lambda f: -inner(f)
            case UnaryOperator.LENGTH | UnaryOperator.SIZE:
                return lambda f: len(inner(f))
            case UnaryOperator.MINIMUM:
                return lambda f: _extreme(min, inner(f), place)
            case UnaryOperator.MAXIMUM:
                return lambda f: _extreme(max, inner(f), place)
            case UnaryOperator.UNWRAP:
                return lambda f: _unwrap(inner(f), place)

    def _binary(self, node: ir.Binary) -> Compiled:
        left, right, place = self(node.left), self(node.right), node.place
        match node.operator:
            case Operator.AND:
                return lambda f: left(f) and right(f)
            case Operator.OR:
                return lambda f: left(f) or right(f)
            case Operator.IMPLIES:
                return lambda f: not left(f) or right(f)
            case Operator.DIVIDE:
                return lambda f: _divide(left(f), right(f), place)
            case Operator.MODULO:
                return lambda f: _modulo(left(f), right(f), place)
            case strict:
                function = _STRICT[strict]
                return lambda f: function(left(f), right(f))

    def _index(self, of: ir.Expr, key: ir.Expr, place: ir.Place | None) -> Compiled:
        inner, at = self(of), self(key)
        sort = _sort_of(of)
        if isinstance(sort, MapSort):
            place_of = positions(sort.key)
            return lambda f: inner(f)[_key(place_of, at(f), place)]
        return lambda f: _element(inner(f), at(f), place)

    def _update(self, of: ir.Expr, key: ir.Expr, value: ir.Expr, place: ir.Place | None) -> Compiled:
        inner, at, new = self(of), self(key), self(value)
        sort = _sort_of(of)
        if isinstance(sort, MapSort):
            place_of = positions(sort.key)
            return lambda f: _replaced(inner(f), _key(place_of, at(f), place), new(f))

        def update(f: Frame) -> Value:
            sequence, index = inner(f), at(f)
            _element(sequence, index, place)
            return _replaced(sequence, index - 1, new(f))

        return update

    def _messages_in(self, node: ir.MessagesIn) -> Compiled:
        name, old = node.message, node.old
        if node.where is ir.Where.NETWORK:
            return lambda f: frozenset(m for m, _ in _frame(f, old).state.network if name is None or m[0] == name)
        assert node.process is not None
        which = self._process(node.process)
        return lambda f: frozenset(m for m in _frame(f, old).state.outbox[which(f)] if name is None or m[0] == name)


# ------------------------------------------------------------------------------- the nodes' meaning, one each


def _frame(f: Frame, old: bool) -> Frame:
    if not old:
        return f
    assert f.old is not None, "old() outside an action invariant"
    return f.old


def _disk(state: State, index: int) -> tuple[Value, ...]:
    record = state.disk[index]
    assert record is not None, "disk() of a process without storage"
    return record


def _sort_of(node: ir.Expr) -> Sort:
    return node.sort


def _position(sort: Sort, name: str) -> int:
    if isinstance(sort, MessageSort):
        return sort.field_position(name)
    assert isinstance(sort, RecordSort), sort
    return [field for field, _ in sort.fields].index(name)


def _let(name: str, value: Compiled, body: Compiled) -> Compiled:
    def let(f: Frame) -> Value:
        f.local[name] = value(f)
        return body(f)

    return let


def _checked(inner: Compiled, sort: Sort, what: str, place: ir.Place | None) -> Compiled:
    def checked(f: Frame) -> Value:
        value = inner(f)
        if not contains(sort, value):
            raise EvaluationError(f"{what}: {show(sort, value)} is not a value of {sort}", place)
        return value

    return checked


def _make_map(name: str, value: Compiled, keys: tuple[Value, ...]) -> Compiled:
    def make(f: Frame) -> Value:
        values = []
        for key in keys:
            f.local[name] = key
            values.append(value(f))
        return tuple(values)

    return make


def _slice(of: Compiled, low: Compiled, high: Compiled, place: ir.Place | None) -> Compiled:
    def cut_out(f: Frame) -> Value:
        sequence, first, last = of(f), low(f), high(f)
        if last < first:
            return ()
        if first < 1 or last > len(sequence):
            raise EvaluationError(f"slice {first}..{last} of a sequence of length {len(sequence)}", place)
        return sequence[first - 1 : last]

    return cut_out


def _replaced(values: tuple[Value, ...], position: int, value: Value) -> tuple[Value, ...]:
    return (*values[:position], value, *values[position + 1 :])


def _element(sequence: tuple[Value, ...], index: int, place: ir.Place | None) -> Value:
    if not 1 <= index <= len(sequence):
        raise EvaluationError(f"index {index} of a sequence of length {len(sequence)}", place)
    return sequence[index - 1]


def _key(place_of: dict[Value, int], key: Value, place: ir.Place | None) -> int:
    try:
        return place_of[key]
    except KeyError:
        raise EvaluationError(f"the map has no key {key!r}", place) from None


def _extreme(choose: Callable[[Any], Value], values: frozenset[int], place: ir.Place | None) -> Value:
    if not values:
        raise EvaluationError(f"{choose.__name__}imum of the empty set", place)
    return choose(values)


def _unwrap(value: Value, place: ir.Place | None) -> Value:
    if value is None:
        raise EvaluationError("the(none)", place)
    return value


def _quantified(
    quantifier: Quantifier, name: str, over: Callable[[Frame], Iterable[Value]], body: Compiled
) -> Compiled:
    decides = quantifier is Quantifier.EXISTS

    def quantified(f: Frame) -> Value:
        for element in over(f):
            f.local[name] = element
            if body(f) == decides:
                return decides
        return not decides

    return quantified


def _comprehension(
    name: str, over: Callable[[Frame], Iterable[Value]], condition: Compiled, value: Compiled
) -> Compiled:
    def build(f: Frame) -> Value:
        chosen = []
        for element in over(f):
            f.local[name] = element
            if condition(f):
                chosen.append(value(f))
        return frozenset(chosen)

    return build


__all__ = ["Compiled", "Compiler", "Frame", "show"]
