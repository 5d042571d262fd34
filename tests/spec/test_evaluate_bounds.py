"""Budgets, bounds, cuts and errors (language.md, Meaning: Budgets and bounds, Values)."""

from __future__ import annotations

import pytest

from spec.evaluate import Cut, EvaluationError, NotEnabled
from spec.state import Label
from tests.spec.small import Small, nodes

TALK = """
    durable  d: 0..9 = 0
    volatile x: 0..9 = 0
    action say(n: 0..9):
        send Note(n=n) to b
    action promise(n: 1..9):
        d := n
        fsync
        send Note(n=n) to b
    action write(n: 1..9):
        d := n
    on Note m:
        x := m.n
"""


def talk(model: str, network: str = "bag with loss, duplication", max_crashes: int = 1) -> Small:
    return nodes(TALK, model=model, network=network, max_crashes=max_crashes)


def bound_of(small: Small, steps: tuple[str, ...], last: str) -> str:
    """What cuts the last step after the others."""
    state = small.run(*steps)
    with pytest.raises(Cut) as cut:
        small.evaluator.successor(state, small.parse(last))
    return cut.value.bound


# ------------------------------------------------------------------------------------------------ budgets


def test_crashes_are_counted_over_the_run_and_over_all_processes() -> None:
    small = talk("", max_crashes=2)
    state = small.run("crash a 0", "restart a", "crash b 0")
    assert state.budgets == (2,)
    back = small.fire(state, "restart", "b")
    assert "crash a" not in small.enabled(back)
    with pytest.raises(NotEnabled):
        small.fire(back, "crash", "a", 0)


def test_without_max_crashes_nobody_crashes() -> None:
    small = Small("""
const Node: set
process Node:
    durable d: 0..9 = 0
    action go:
        d := 1
model m:
    Node = {a}
    storage = buffered
""")
    assert small.initial.budgets == (0,)
    assert small.enabled(small.initial) == ["go a"]


def test_unset_drops_and_duplicates_are_unlimited_and_add_no_state() -> None:
    small = talk("")
    state = small.run("say a 1", *["duplicate b a 1"] * 4, *["drop b a 1"] * 4)
    assert state.budgets == (0,)
    assert state == small.run("say a 1")


def test_set_drops_and_duplicates_are_counters_of_the_state_in_the_budgets_order() -> None:
    small = talk("max_drops = 1\nmax_duplicates = 2\n")
    state = small.run("say a 1", "duplicate b a 1", "duplicate b a 1", "drop b a 1")
    assert state.budgets == (0, 1, 2)
    assert not {"drop", "duplicate"} & set(small.enabled(state))
    for rule in ("drop", "duplicate"):
        with pytest.raises(NotEnabled):
            small.fire(state, rule, to="b", source="a", n=1)


def test_a_budget_of_zero_is_not_the_same_as_none() -> None:
    assert "drop" not in talk("max_drops = 0\n").enabled(talk("max_drops = 0\n").run("say a 1"))


def test_max_retries_counts_the_action_named_retry() -> None:
    small = nodes(
        """
        volatile x: 0..9 = 0
        action retry:
            x := x + 1
        """,
        model="max_retries = 2\n",
    )
    state = small.run("retry a", "retry b")
    assert state.budgets == (0, 2)
    assert small.enabled(state) == []


def test_what_a_budget_forbids_is_neither_cut_nor_an_error() -> None:
    small = talk("max_duplicates = 1\nmax_in_flight = 2\n")
    state = small.run("say a 1", "duplicate b a 1")
    with pytest.raises(NotEnabled):
        small.fire(state, "duplicate", to="b", source="a", n=1)
    failing = nodes(
        """
        volatile x: 0..9 = 0
        action retry:
            x := 1 div x
        """,
        model="max_retries = 0\n",
    )
    assert failing.enabled(failing.initial) == []


# ------------------------------------------------------------------------------------------------- bounds


def test_max_in_flight_counts_network_and_outboxes() -> None:
    small = talk("max_in_flight = 2\n")
    assert bound_of(small, ("say a 1", "say a 1"), "say a 1") == "max_in_flight = 2"
    assert bound_of(small, ("promise a 1", "say a 1"), "say b 2") == "max_in_flight = 2"
    assert bound_of(small, ("say a 1", "promise a 1"), "promise b 2") == "max_in_flight = 2"
    assert bound_of(small, ("say a 1", "say a 1"), "duplicate b a 1") == "max_in_flight = 2"


