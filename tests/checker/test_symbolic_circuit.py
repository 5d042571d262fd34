"""Gates and numbers: folding and sharing never change a meaning, and numbers never wrap."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.symbolic.arithmetic import arithmetic
from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit
from checker.symbolic.errors import GaveUp
from checker.symbolic.layout import raw_bits, read, read_number
from checker.symbolic.numbers import Number, count, less, number, ranged, width
from checker.symbolic.solve import Solver
from checker.symbolic.values import equal
from checker.symbolic.watch import Deadline, Query, Watch
from spec.sorts import BOOL
from spec.system import Operator

QUERY = Query("test", "the goal is true")

GATES: dict[str, tuple[int, Callable[..., bool]]] = {
    "conjunction": (2, lambda a, b: a and b),
    "disjunction": (2, lambda a, b: a or b),
    "implies": (2, lambda a, b: not a or b),
    "xor": (2, lambda a, b: a != b),
    "same": (2, lambda a, b: a == b),
    "choose": (3, lambda s, a, b: a if s else b),
}


@given(st.data())
def test_a_circuit_computes_what_its_gates_say(data: st.DataObject) -> None:
    c = Circuit()
    inputs = [c.input() for _ in range(4)]
    bits: list[Bit] = [FALSE, TRUE, *inputs]
    meanings: list[int] = [0, 0xFFFF, 0xAAAA, 0xCCCC, 0xF0F0, 0xFF00]  # a digit for each of the 16 assignments
    for _ in range(data.draw(st.integers(1, 25))):
        name = data.draw(st.sampled_from(sorted(GATES)))
        arity, function = GATES[name]
        picked = data.draw(st.lists(st.integers(0, len(bits) - 1), min_size=arity, max_size=arity))
        negated = data.draw(st.lists(st.booleans(), min_size=arity, max_size=arity))
        operands = [bits[p] ^ n for p, n in zip(picked, negated, strict=True)]
        columns = [meanings[p] ^ (0xFFFF if n else 0) for p, n in zip(picked, negated, strict=True)]
        bits.append(getattr(c, name)(*operands))
        meanings.append(sum(function(*(bool(m >> i & 1) for m in columns)) << i for i in range(16)))
    values = c.simulate(c.cone(bits), dict(zip(inputs, meanings[2:6], strict=True)), 16)
    assert [values[bit] for bit in bits] == meanings
    goal = bits[-1]
    solver = Solver(c)
    solver.define(inputs)
    assert solver.check(goal, query=QUERY) == (meanings[-1] != 0)
    if meanings[-1]:
        at = sum(solver.value(bit) << i for i, bit in enumerate(inputs))
        assert meanings[-1] >> at & 1


INTERVAL = st.tuples(st.integers(-6, 9), st.integers(0, 7)).map(lambda t: (t[0], t[0] + t[1]))
MEANING: dict[Operator, Callable[[int, int], int | bool]] = {
    Operator.ADD: lambda a, b: a + b,
    Operator.SUBTRACT: lambda a, b: a - b,
    Operator.MULTIPLY: lambda a, b: a * b,
    Operator.DIVIDE: lambda a, b: a // b,
    Operator.MODULO: lambda a, b: a % b,
    Operator.MIN: min,
    Operator.MAX: max,
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_EQUAL: lambda a, b: a <= b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_EQUAL: lambda a, b: a >= b,
}


def _free(c: Circuit, low: int, high: int) -> Number:
    return number(low) if low == high else Number(tuple(c.input() for _ in range(width(low, high))), low, high)


def _inputs(value: Number, is_: int) -> dict[Bit, int]:
    return {bit: is_ >> i & 1 for i, bit in enumerate(value.bits) if bit > 1}


@given(st.sampled_from(sorted(MEANING, key=str)), INTERVAL, INTERVAL)
def test_arithmetic_is_exact_for_every_value_of_the_intervals(
    operator: Operator, left: tuple[int, int], right: tuple[int, int]
) -> None:
    c = Circuit()
    a, b = _free(c, *left), _free(c, *right)
    result, wrong = arithmetic(c, operator, a, b)
    cone = c.cone([*raw_bits(result), wrong])
    for x in range(left[0], left[1] + 1):
        for y in range(right[0], right[1] + 1):
            values = c.simulate(cone, {**_inputs(a, x), **_inputs(b, y)})

            def bit(which: Bit, values: dict[Bit, int] = values) -> bool:
                return bool(values[which])

            undefined = y == 0 and operator in (Operator.DIVIDE, Operator.MODULO)
            assert bit(wrong) == undefined
            if not undefined:
                expected = MEANING[operator](x, y)
                got = read_number(result, bit) if isinstance(result, Number) else read(result, BOOL, bit)
                assert got == expected, (x, y)
                if isinstance(result, Number):
                    assert result.low <= expected <= result.high


@given(INTERVAL, INTERVAL)
def test_comparison_of_numbers_of_different_widths(left: tuple[int, int], right: tuple[int, int]) -> None:
    c = Circuit()
    a, b = _free(c, *left), _free(c, *right)
    same, smaller = equal(c, a, b), less(c, a, b)
    cone = c.cone([same, smaller])
    for x in range(left[0], left[1] + 1):
        for y in range(right[0], right[1] + 1):
            values = c.simulate(cone, {**_inputs(a, x), **_inputs(b, y)})
            assert (bool(values[same]), bool(values[smaller])) == (x == y, x < y)


@given(st.integers(0, 9))
def test_count_counts(size: int) -> None:
    c = Circuit()
    bits = [c.input() for _ in range(size)]
    total = count(c, bits)
    cone = c.cone(total.bits)
    for chosen in range(1 << size):
        values = c.simulate(cone, {bit: chosen >> i & 1 for i, bit in enumerate(bits)})
        read_bits = {bit: bool(value) for bit, value in values.items()}
        assert read_number(total, read_bits.__getitem__) == chosen.bit_count()


@pytest.mark.parametrize(("value", "low", "high"), [(2, 1, 1), (0, 1, 3), (-5, 0, 2), (7, -2, -1)])
def test_number_that_lies_nowhere_in_a_range_is_put_into_it(value: int, low: int, high: int) -> None:
    """A sequence's length that cannot be right must not be more than its slots."""
    found = ranged(number(value), low, high)
    assert low <= found.low <= found.high <= high


@pytest.mark.parametrize("enumerating", [False, True])
def test_a_question_that_takes_too_long_has_no_answer(enumerating: bool) -> None:
    """Eleven pigeons do not fit into ten holes, but that is hard to see: an error, and not "unsatisfiable"."""
    c = Circuit()
    sits = [[c.input() for _ in range(10)] for _ in range(11)]
    solver = Solver(c, Watch(Deadline(0.3)), enumerating=enumerating)
    for pigeon, holes in enumerate(sits):
        solver.require_some(holes)
        for other in sits[:pigeon]:
            for a, b in zip(holes, other, strict=True):
                solver.require_some((a ^ 1, b ^ 1))
    with pytest.raises(GaveUp, match="timeout"):
        solver.enumerate(sits[0], QUERY) if enumerating else solver.check(query=QUERY)


def test_importing_the_engine_imports_no_z3() -> None:
    text = "import sys, checker, checker.symbolic.check, checker.symbolic.enumerate; sys.exit('z3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
