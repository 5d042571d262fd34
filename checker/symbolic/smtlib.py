"""A question to z3 as an SMT-LIB2 file, which any solver reads: the gates of the circuit by name, and what is asserted.

It is written before z3 is asked, so that a question which is too hard here can be taken elsewhere while it runs; the
answer is filled in afterwards, in the header and as the ``:status`` that z3 compares its own answer with.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from checker.symbolic.circuit import Bit, Circuit, Gate
from checker.symbolic.watch import Answer, Query

PENDING = f"{Answer.UNKNOWN.value:<7}"
"""Where the answer will stand: as wide as the longest."""

_ANSWER = "; answer here: "
_STATUS = "(set-info :status "


class SmtFile:
    """``clauses``: of each at least one bit is true. ``note``: what else the header says."""

    def __init__(
        self, path: Path, query: Query, circuit: Circuit, clauses: Sequence[Sequence[Bit]], solver: str
    ) -> None:
        self.path = path
        header = [f"; {query}", f"; sat if: {query.asks}", f"{_ANSWER}{PENDING} by {solver}", f"{_STATUS}{PENDING})"]
        head = "\n".join(header) + "\n"
        self._places = [len(head[: head.index(before) + len(before)].encode()) for before in (_ANSWER, _STATUS)]
        with path.open("w", encoding="utf-8") as out:
            out.write(head)
            out.writelines(_body(circuit, clauses))

    def answered(self, answer: Answer) -> None:
        with self.path.open("r+b") as out:
            for place in self._places:
                out.seek(place, os.SEEK_SET)
                out.write(f"{answer.value:<7}".encode())


def _body(circuit: Circuit, clauses: Sequence[Sequence[Bit]]) -> Iterator[str]:
    """QF_BV, for it is the logic of plain Booleans for which solvers take their SAT solver."""
    yield "(set-logic QF_BV)\n"
    gates, operands = circuit.gates, circuit.operands
    for node in circuit.cone(bit for clause in clauses for bit in clause):
        gate = gates[node]
        if gate is Gate.INPUT:
            yield f"(declare-const b{node} Bool)\n"
        else:
            word = "and" if gate is Gate.AND else "xor" if gate is Gate.XOR else "ite"
            yield f"(define-fun b{node} () Bool ({word} {_terms(operands[node])}))\n"
    for clause in clauses:
        yield f"(assert {_terms(clause) if len(clause) == 1 else f'(or false {_terms(clause)})'})\n"
    yield "(check-sat)\n"


def _terms(bits: Iterable[Bit]) -> str:
    return " ".join(_term(bit) for bit in bits)


def _term(bit: Bit) -> str:
    if bit <= 1:
        return "true" if bit else "false"
    return f"(not b{bit >> 1})" if bit & 1 else f"b{bit >> 1}"
