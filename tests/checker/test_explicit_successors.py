"""The explicit engine's transitions are the evaluator's: successors, cuts and errors; invariants and goals too.

Native code and Python source are compared with it alike.
"""

from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("llvmlite")

from checker.explicit.back_end import BackEnd
from checker.explicit.compile import compiled
from checker.explicit.errors import NotEncodable
from checker.explicit.layout import Capacity
from checker.explicit.source_steps import SourceSteps
from checker.explicit.stepping import Stepping
from checker.explicit.steps import Steps
from spec.evaluate import EvaluationError, Evaluator
from spec.state import State
from spec.system import System
from tests.checker.symbolic_systems import BOUNDS, NETWORKS, STORAGES, kitchen, of_text, overtaking, shipped_system
from tests.spec.small import nodes
from tests.spec.walks import walk

pytestmark = pytest.mark.usefixtures("cache_folder")

ROOMY = Capacity(slots=64, copies=64, pending=16, sends=32)


@pytest.fixture(params=BackEnd, ids=lambda back_end: back_end.value)
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    found: BackEnd = request.param
    return found


@cache
def stepping(back_end: BackEnd, system: System) -> Stepping:
    return Steps(compiled(system, ROOMY)) if back_end is BackEnd.NATIVE else SourceSteps(system)


def compare(back_end: BackEnd, system: System, seeds: range, length: int) -> int:
    """Compares all that the engine computes of the states of random runs. Returns how many evaluations failed."""
    evaluator, steps = Evaluator(system), stepping(back_end, system)
    failures = 0
    for seed in seeds:
        for state in walk(evaluator, seed, length):
            failures += _compare_state(evaluator, steps, state)
    return failures


def _compare_state(evaluator: Evaluator, steps: Stepping, state: State) -> bool:
    layout = steps.layout
    words = layout.encode(state)
    assert layout.decode(words) == state
    _compare_properties(evaluator, steps, state)
    evaluator.tally.cuts = {}
    fired = steps.fire(words)
    try:
        transitions = evaluator.transitions(state)
    except EvaluationError:
        assert fired.failed is not None
        with pytest.raises(EvaluationError):
            evaluator.successor(state, steps.label(words, fired.failed))
        return True
    assert fired.failed is None
    found = {steps.label(words, label): layout.decode(after) for label, after in fired.steps}
    assert found == dict(transitions)
    assert len(fired.steps) == len(transitions)
    assert fired.cuts == evaluator.tally.cuts
    for label, after in fired.steps[len(found) % 3 :: 5]:  # some of them: the evaluator takes its time
        assert layout.encode(layout.decode(after)) == after, "equal states have equal words"
        expected: list[str] | None
        try:
            expected = evaluator.violated_by_step(state, steps.label(words, label), layout.decode(after))
        except EvaluationError:
            expected = None
        assert steps.broken_by_step(words, label, after) == expected
    return False


def _compare_properties(evaluator: Evaluator, steps: Stepping, state: State) -> None:
    words = steps.layout.encode(state)
    try:
        assert steps.broken(words) == evaluator.violated(state)
    except EvaluationError:
        assert steps.broken(words) is None
    try:
        goals = [p.name for p in evaluator.system.sometimes if evaluator.holds(evaluator.compile(p.expr), state)]
        assert steps.reached(words) == goals
    except EvaluationError:
        assert steps.reached(words) is None


# ------------------------------------------------------------------------------------------- shipped specs


@pytest.mark.parametrize(
    ("spec", "model"),
    [
        ("diehard", "puzzle"),
        ("two_phase_commit", "three"),
        ("two_phase_commit", "five"),
        ("raft", "tiny"),
        ("raft", "three"),
        ("raft", "five"),
    ],
)
def test_transitions_of_a_shipped_spec(back_end: BackEnd, spec: str, model: str) -> None:
    compare(back_end, shipped_system(spec, model), range(4), 40)


# ---------------------------------------------------------------------- networks, storage, bounds, budgets


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("network", NETWORKS)
def test_transitions_with_every_network_storage_and_bound(
    back_end: BackEnd, network: str, storage: str, bounds: str
) -> None:
    failures = compare(back_end, kitchen(network, storage, bounds), range(8), 25)
    assert failures or storage == "buffered", "the spec is made so that some evaluations fail"


