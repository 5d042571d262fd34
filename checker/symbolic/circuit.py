"""Boolean circuits: gates folded and shared as they are built, so that z3 sees only what is not constant.

A *bit* is an int: twice a node's number, plus one if negated; 0 is false and 1 is true. Equal gates are one node, and a
node's number is greater than those of its operands. Building a gate takes about a microsecond, where a z3py term takes
sixty: this is why the engine folds constants here and hands z3 clauses only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

Bit = int
FALSE: Bit = 0
TRUE: Bit = 1


class Gate(IntEnum):
    INPUT = 0
    AND = 1
    XOR = 2
    CHOOSE = 3  # if first then second else third


class Circuit:
    def __init__(self) -> None:
        self.gates: list[Gate] = [Gate.INPUT]  # node 0 is the constant
        self.operands: list[tuple[Bit, ...]] = [()]
        self._ands: dict[tuple[Bit, Bit], Bit] = {}
        self._xors: dict[tuple[Bit, Bit], Bit] = {}
        self._chooses: dict[tuple[Bit, Bit, Bit], Bit] = {}

    def __len__(self) -> int:
        return len(self.gates)

    def _node(self, gate: Gate, operands: tuple[Bit, ...]) -> Bit:
        self.gates.append(gate)
        self.operands.append(operands)
        return 2 * (len(self.gates) - 1)

    def input(self) -> Bit:
        return self._node(Gate.INPUT, ())

    def conjunction(self, a: Bit, b: Bit) -> Bit:
        if a > b:
            a, b = b, a
        if a <= 1:
            return b if a else FALSE
        if a >> 1 == b >> 1:
            return a if a == b else FALSE
        key = (a, b)
        found = self._ands.get(key)
        if found is None:
            found = self._absorbed(a, b)
            if found is None:
                found = self._node(Gate.AND, key)
            self._ands[key] = found
        return found

    def _absorbed(self, a: Bit, b: Bit) -> Bit | None:
        """``a and b`` where b's operands already say or deny a (b was built later, so it may mention a)."""
        if self.gates[b >> 1] is not Gate.AND:
            return None
        left, right = self.operands[b >> 1]
        if b & 1 == 0:
            if a in (left, right):
                return b
            if a ^ 1 in (left, right):
                return FALSE
        else:
            if a ^ 1 in (left, right):
                return a
            if a == left:
                return self.conjunction(a, right ^ 1)
            if a == right:
                return self.conjunction(a, left ^ 1)
        return None

    def disjunction(self, a: Bit, b: Bit) -> Bit:
        return self.conjunction(a ^ 1, b ^ 1) ^ 1

    def implies(self, a: Bit, b: Bit) -> Bit:
        return self.conjunction(a, b ^ 1) ^ 1

    def xor(self, a: Bit, b: Bit) -> Bit:
        if a > b:
            a, b = b, a
        if a <= 1:
            return b ^ a
        negated = (a ^ b) & 1
        a &= ~1
        b &= ~1
        if a == b:
            return negated
        found = self._xors.get((a, b))
        if found is None:
            found = self._xors[a, b] = self._node(Gate.XOR, (a, b))
        return found ^ negated

    def same(self, a: Bit, b: Bit) -> Bit:
        return self.xor(a, b) ^ 1

    def choose(self, condition: Bit, then: Bit, otherwise: Bit) -> Bit:
        if condition <= 1:
            return then if condition else otherwise
        if then == otherwise:
            return then
        if condition & 1:
            condition, then, otherwise = condition ^ 1, otherwise, then
        if then >> 1 == otherwise >> 1:
            return self.xor(condition, otherwise)
        if then <= 1:
            return self.disjunction(condition, otherwise) if then else self.conjunction(condition ^ 1, otherwise)
        if otherwise <= 1:
            return self.implies(condition, then) if otherwise else self.conjunction(condition, then)
        if condition >> 1 == then >> 1:
            return self.choose(condition, TRUE ^ (condition ^ then) & 1, otherwise)
        if condition >> 1 == otherwise >> 1:
            return self.choose(condition, then, FALSE ^ (condition ^ otherwise) & 1)
        negated = then & 1
        key = (condition, then ^ negated, otherwise ^ negated)
        found = self._chooses.get(key)
        if found is None:
            found = self._chooses[key] = self._node(Gate.CHOOSE, key)
        return found ^ negated

    def every(self, bits: Iterable[Bit]) -> Bit:
        result = TRUE
        for bit in bits:
            result = self.conjunction(result, bit)
            if result == FALSE:
                return FALSE
        return result

    def some(self, bits: Iterable[Bit]) -> Bit:
        return self.every(bit ^ 1 for bit in bits) ^ 1

    def cone(self, roots: Iterable[Bit]) -> list[int]:
        """The nodes that ``roots`` depend on, operands first."""
        seen: set[int] = set()
        waiting = [root >> 1 for root in roots]
        while waiting:
            node = waiting.pop()
            if node not in seen and node:
                seen.add(node)
                waiting.extend(bit >> 1 for bit in self.operands[node])
        return sorted(seen)

    def simulate(self, cone: Sequence[int], inputs: dict[Bit, int], lanes: int = 1) -> dict[Bit, int]:
        """The value of every node of ``cone`` (keyed by its positive bit) in ``lanes`` runs at once.

        Values are ints with one binary digit per run; inputs that are not given are false in every run.
        """
        full = (1 << lanes) - 1
        value: dict[Bit, int] = {0: 0, 1: full}
        gates, operands = self.gates, self.operands
        for node in cone:
            gate = gates[node]
            if gate is Gate.AND:
                a, b = operands[node]
                result = value[a] & value[b]
            elif gate is Gate.CHOOSE:
                c, a, b = operands[node]
                result = value[c] & value[a] | value[c ^ 1] & value[b]
            elif gate is Gate.XOR:
                a, b = operands[node]
                result = value[a] ^ value[b]
            else:
                result = inputs.get(2 * node, 0)
            value[2 * node] = result
            value[2 * node + 1] = result ^ full
        return value
