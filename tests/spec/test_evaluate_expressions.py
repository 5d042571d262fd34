"""Expressions: what each construct is worth (language.md, Meaning: Values)."""

from __future__ import annotations

import pytest

from spec.evaluate import EvaluationError, Evaluator
from tests.spec.small import evaluator

TEXT = """
const Node: set
enum Light = Red | Green | Amber
record Entry:
    term: 0..9
    node: Node
shared zero:  0..9 = 0
shared three: 0..9 = 3
shared log:   seq[0..9, 4] = [5, 6, 7]
shared few:   set[0..9] = {2, 4}
shared void:  set[0..9] = {}
shared by:    map[Node, 0..9] = {n: if n == b then 2 else 1 for n in Node}
shared pairs: map[Light, set[Node]] = {l: {} for l in Light}
shared none_: optional[0..9] = none
shared some:  optional[0..9] = 4
shared entry: Entry = Entry(term=3, node=b)
process Node:
    volatile x: 0..9 = 0
fun double(n: int) -> int: n + n
fun any_in(s: set[0..9], limit: int) -> bool: exists i in s: i > limit
"""
MODEL = """
model m:
    Node = {b, a, c}
"""

TRUE = [
    # ints
    "2 + 3 * 4 == 14",
    "7 div 2 == 3 and -7 div 2 == -4",
    "-three + 3 == zero and -(-three) == 3",
    "7 mod 3 == 1 and -7 mod 3 == 2 and 7 mod -3 == -2",
    "min(3, 1) == 1 and max(3, 1) == 3",
    "1 < 2 and 2 <= 2 and 3 > 2 and 2 >= 2 and not 2 < 2 and not 2 > 2 and 1 != 2",
    # connectives decide from the left, and stop there
    "not (false and 1 div zero == 1)",
    "true or 1 div zero == 1",
    "false => 1 div zero == 1",
    "(true => true) and (false => true) and (false => false) and not (true => false)",
    "if zero == 0 then true else 1 div zero == 1",
    "(if zero == 1 then 1 div zero else 5) == 5",
    "exists i in 0..3: i == 0 or 1 div i > 9",
    "not (forall i in -1..3: i >= 0 and 1 div i > 0)",
    # sequences are 1-based, slices inclusive
    "log[1] == 5 and log[3] == 7 and len(log) == 3",
    "log[2..3] == [6, 7] and log[1..1] == [5]",
    "log[3..2] == [] and log[9..1] == [] and log[0..-5] == []",
    "append(log, 8) == [5, 6, 7, 8] and log + [1] == [5, 6, 7, 1]",
    "len(log + log) == 6",
    "[1, 2] != [2, 1] and [] == log[2..1]",
    # sets
    "{1, 2, 2} == {2, 1} and size({1, 2, 2}) == 2",
    "2 in few and not (3 in few) and 3 not in few",
    "few + {3} == {2, 3, 4} and few - {2} == {4} and few & {2, 9} == {2}",
    "{2} subset few and few subset few and not ({3} subset few) and {} subset few",
    "1..3 == {1, 2, 3} and 3..1 == {} and size(2..2) == 1",
    "minimum(few) == 2 and maximum(few) == 4",
    "{i * i for i in 1..3} == {1, 4, 9} and {i for i in 1..9 if i in few} == few",
    "{0 for i in few} == {0}",
    "Node == {a, b, c} and size(Node) == 3",
    "Light == {Red, Green, Amber}",
    # quantifiers
    "(forall i in few: i mod 2 == 0) and not (forall i in 2..3: i mod 2 == 0)",
    "(exists i in few: i == 4) and not (exists i in few: i == 3)",
    "(forall i in void: false) and not (exists i in void: true)",
    "forall i in 1..2, j in i..2: i <= j",
    "exists i in 1..3: (exists i2 in 1..3: i2 == i + 1) and i == 2",
    # maps are total
    "by[b] == 2 and by[a] == 1 and by[c] == 1",
    "{n: 0 for n in Node} != by and {n: if n == b then 2 else 1 for n in Node} == by",
    "pairs[Red] == {} and size(pairs[Amber]) == 0",
    "{n: {i: i * 2 for i in 1..2} for n in Node}[a][2] == 4",
    # optionals
    "none_ == none and some != none and some == 4 and the(some) == 4",
    "some in {none, 4} and none_ in {none, 4} and not (none_ in {4, 5})",
    # records
    "entry.term == 3 and entry.node == b",
    "entry == Entry(node=b, term=3) and entry != Entry(term=3, node=a)",
    # functions, inlined: names of theirs are theirs
    "double(double(3)) == 12 and double(three) + three == 9",
    "any_in({1, 5}, 4) and not any_in({1, 5}, 5)",
    "exists i in 3..4: any_in({1, 9}, i) and i == 4",
    "{double(i) + i for i in 1..2} == {3, 6}",
]

ERRORS = [
    ("1 div zero == 1 and false", "division by zero"),
    ("1 div zero == 1 or true", "division by zero"),
    ("true and 1 div zero == 1", "division by zero"),
    ("false or 1 div zero == 1", "division by zero"),
    ("true => 1 div zero == 1", "division by zero"),
    ("1 mod zero == 1 and 1 div zero == 1", "modulo by zero"),
    ("log[4] == 0", "index 4"),
    ("log[zero] == 0", "index 0"),
    ("log[2..4] == []", "slice 2..4"),
    ("log[zero..2] == []", "slice 0..2"),
    ("the(none_) == 1", "the(none)"),
    ("minimum(void) == 1", "minimum of the empty set"),
    ("exists i in 0..3: 1 div i == 9", "division by zero"),
    ("log[1 div zero] == the(none_)", "division by zero"),
]


def system(expressions: list[str]) -> Evaluator:
    lines = "".join(f"invariant t{number}: {text}\n" for number, text in enumerate(expressions))
    return evaluator(TEXT + lines + MODEL)


def value_of(expressions: list[str], text: str) -> bool:
    evaluated = system(expressions)
    (initial,) = evaluated.initial_states()
    compiled = dict(evaluated.invariants)[f"t{expressions.index(text)}"]
    return evaluated.holds(compiled, initial)


@pytest.mark.parametrize("text", TRUE)
def test_expression_is_true(text: str) -> None:
    assert value_of(TRUE, text) is True


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_expression_has_no_value(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        value_of([text for text, _ in ERRORS], text)
    assert message in error.value.message
    assert error.value.place is not None