@pytest.mark.parametrize("network", ["bag", "fifo", "fifo with duplication", "set"])
def test_channels_keep_their_order(back_end: BackEnd, network: str) -> None:
    compare(back_end, overtaking(network), range(10), 30)


# ------------------------------------------------------------------------------------------ the expressions

ZOO = """
const Node: set
const Item: set
const top: int
type Small = 0..top
enum Colour = Red | Green | Blue
record Pair:
    left:  Small
    right: optional[Node]
record Deep:
    pair:  Pair
    on:    bool
message Wide:
    pairs: seq[Pair, 6]
    deep:  map[Colour, Deep]
    all:   map[Node, set[Pair]]
message Tick:
    n: -3..4
network bag with loss, duplication

fun clamp(x: int, low: Small, high: Small) -> Small:
    max(low, min(x, high))
fun strict(x: Small) -> Small:
    x + 1
fun total(s: seq[Pair, 3]) -> int:
    size({s[i].left for i in 1..len(s)}) + len(s)

process Node:
    durable  pairs:  seq[Pair, 3] = []
    durable  deep:   map[Colour, Deep] = {c: Deep(pair=Pair(left=0, right=none), on=false) for c in Colour}
    volatile chosen: set[Pair] = {}
    volatile nested: set[set[Item]] = {}
    volatile by:     map[Pair, 0..2] = {p: 0 for p in Pair}
    volatile maybe:  optional[Pair] = none
    volatile grid:   map[Node, map[bool, seq[Small, 2]]] = {n: {b: [] for b in bool} for n in Node}
    volatile where:  map[optional[Item], int_range] = {i: 0 for i in optional[Item]}
    volatile colour: Colour = Red
    volatile number: -3..4 = 0

    action grow(p: Pair, on: bool):
        pairs := append(pairs, p)
        deep[colour].on := on
        deep[colour].pair.left := p.left + 1
        event grown(p, on)

    action pick(items: set[Item], which: optional[Colour]):
        nested := nested + {items}
        if which == none:
            chosen := chosen + {p for p in Pair if p.left < size(items)}
        else:
            colour := the(which)
            chosen := chosen - {p for p in chosen if p.right == self} + {Pair(left=size(nested) - 1, right=self)}
            where[if items == {} then none else i1] := number

    action count(n: -3..4, by_: Small):
        require n != number
        number := if n < 0 then n div 2 else n mod (by_ + 1)
        by[Pair(left=by_, right=none)] := min(2, by[Pair(left=by_, right=none)] + 1)
        maybe := if by_ == 2 then Pair(left=clamp(n, 0, top), right=self) else none
        grid[self][n > 0] := append(grid[self][n > 0], by_)

    action seqs:
        require len(pairs) > 0
        let last = pairs[len(pairs)]
        pairs[1].left := (last.left + 1) mod (top + 1)
        pairs := pairs[2..len(pairs)] + pairs[1..1]
        let numbers = {p.left for p in chosen} + {i * 2 - 1 for i in 1..len(pairs)}
        if numbers != {} and minimum(numbers) >= 0:
            number := min(4, maximum(numbers) - 2 * minimum(numbers))
        fsync
        for peer in Node:
            send Wide(pairs=pairs + pairs, deep=deep, all={n: if n == peer then chosen else {} for n in Node}) to peer

    action fails(n: Small):
        require number == 3
        number := strict(n)
        by := {p: the(maybe).left div n for p in Pair}

    on Wide m as wide:
        if exists p in chosen, q in m.all[self]: p == q and p.left > 0:
            keep m
            chosen := chosen & m.all[self]
        elif {} subset nested and forall i in 1..len(m.pairs): m.pairs[i].left <= top:
            deep := m.deep
            maybe := if len(m.pairs) > 2 then m.pairs[3] else maybe
            record
            pairs := []
            fsync
            send Tick(n=len(m.pairs) - 3) to m.source
        ghost heard := heard + {m.source}

    on Tick m as tick:
        require m.n in {number, number + 1, -2} or not (m.n in -1..2)
        number := m.n - (if m.n in chosen_numbers then 1 else 0)
        chosen_numbers := {n for n in -2..m.n if n mod 2 == 0}
        tally := (tally + m.n * m.n) mod 7

shared chosen_numbers: set[-3..4] = {}
shared tally: 0..6 = 0
type int_range = -3..4
ghost heard: set[Node] = {}

invariant wide_in_flight: forall m in network(Wide): m.deep[Red].on => len(m.pairs) < 4
invariant waiting: forall n in Node: size(outbox(n)) <= len(pending(n)) + 1
invariant on_disk: forall n in Node: len(disk(n).pairs) <= 3 and (up(n) or n.number == 0)
invariant fails_sometimes: forall n in Node: n.colour != Blue or the(n.maybe).left < 2
action invariant steps:
    forall n in Node: label != crash and old(n.pairs) == n.pairs or old(len(pending(n))) <= len(pending(n)) + 1
action invariant channel: old(size(network)) + 3 > size(network)
sometimes full: exists n in Node: len(n.pairs) == 3
sometimes odd: exists n in Node, p in n.chosen: n.by[p] > 0 and n.where[none] != n.where[i2]

model m:
    Node = {a, b}
    Item = {i1, i2}
    top = 2
    storage = STORAGE
    max_crashes = 1
    max_in_flight = 6
    constraint tame: forall n in Node: size(n.nested) < 4
"""