def test_max_in_flight_is_checked_at_the_end_of_the_transition() -> None:
    small = nodes(
        """
        action say:
            send Note(n=1) to b
        on Note m:
            reply Note(n=2)
            if m.n == 2:
                reply Note(n=3)
        """,
        model="max_in_flight = 1\n",
    )
    state = small.run("say a", "Note b a 1")
    assert small.network(state) == {("b", "a", 2): 1}
    assert bound_of(small, ("say a", "Note b a 1"), "Note a b 2") == "max_in_flight = 1"


def test_a_flush_that_only_lets_the_outbox_go_is_never_cut() -> None:
    small = talk("max_in_flight = 2\nmax_copies = 1\n")
    state = small.run("promise a 1", "say a 2", "flush a")
    assert small.network(state) == {("a", "b", 1): 1, ("a", "b", 2): 1}


def test_max_copies_counts_copies_in_network_and_outboxes() -> None:
    small = talk("max_copies = 2\n")
    assert bound_of(small, ("say a 1", "say a 1"), "say a 1") == "max_copies = 2"
    assert bound_of(small, ("say a 1", "say a 1"), "duplicate b a 1") == "max_copies = 2"
    assert bound_of(small, ("say a 1", "say a 1"), "promise a 1") == "max_copies = 2"
    assert small.network(small.run("say a 1", "say a 1", "say a 2", "say b 1"))[("a", "b", 1)] == 2


def test_max_pending_cuts_the_transition_that_writes_one_record_more() -> None:
    small = talk("max_pending = 2\n")
    assert bound_of(small, ("write a 1", "write a 2"), "write a 3") == "max_pending = 2"
    assert small.pending(small.run("write a 1", "write a 2", "write a 2", "write b 1"), "a") == ((1,), (2,))


def test_a_constraint_cuts_by_the_target_state() -> None:
    small = talk("constraint few: forall p in Node: p.d < 3\n")
    assert bound_of(small, ("write a 2",), "write a 3") == "constraint few"
    assert small.memory(small.run("write a 2", "write b 2"), "b")["d"] == 2


def test_a_system_action_can_be_cut_by_a_constraint() -> None:
    small = talk("constraint awake: forall p in Node: up(p)\n")
    assert bound_of(small, (), "crash a 0") == "constraint awake"


def test_cut_transitions_are_counted_by_bound_and_not_listed() -> None:
    small = nodes(
        """
        volatile x: 0..9 = 0
        action up_to(n: 1..4):
            x := n
        """,
        model="constraint low: forall p in Node: p.x < 4\nconstraint lower: forall p in Node: p.x < 2\n",
    )
    small.evaluator.tally.cuts = {}
    labels = small.evaluator.enabled(small.initial)
    assert labels == [Label("up_to", "a", (1,)), Label("up_to", "b", (1,))]
    assert small.evaluator.tally.cuts == {"up_to: constraint low": 2, "up_to: constraint lower": 4}


# ----------------------------------------------------------------------------- values: cuts, errors, their order

VALUES = """
    volatile term:   Term = 1
    volatile digit:  0..9 = 9
    volatile log:    seq[Term, max_log] = []
    volatile fixed:  seq[0..9, 2] = []
    volatile few:    set[Term] = {}
    volatile by:     map[Node, Term] = {p: 1 for p in Node}
    volatile entry:  Entry = Entry(term=1, digit=0)
    volatile other:  optional[Term] = none
"""

TOP = """
    const max_term: int
    const max_log: int
    type Term = 1..max_term
    record Entry:
        term:  Term
        digit: 0..9
    message Terms:
        term:  Term
        digit: 0..9
    fun same(t: Term) -> Term: t
    fun less(t: Term) -> Term: t - 1
"""


def storing(statements: str) -> Small:
    body = "".join(f"        {line}\n" for line in statements.splitlines())
    return nodes(
        VALUES + "    action go:\n" + body + "    on Terms m:\n        ignore\n",
        top=TOP,
        model="max_term = 3\nmax_log = 2\n",
    )


