"""Whole numbers as bits: each carries the interval it is known to lie in and the bits for that, so none ever wraps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checker.symbolic.circuit import FALSE, TRUE, Bit, Circuit


@dataclass(frozen=True, slots=True)
class Number:
    """Least significant bit first; two's complement with a sign bit if ``low`` is negative, else unsigned."""

    bits: tuple[Bit, ...]
    low: int
    high: int


def width(low: int, high: int) -> int:
    if low >= 0:
        return high.bit_length()
    return max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1


def number(value: int) -> Number:
    return Number(tuple((value >> i) & 1 for i in range(width(value, value))), value, value)


def bit_at(a: Number, i: int) -> Bit:
    """Bit i, with the sign extended."""
    if i < len(a.bits):
        return a.bits[i]
    return a.bits[-1] if a.low < 0 else FALSE


def ranged(a: Number, low: int, high: int) -> Number:
    """The same number where it is known to lie in ``low..high``; elsewhere anything."""
    least, most = max(low, a.low), min(high, a.high)
    if least > most:  # it lies nowhere in the range, and what is anything must lie there all the same
        return number(low)
    if least == most:
        return number(least)
    return Number(tuple(bit_at(a, i) for i in range(width(least, most))), least, most)


def add(c: Circuit, a: Number, b: Number, carry: Bit = FALSE, invert: bool = False) -> Number:
    low, high = (a.low - b.high, a.high - b.low) if invert else (a.low + b.low, a.high + b.high)
    bits: list[Bit] = []
    for i in range(width(low, high)):
        x, y = bit_at(a, i), bit_at(b, i) ^ (1 if invert else 0)
        half = c.xor(x, y)
        bits.append(c.xor(half, carry))
        carry = c.choose(half, carry, x)
    if low == high:
        return number(low)
    return Number(tuple(bits), low, high)


def subtract(c: Circuit, a: Number, b: Number) -> Number:
    return add(c, a, b, TRUE, invert=True)


def less(c: Circuit, a: Number, b: Number) -> Bit:
    if a.high < b.low:
        return TRUE
    if a.low >= b.high:
        return FALSE
    size = max(width(a.low, a.high), width(b.low, b.high)) + 1
    result = FALSE
    for i in range(size):
        x, y = bit_at(a, i), bit_at(b, i)
        if i == size - 1:  # the sign: negative is smaller
            x, y = y, x
        result = c.choose(c.xor(x, y), y, result)
    return result


def less_equal(c: Circuit, a: Number, b: Number) -> Bit:
    return less(c, b, a) ^ 1


def is_number(c: Circuit, a: Number, value: int) -> Bit:
    if not a.low <= value <= a.high:
        return FALSE
    if a.low == a.high:
        return TRUE
    return c.every(bit ^ 1 ^ ((value >> i) & 1) for i, bit in enumerate(a.bits))


def tabulate(c: Circuit, a: Number, b: Number, function: Callable[[int, int], int | None]) -> Number:
    """``function`` of two numbers, by cases; where it is None the result is anything."""
    results: dict[int, Bit] = {}
    for x in range(a.low, a.high + 1):
        here = is_number(c, a, x)
        for y in range(b.low, b.high + 1) if here != FALSE else ():
            result = function(x, y)
            if result is not None:
                both = c.conjunction(here, is_number(c, b, y))
                results[result] = c.disjunction(results.get(result, FALSE), both)
    return by_cases(c, results)


def by_cases(c: Circuit, cases: dict[int, Bit]) -> Number:
    """The number whose condition holds (at most one does)."""
    possible = sorted(value for value, bit in cases.items() if bit != FALSE)
    if len(possible) < 2:
        return number(possible[0] if possible else 0)
    low, high = possible[0], possible[-1]
    bits = [c.some(cases[value] for value in possible if (value >> i) & 1) for i in range(width(low, high))]
    return Number(tuple(bits), low, high)


def count(c: Circuit, bits: Iterable[Bit]) -> Number:
    terms = [Number((bit,), 0, 1) if bit > 1 else number(bit) for bit in bits]
    while len(terms) > 1:
        paired = [add(c, terms[i], terms[i + 1]) for i in range(0, len(terms) - 1, 2)]
        terms = paired + terms[len(terms) - len(terms) % 2 :]
    return terms[0] if terms else number(0)