def zoo(storage: str) -> System:
    return of_text(ZOO.replace("STORAGE", storage))


@pytest.mark.parametrize("storage", STORAGES)
def test_every_kind_of_expression(back_end: BackEnd, storage: str) -> None:
    compare(back_end, zoo(storage), range(3), 30)


def test_message_of_the_zoo_is_wider_than_a_word() -> None:
    assert compiled(zoo("buffered"), ROOMY).layout.words_per_slot == 2


ON_FLUSH = """
    durable d: 0..3 = 0
    action write:
        require d < 3
        d := d + 1
        record
        d := min(3, d + 1)
    on flush:
        ghost seen := disk(self).d * 2 + (if d > disk(self).d then 1 else 0)
        if d == 2:
            d := 3
"""


TWICE = """
    volatile sent: 0..2 = 0
    action call(p: Node):
        require p != self and sent < 2
        sent := sent + 1
        send Note(n=1) to p
    on Note m as note:
        skip
"""


@pytest.mark.parametrize("network", NETWORKS)
def test_same_message_twice_on_its_way_is_counted_once(back_end: BackEnd, network: str) -> None:
    """In a fifo network it stands in two places of a channel."""
    top = "invariant alone: size(network) < 2\ninvariant no_other: size(network(Note)) < 2\n"
    compare(back_end, nodes(TWICE, top=top, network=network, model="max_in_flight = 3").system, range(4), 8)


@pytest.mark.parametrize("storage", STORAGES)
def test_on_flush_reads_the_disk_as_the_flush_has_left_it(back_end: BackEnd, storage: str) -> None:
    system = nodes(ON_FLUSH, top="ghost seen: 0..9 = 0\n", storage=storage).system
    compare(back_end, system, range(10), 12)


READ_BY_ON_FLUSH = """
    durable d: 0..3 = 0
    volatile seen: 0..3 = 0
    volatile mark: 0..3 = 3
    action write:
        d := (d + 1) mod 4
    on flush:
        seen := other + (if mark == 3 then 1 else 0)
"""


@pytest.mark.parametrize("storage", STORAGES)
def test_on_flush_reads_what_its_rule_does_not(back_end: BackEnd, storage: str) -> None:
    system = nodes(READ_BY_ON_FLUSH, top="shared other: 0..2 = 2\n", storage=storage).system
    compare(back_end, system, range(4), 6)


SENDS_BY_ELEMENT = """
    volatile some: set[0..1] = {0, 1}
    action act:
        require size(some) > 1
        for x in some + {size(some) + 5, size(some) + 6}:
            send Note(n=x) to self
        some := {}
    on Note m as note:
        skip
"""


