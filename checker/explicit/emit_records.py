"""The storage records of a running transition: the newest one, those written so far, and the end of one."""

from __future__ import annotations

from checker.explicit.emit_frame import Frame, read_bits, read_value
from checker.explicit.emit_packing import packed
from checker.explicit.emit_types import I64, number, register
from checker.explicit.emit_values import Int, Record
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import IntShape, bits
from spec.system import Storage


class Records:
    """``last``: the newest record, pending or on disk; ``before`` and ``written``: how many were and are pending;
    ``new``: those that the transition has written, each at its place."""

    def __init__(self, frame: Frame) -> None:
        assert frame.own is not None
        self.frame, code, own, layout = frame, frame.code, frame.own, frame.own.layout
        self.type = register(bits(layout.record))
        self.last, self.written = code.cell(self.type), code.cell(I64)
        self.room = len(layout.records)
        self.new = code.cell(self.type, max(2, self.room))
        pending = read_value(code, frame.state, own.base, layout.pending, IntShape(0, self.room))
        assert isinstance(pending, Int)
        self.before = pending.number
        code.put(self.written, pending.number)
        last = read_bits(code, frame.state, own.base, layout.disk)
        for i, place in enumerate(layout.records):
            record = read_bits(code, frame.state, own.base, place)
            last = code.select(code.is_less(number(i), pending.number), record, last)
        code.put(self.last, last)

    def end(self) -> None:
        """Ends a record here, if it differs from the last one."""
        code = self.frame.code
        record = durable_record(self.frame)
        changed = code.negation(code.is_equal(record, code.get(self.last, self.type)))

        def write() -> None:
            written = code.get(self.written, I64)
            code.put(self.last, record)
            if self.room:
                at = code.select(code.is_less(written, number(self.room)), written, number(self.room - 1))
                code.put(code.at(self.new, at, self.type), record)
            code.put(self.written, code.add(written, number(1)))

        code.if_(changed, write)


def durable_record(frame: Frame) -> Ssa:
    """The durable variables of the acting process as they are now, packed."""
    assert frame.own is not None
    kind = frame.own.layout
    variables = frame.layout.system.variables_of(kind.kind.name, Storage.DURABLE)
    values = tuple(frame.own_variable(variable.name) for variable in variables)
    return packed(frame.code, Record(values), kind.record)
