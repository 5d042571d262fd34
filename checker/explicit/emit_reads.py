"""What expressions read of a state: variables, in memory and on disk, what is pending, who is up, the step's label."""

from __future__ import annotations

from checker.explicit.emit_comparing import chosen
from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.emit_frame import Frame, read_value, region_of
from checker.explicit.emit_packing import mapped
from checker.explicit.emit_types import FALSE, TRUE, number
from checker.explicit.emit_values import Atom, Bool, Emitted, Int, Record
from checker.explicit.layout import KindLayout
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import IntShape
from spec import system as nodes


def read_variable(evaluation: Evaluation, node: nodes.Read) -> Emitted:
    frame, own, code = frame_of(evaluation, node.old), evaluation.frame.own, evaluation.code
    if node.process is None:
        return frame.own_variable(node.variable)
    is_self = own is not None and node.process == nodes.Local("self", node.process.sort)
    if is_self and node.layer is nodes.Layer.MEMORY and not node.old:
        return frame.own_variable(node.variable)
    kind = _kind_with(evaluation, node.variable, node.process)
    if is_self and own is not None:
        local = own.local
    else:
        atom = evaluation.value(node.process)
        assert isinstance(atom, Atom)
        members = kind.kind.sort.elements
        place = {name: i for i, name in enumerate(members)}
        local = mapped(code, atom.index, [place.get(name, 0) for name in atom.elements])
    base = region_of(code, kind, local)
    shape, where = kind.variables[node.variable]
    if node.layer is nodes.Layer.DISK:
        return _on_disk(evaluation, frame, kind, base, node.variable)
    value = read_value(code, frame.state, base, where, shape)
    if frame.own is None or node.variable not in frame.cells or frame.own.layout is not kind:
        return value
    mine = code.is_equal(local, frame.own.local)
    return chosen(code, mine, frame.cells[node.variable].get(), value)


def process_index(evaluation: Evaluation, process: nodes.Expr) -> Ssa:
    """A process's position among all."""
    own = evaluation.frame.own
    if own is not None and process == nodes.Local("self", process.sort):
        return own.index
    atom = evaluation.value(process)
    assert isinstance(atom, Atom)
    everyone = evaluation.frame.layout.processes
    return mapped(evaluation.code, atom.index, [everyone.index(name) for name in atom.elements])


def frame_of(evaluation: Evaluation, old: bool) -> Frame:
    if not old:
        return evaluation.frame
    assert evaluation.frame.old is not None, "old() outside an action invariant"
    return evaluation.frame.old


def is_up(evaluation: Evaluation, node: nodes.IsUp) -> Bool:
    code, layout = evaluation.code, evaluation.frame.layout
    frame = frame_of(evaluation, node.old)
    index = process_index(evaluation, node.process)
    if not layout.crashes:
        return Bool(TRUE)
    piece = layout.up.pieces[0]
    word = code.word(frame.state, piece.word)
    shift = code.add(index, number(piece.shift))
    return Bool(code.resize(code.low_bits(code.shift_right(word, shift), 1), TRUE.type))


def pending_count(evaluation: Evaluation, process: nodes.Expr, frame: Frame) -> Emitted:
    code, layout = evaluation.code, frame.layout
    index = process_index(evaluation, process)
    names = {layout.kind_of[e].kind.name for e in getattr(process.sort, "elements", ())}
    result: Ssa = number(0)
    most = 0
    for kind in (kind for name, kind in layout.kinds.items() if name in names):
        if not kind.pending.width:
            continue
        local = code.sub(index, number(kind.first))
        inside: Ssa = TRUE
        if len(names) > 1:
            inside = code.both(
                code.is_less_equal(number(0), local), code.is_less(local, number(len(kind.kind.sort.elements)))
            )
            local = code.select(inside, local, number(0))
        found = read_value(
            code, frame.state, region_of(code, kind, local), kind.pending, IntShape(0, len(kind.records))
        )
        assert isinstance(found, Int)
        result = code.select(inside, found.number, result)
        most = max(most, found.high)
    return Int(result, 0, most)


def label_is(evaluation: Evaluation, rule: str) -> Emitted:
    label, result = evaluation.frame.label, FALSE
    if label is None:
        return Bool(FALSE)
    for which in evaluation.frame.rule_numbers.get(rule, []):
        result = evaluation.code.either(result, evaluation.code.is_equal(label, number(which)))
    return Bool(result)


def _kind_with(evaluation: Evaluation, variable: str, process: nodes.Expr) -> KindLayout:
    elements = getattr(process.sort, "elements", ())
    kinds = {evaluation.frame.layout.kind_of[e].kind.name: evaluation.frame.layout.kind_of[e] for e in elements}
    return next(kind for kind in kinds.values() if variable in kind.variables)


def _on_disk(evaluation: Evaluation, frame: Frame, kind: KindLayout, base: Ssa, variable: str) -> Emitted:
    record = read_value(evaluation.code, frame.state, base, kind.disk, kind.record)
    assert isinstance(record, Record)
    return record.fields[_durable(evaluation, kind).index(variable)]


def _durable(evaluation: Evaluation, kind: KindLayout) -> list[str]:
    variables = evaluation.frame.layout.system.variables_of(kind.kind.name, nodes.Storage.DURABLE)
    return [variable.name for variable in variables]
