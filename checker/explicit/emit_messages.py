"""Sets of messages as code: they are ranged over, counted and tested for a message, slot by slot."""

from __future__ import annotations

from collections.abc import Callable

from checker.explicit.emit_evaluation import Evaluation
from checker.explicit.emit_frame import read_message
from checker.explicit.emit_reads import frame_of, process_index
from checker.explicit.emit_types import FALSE, I64, TRUE, number
from checker.explicit.emit_values import Emitted, Int, Message
from checker.explicit.layout import MessageLayout
from checker.explicit.llvm import Ssa
from checker.explicit.shapes import RecordShape
from spec import system as nodes
from spec.sorts import MessageSort, SetSort
from spec.system import Where


def each_message(evaluation: Evaluation, node: nodes.MessagesIn, body: Callable[[Emitted], None]) -> None:
    layout = evaluation.frame.layout
    if not layout.messages:
        return
    if node.message is None:  # of every type: it has a source and a destination
        assert isinstance(node.sort, SetSort)
        assert isinstance(node.sort.of, MessageSort)
        message = MessageLayout(node.sort.of, 0, RecordShape(()))
    else:
        message = layout.messages[node.message]
    _each_slot(evaluation, node, lambda pool, i, key: body(read_message(evaluation.code, layout, message, key)))


def count_messages(evaluation: Evaluation, node: nodes.MessagesIn) -> Int:
    code, access = evaluation.code, evaluation.frame.pool_access
    total = code.cell(I64)
    code.put(total, number(0))

    def slot(pool: Ssa, i: Ssa, key: Ssa) -> None:
        one: Ssa = number(1)
        if access.fifo:  # the same message may stand in two places of a channel
            earlier = code.cell(I64)
            code.put(earlier, number(1))

            def look(j: Ssa) -> None:
                same = code.is_equal(access.key(code, pool, j), key)
                code.put(earlier, code.select(same, number(0), code.get(earlier, I64)))

            code.for_range(number(0), code.sub(i, number(1)), look)
            one = code.get(earlier, I64)
        code.put(total, code.add(code.get(total, I64), one))

    if evaluation.frame.layout.slots:
        _each_slot(evaluation, node, slot)
    return Int(code.get(total, I64), 0, evaluation.frame.layout.slots)


def message_is_in(evaluation: Evaluation, message: Message, node: nodes.MessagesIn) -> Ssa:
    code = evaluation.code
    found = code.cell(TRUE.type)
    code.put(found, FALSE)

    def slot(pool: Ssa, i: Ssa, key: Ssa) -> None:
        same = code.is_equal(code.low_bits(key, evaluation.frame.layout.waiting_shift), message.key)
        code.put(found, code.either(code.get(found, TRUE.type), same))

    _each_slot(evaluation, node, slot)
    return code.get(found, TRUE.type)


def _each_slot(evaluation: Evaluation, node: nodes.MessagesIn, body: Callable[[Ssa, Ssa, Ssa], None]) -> None:
    """``body(pool, i, key)`` for each slot that holds one of these messages."""
    code, access = evaluation.code, evaluation.frame.pool_access
    process = None if node.process is None else process_index(evaluation, node.process)
    pool = frame_of(evaluation, node.old).pool()

    def slot(i: Ssa) -> None:
        key = access.key(code, pool, i)
        code.if_(_belongs(evaluation, node, key, process), lambda: body(pool, i, key))

    code.for_range(number(0), code.sub(access.size(code, pool), number(1)), slot)


def _belongs(evaluation: Evaluation, node: nodes.MessagesIn, key: Ssa, process: Ssa | None) -> Ssa:
    code, pool = evaluation.code, evaluation.frame.pool_access
    waits = pool.waits(code, key)
    there = waits if node.where is Where.OUTBOX else code.negation(waits)
    if process is not None:
        there = code.both(there, code.is_equal(pool.source(code, key), process))
    if node.message is not None:
        tag = evaluation.frame.layout.messages[node.message].tag
        there = code.both(there, code.is_equal(pool.tag(code, key), number(tag)))
    return there