def test_loop_over_a_set_with_elements_beyond_its_type_sends_for_each(back_end: BackEnd) -> None:
    compare(back_end, nodes(SENDS_BY_ELEMENT).system, range(2), 4)


def test_the_runs_take_every_rule_of_the_zoo() -> None:
    evaluator = Evaluator(zoo("buffered"))
    taken, failed = set(), set()
    for seed in range(6):
        for state in walk(evaluator, seed, 30):
            try:
                taken |= {label.rule for label in evaluator.enabled(state)}
            except EvaluationError as error:
                failed |= {label.rule for label in error.labels}
    assert taken >= {rule.name for rule in evaluator.system.rules} - {"fails"}
    assert failed == {"fails"}


def test_what_has_no_fixed_size_is_refused() -> None:
    text = """
shared x: 0..1 = 0
action go:
    x := if (x + 1000000000) * 1000000000 * 1000000000 > 0 then 1 else 0
model m:
    storage = atomic
"""
    with pytest.raises(NotEncodable, match="64 bits"):
        compiled(of_text(text))


# -------------------------------------------------------------------------- which event of two comes first

FIRST = """
const top: int
type Small = 0..top
record Two:
    left: Small
    right: 0..1
shared a: Small = 0
shared s: set[Small] = {}
shared q: seq[Two, 1] = []
shared m: map[0..1, 0..1] = {i: 0 for i in 0..1}
shared r: seq[1..2, 2] = []
fun same(x: Small) -> Small:
    x
action act:
    BODY
model m:
    storage = atomic
    top = 1
"""


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("a := a + 2", {"act: a <= 1": 1}),
        ("a := a - 1", "error"),
        ("require false\n    a := a - 1", {}),
        ("a := a + 2\n    require false", {"act: a <= 1": 1}),
        ("a := a + 2\n    a := 1 div 0", {"act: a <= 1": 1}),
        ("a := 1 div (a - a)", "error"),
        ("s := {a - 1, a + 2}", "error"),  # the least bad element decides
        ("s := {a + 3, a + 2}", {"act: s <= 1": 1}),
        ("q := [Two(left=a + 2, right=a - 1), Two(left=0, right=0)]", {"act: len(q) <= 1": 1}),
        ("q := [Two(left=a + 2, right=a - 1)]", {"act: q.left <= 1": 1}),
        ("q := [Two(left=a, right=a + 2)]", "error"),
        ("m[a] := a + 2", "error"),
        ("m[a + 2] := 0", "error"),
        ("a := q[1].left", "error"),
        ("q := q[1..1]", "error"),
        ("q := q[3..2]", {}),
        ("q := q[3..1]", {}),
        ("r[0] := 1", "error"),  # places that are known not to be there
        ("a := r[0]", "error"),
        ("a := r[100]", "error"),
        ("a := (a - 5) mod 3 - 1", {}),
        ("a := (a + 3) mod (a - 2) + 1", {}),
        ("a := same(a + 2)", "error"),
        ("a := 0 * same(a + 2)", "error"),
        ("if r == [a][2..1]:\n        a := 2", {"act: a <= 1": 1}),  # though their elements are of other ranges
        ("if {a, a + 1} - {1} == {a} & {0, 1, 5}:\n        a := 2", {"act: a <= 1": 1}),
        ("if a == 1 and q[1].left == 0:\n        a := 0", {}),
        ("if a == 0 or q[1].left == 0:\n        a := 1", {}),
        ("a := if a == 0 then 1 else q[1].left", {}),
        ("for i in 1..2:\n        a := a + i", {"act: a <= 1": 1}),
    ],
)
def test_first_event_in_program_order_wins(back_end: BackEnd, body: str, outcome: object) -> None:
    system = of_text(FIRST.replace("BODY", body))
    (state,) = Evaluator(system).initial_states()
    steps = stepping(back_end, system)
    fired = steps.fire(steps.layout.encode(state))
    assert ("error" if fired.failed is not None else fired.cuts) == outcome
    compare(back_end, system, range(1), 1)