@pytest.mark.parametrize(
    ("statements", "bound"),
    [
        ("term := 4", "term <= 3"),
        ("log := [1, 2, 3]", "len(log) <= 2"),
        ("log := append(append(log, 1), 4)", "log <= 3"),
        ("fixed := [1, 2, digit]", "len(fixed) <= 2"),
        ("few := {1, 4}", "few <= 3"),
        ("by[self] := 4", "by <= 3"),
        ("entry := Entry(term=4, digit=0)", "entry.term <= 3"),
        ("entry.term := term + 3", "entry.term <= 3"),
        ("other := term + 3", "other <= 3"),
        ("send Terms(term=4, digit=1) to self", "Terms.term <= 3"),
    ],
)
def test_above_a_model_bound_or_a_capacity_the_transition_is_cut(statements: str, bound: str) -> None:
    small = storing(statements)
    with pytest.raises(Cut) as cut:
        small.fire(small.initial, "go", "a")
    assert cut.value.bound == bound


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ("digit := digit + 1", "digit: 10 is outside 0..9"),
        ("digit := digit - 10", "digit: -1 is outside 0..9"),
        ("term := term - 1", "term: 0 is outside 1..3"),
        ("few := {term - 1}", "few: 0 is outside 1..3"),
        ("fixed := [digit + 1]", "fixed: 10 is outside 0..9"),
        ("entry.digit := digit + 1", "entry.digit: 10 is outside 0..9"),
        ("other := term - 1", "other: 0 is outside 1..3"),
        ("send Terms(term=1, digit=digit + 1) to self", "Terms.digit: 10 is outside 0..9"),
        ("term := log[1]", "index 1 of a sequence of length 0"),
        ("log := [1]\nterm := log[0]", "index 0 of a sequence of length 1"),
        ("log := [1]\nlog := log[1..2]", "slice 1..2 of a sequence of length 1"),
        ("log := [1]\nlog := log[0..1]", "slice 0..1 of a sequence of length 1"),
        ("log[1] := 1", "index 1 of a sequence of length 0"),
        ("term := the(other)", "the(none)"),
        ("digit := digit div (term - 1)", "division by zero"),
        ("digit := digit mod (term - 1)", "modulo by zero"),
        ("term := minimum(few)", "minimum of the empty set"),
        ("term := maximum(few)", "maximum of the empty set"),
        ("digit := same(term + 3)", "4 is not a value of Term"),
        ("digit := less(term)", "0 is not a value of Term"),
    ],
)
def test_anything_else_out_of_type_is_an_error_with_a_position(statements: str, message: str) -> None:
    small = storing(statements)
    with pytest.raises(EvaluationError) as error:
        small.fire(small.initial, "go", "a")
    assert message in error.value.message
    assert error.value.place is not None
    assert error.value.place.file.endswith("small.spec")


def test_a_map_indexed_outside_its_keys_is_an_error() -> None:
    small = nodes(
        """
        volatile by: map[1..2, 0..9] = {i: 0 for i in 1..2}
        action go(n: 1..3):
            by[n] := 1
        """
    )
    assert small.memory(small.run("go a 2"), "a") == {"by": (0, 1)}
    with pytest.raises(EvaluationError, match="no key 3"):
        small.fire(small.initial, "go", "a", 3)


def test_expressions_compute_on_unbounded_integers() -> None:
    small = storing("let big = term * 1000000\nterm := big - 999998\nlog := [5, 6, 2][3..3]")
    assert small.memory(small.run("go a"), "a")["term"] == 2
    assert small.memory(small.run("go a"), "a")["log"] == (2,)


def test_a_value_is_checked_at_the_statement_that_stores_it() -> None:
    small = storing("term := 4\nterm := 1")
    with pytest.raises(Cut):
        small.fire(small.initial, "go", "a")


@pytest.mark.parametrize(
    ("statements", "first"),
    [
        ("term := 4\ndigit := digit + 1", Cut),
        ("digit := digit + 1\nterm := 4", EvaluationError),
        ("require false\nterm := 4", NotEnabled),
        ("term := 4\nrequire false", Cut),
        ("require false\ndigit := digit + 1", NotEnabled),
        ("digit := digit + 1\nrequire false", EvaluationError),
        ("entry := Entry(term=4, digit=digit + 1)", Cut),
        ("send Terms(term=0, digit=digit + 1) to self", EvaluationError),
        ("send Terms(term=4, digit=digit + 1) to self", Cut),
        ("log := [4, 1, 1]", Cut),
        ("term := 3 + log[1]", EvaluationError),
    ],
)
def test_the_first_event_in_program_order_wins(statements: str, first: type[Exception]) -> None:
    small = storing(statements.replace("term=0", "term=term - 1"))
    with pytest.raises(first):
        small.fire(small.initial, "go", "a")


def test_of_a_sets_elements_the_least_is_checked_first() -> None:
    small = storing("few := {term + 9, term - 1}")
    with pytest.raises(EvaluationError, match="0 is outside"):
        small.fire(small.initial, "go", "a")


def test_an_error_names_the_label_that_it_happened_in() -> None:
    small = storing("digit := digit + 1")
    with pytest.raises(EvaluationError) as error:
        small.evaluator.transitions(small.initial)
    assert error.value.labels == (Label("go", "a"),)


def test_a_ghost_is_checked_like_any_variable() -> None:
    small = nodes(
        "action go:\n    ghost seen := seen + 1\n",
        top="const most: int\nghost seen: 0..most = 0\n",
        model="most = 1\n",
    )
    assert bound_of(small, ("go a",), "go a") == "seen <= 1"
