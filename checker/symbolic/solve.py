"""z3: circuits as clauses, asked for an assignment; "unknown" is an exception, never an answer.

Clauses go in as DIMACS text, which z3 reads in two microseconds each; building z3py terms takes thirty times as long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit, Gate
from checker.symbolic.errors import GaveUp


class Deadline:
    """A point in time that a search must not pass; ``None`` seconds: no such point."""

    def __init__(self, seconds: float | None = None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self.end is None else self.end - time.monotonic()

    def check(self) -> None:
        left = self.left()
        if left is not None and left <= 0:
            raise GaveUp("timeout")


class Solver:
    """The conjunction of the bits asserted so far, over one circuit that may still grow."""

    def __init__(self, circuit: Circuit, deadline: Deadline | None = None, *, enumerating: bool = False) -> None:
        import z3

        self._z3 = z3
        # QF_FD: z3's SAT solver with its preprocessing; only the SMT core takes user propagators.
        self._solver: Any = z3.SimpleSolver() if enumerating else z3.SolverFor("QF_FD")
        if enumerating:
            self._solver.set("relevancy", 0)  # of no use on clauses; without it solutions come twice as fast
        self.circuit = circuit
        self.deadline = deadline or Deadline()
        self._variables: dict[int, int] = {}
        self._literals: dict[Bit, Any] = {}
        self._text: list[str] = []
        self._model: Any = None

    # --------------------------------------------------------------------------------------- clauses

    def require(self, bit: Bit) -> None:
        self.require_some((bit,))

    def require_some(self, bits: Iterable[Bit]) -> None:
        """At least one of the bits is true."""
        bits = list(bits)
        if TRUE in bits:
            return
        bits = [bit for bit in bits if bit != FALSE]
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
        if self._text:
            text = "\n".join(self._text)
            self._solver.from_string(f"p cnf {len(self._variables)} {text.count(chr(10)) + 1}\n{text}\n")
            self._text = []

    # ---------------------------------------------------------------------------------------- answers

    def check(self, *assumptions: Bit) -> bool:
        """Whether the assertions can be met, with these bits true. Raises GaveUp, KeyboardInterrupt."""
        if FALSE in assumptions:
            return False
        bits = [bit for bit in assumptions if bit != TRUE]
        self.define(bits)
        self._send()
        if not self._ask([self._term(bit) for bit in bits]):
            return False
        self._model = self._solver.model()
        return True

    def enumerate(self, bits: Sequence[Bit]) -> set[tuple[bool, ...]]:
        """Every assignment of these inputs that some solution has; the solver is of no use afterwards."""
        from checker.symbolic.allsat import Collector

        self._send()
        collecting = Collector(self._z3, self._solver, [self._term(bit) for bit in bits])
        satisfiable = self._ask([])
        if collecting.broken is not None:
            raise collecting.broken
        assert not satisfiable, "the collector refuses every solution"
        return collecting.found

    def _ask(self, assumptions: list[Any]) -> bool:
        left = self.deadline.left()
        if left is not None:
            self.deadline.check()
            self._solver.set("timeout", max(1, int(left * 1000)))
        answer = self._solver.check(*assumptions)
        if answer == self._z3.unsat:
            return False
        if answer == self._z3.sat:
            return True
        reason = str(self._solver.reason_unknown())
        left = self.deadline.left()
        # The SMT core says "canceled" both for Ctrl-C and when time is up, which it may find a little early.
        if "interrupted" in reason or (reason == "canceled" and (left is None or left > 0.1)):
            raise KeyboardInterrupt
        raise GaveUp("timeout" if reason in ("timeout", "canceled") else reason)

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

    def conflicts(self) -> int:
        statistics = self._solver.statistics()
        for key in ("sat conflicts", "conflicts"):
            if key in statistics.keys():  # noqa: SIM118 - z3's Statistics has no __contains__
                return int(statistics.get_key_value(key))
        return 0
