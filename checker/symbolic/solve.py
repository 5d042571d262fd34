"""z3: circuits as clauses, asked for an assignment; "unknown" is an exception, never an answer.

Clauses go in as DIMACS text, which z3 reads in two microseconds each; building z3py terms takes thirty times as long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit, Gate
from checker.symbolic.errors import GaveUp
from checker.symbolic.smtlib import SmtFile
from checker.symbolic.watch import Answer, Asked, Query, Watch

CHUNK = 50_000
"""Lines of clauses that z3 reads at once: it does not listen while it reads, and Ctrl-C is to end within a second."""


class Solver:
    """The conjunction of the bits asserted so far, over one circuit that may still grow."""

    def __init__(
        self, circuit: Circuit, watch: Watch | None = None, *, enumerating: bool = False, once: bool = False
    ) -> None:
        """``once``: there is one question, so that z3 may eliminate variables before it."""
        import z3

        self._z3 = z3
        self._solver: Any
        if enumerating:
            self._solver = z3.SimpleSolver()  # only the SMT core takes user propagators
            self._solver.set("relevancy", 0)  # of no use on clauses; without it solutions come twice as fast
        elif once:
            self._solver = z3.Tactic("sat").solver()
        else:
            self._solver = z3.SolverFor("QF_FD")  # z3's SAT solver, which keeps what it learns
        self.circuit = circuit
        self.watch = watch or Watch()
        self._required: list[list[Bit]] = []
        self._variables: dict[int, int] = {}
        self._literals: dict[Bit, Any] = {}
        self._text: list[str] = []
        self._assumed: list[Bit] = []
        self._model: Any = None

    def for_one_question(self, *assumed: Bit) -> Solver:
        """Another solver of the same assertions and these, for a question that is not one of a series."""
        other = Solver(self.circuit, self.watch, once=True)
        for bits in (*self._required, *([bit] for bit in assumed)):
            other.require_some(bits)
        return other

    # --------------------------------------------------------------------------------------- clauses

    def require(self, bit: Bit) -> None:
        self.require_some((bit,))

    def require_some(self, bits: Iterable[Bit]) -> None:
        """At least one of the bits is true."""
        bits = list(bits)
        if TRUE in bits:
            return
        bits = [bit for bit in bits if bit != FALSE]
        self._required.append(bits)
        self.define(bits)
        self._clause(*(self._literal(bit) for bit in bits))

    def _literal(self, bit: Bit) -> int:
        variable = self._variables[bit >> 1]
        return -variable if bit & 1 else variable

    def _clause(self, *literals: int) -> None:
        self._text.append(" ".join(map(str, literals)) + " 0")

    def define(self, bits: Iterable[Bit]) -> None:
        """Gives the bits, and what they depend on, variables."""
        variables, circuit = self._variables, self.circuit
        waiting = [bit >> 1 for bit in bits]
        new: set[int] = set()
        while waiting:
            node = waiting.pop()
            if node and node not in variables and node not in new:
                new.add(node)
                waiting.extend(bit >> 1 for bit in circuit.operands[node])
        text = self._text
        for node in sorted(new):
            v = variables[node] = len(variables) + 1
            gate = circuit.gates[node]
            if gate is Gate.INPUT:
                continue
            operands = [self._literal(bit) for bit in circuit.operands[node]]
            if gate is Gate.AND:
                a, b = operands
                text.append(f"-{v} {a} 0\n-{v} {b} 0\n{v} {-a} {-b} 0")
            elif gate is Gate.XOR:
                a, b = operands
                text.append(f"-{v} {a} {b} 0\n-{v} {-a} {-b} 0\n{v} {-a} {b} 0\n{v} {a} {-b} 0")
            else:
                s, a, b = operands
                text.append(
                    f"-{v} {-s} {a} 0\n-{v} {s} {b} 0\n{v} {-s} {-a} 0\n{v} {s} {-b} 0\n{v} {-a} {-b} 0\n-{v} {a} {b} 0"
                )

    def _send(self) -> None:
        """Hands what is new to z3, in pieces between which time is looked at."""
        lines = iter("\n".join(self._text).split("\n") if self._text else ())
        while piece := list(islice(lines, CHUNK)):
            self.watch.deadline.check()
            with self._memory_errors():
                self._solver.from_string(f"p cnf {len(self._variables)} {len(piece)}\n" + "\n".join(piece) + "\n")
        self._text = []

    # ---------------------------------------------------------------------------------------- answers

    def check(self, *assumptions: Bit, query: Query) -> bool:
        """Whether the assertions can be met, with these bits true. Raises GaveUp, KeyboardInterrupt."""
        bits = [bit for bit in assumptions if bit > 1 and [bit] not in self._required[-1:]]
        self._assumed = bits
        if FALSE not in assumptions:
            self.define(bits)
            self._send()
        if not self._ask(query, bits, known=FALSE in assumptions):
            return False
        self._model = self._solver.model()
        return True

    def core(self) -> list[Bit]:
        """After a no: of the last assumptions, some that cannot be met together, if FALSE is none of them."""
        core = {term.get_id() for term in self._solver.unsat_core()}
        return [bit for bit in self._assumed if self._term(bit).get_id() in core]

    def enumerate(self, bits: Sequence[Bit], query: Query) -> set[tuple[bool, ...]]:
        """Every assignment of these inputs that some solution has; the solver is of no use afterwards."""
        from checker.symbolic.allsat import Collector

        self._send()
        collecting = Collector(self._z3, self._solver, [self._term(bit) for bit in bits])
        self._ask(query, [], collecting.found)
        if collecting.broken is not None:
            raise collecting.broken
        return collecting.found

    def _ask(
        self, query: Query, assumptions: list[Bit], found: set[tuple[bool, ...]] | None = None, *, known: bool = False
    ) -> bool:
        """Puts the question and keeps the answer. ``found``: where solutions are collected, each of which is refused,
        so that z3 ends with "unsat". ``known``: the answer is no, and z3 need not be asked."""
        watch = self.watch
        watch.deadline.check()
        path, written = watch.file_for(query), None
        if path is not None:
            clauses = [*self._required, *([bit] for bit in assumptions), *([[FALSE]] if known else [])]
            written = SmtFile(path, query, self.circuit, clauses, f"z3 {self._z3.get_version_string()}")
        began, before, answer, reason = time.monotonic(), self._conflicts(), Answer.UNKNOWN, "interrupted"
        try:
            with watch.listening(query, self._memory):
                answer, reason = (Answer.UNSATISFIABLE, "") if known else self._answer(assumptions)
            if found is not None:
                assert answer is not Answer.SATISFIABLE, "the collector refuses every solution"
                answer = Answer.SATISFIABLE if found and answer is Answer.UNSATISFIABLE else answer
        finally:
            if written is not None:
                written.answered(answer)
            seconds, conflicts = time.monotonic() - began, self._conflicts() - before
            watch.note(Asked(query, answer, reason, seconds, conflicts, self._memory(), path))
        if answer is Answer.UNKNOWN:
            raise GaveUp(reason)
        return answer is Answer.SATISFIABLE

    def _answer(self, assumptions: list[Bit]) -> tuple[Answer, str]:
        """z3's answer; with the reason, where that is "unknown"."""
        left = self.watch.deadline.left()
        if left is not None:
            self._solver.set("timeout", max(1, int(left * 1000)))
        with self._memory_errors():
            answer = self._solver.check(*(self._term(bit) for bit in assumptions))
        if answer == self._z3.unsat:
            return Answer.UNSATISFIABLE, ""
        if answer == self._z3.sat:
            return Answer.SATISFIABLE, ""
        reason = str(self._solver.reason_unknown())
        left = self.watch.deadline.left()
        # The SMT core says "canceled" both for Ctrl-C and when time is up, which it may find a little early.
        if "interrupted" in reason or (reason == "canceled" and (left is None or left > 0.1)):
            raise KeyboardInterrupt
        return Answer.UNKNOWN, "timeout" if reason in ("timeout", "canceled") else reason

    @contextmanager
    def _memory_errors(self) -> Iterator[None]:
        """That z3 has no memory left is an "unknown", too."""
        try:
            yield
        except self._z3.Z3Exception as error:
            if "memory" not in str(error):
                raise
            raise GaveUp("z3 has no memory left") from error

    def _memory(self) -> int:
        """Bytes that z3 holds, of all its solvers; may be asked while z3 is at work."""
        return int(self._z3.Z3_get_estimated_alloc_size())

    def _term(self, bit: Bit) -> Any:
        term = self._literals.get(bit)
        if term is None:
            term = self._z3.Bool(self._variables[bit >> 1])
            term = self._literals[bit] = self._z3.Not(term) if bit & 1 else term
        return term

    def value(self, bit: Bit) -> bool:
        """The value of a bit with a variable in the last model; inputs that do not matter are false."""
        if bit <= 1:
            return bit == TRUE
        if bit >> 1 not in self._variables:
            return False
        positive = self._model[self._term(bit & ~1)]
        return bool(self._z3.is_true(positive)) != bool(bit & 1)

    def _conflicts(self) -> int:
        statistics = self._solver.statistics()
        for key in ("sat conflicts", "conflicts"):
            if key in statistics.keys():  # noqa: SIM118 - z3's Statistics has no __contains__
                return int(statistics.get_key_value(key))
        return 0
