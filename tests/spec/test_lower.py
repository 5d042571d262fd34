"""The IR of small specs: every node has its sort, names are unique, and what the language adds is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spec.load import load_system, shipped
from spec.sorts import INT, AtomSort, IntSort, MapSort, MessageSort, OptionalSort, SeqSort, SetSort
from spec.system import (
    Assign,
    Binary,
    Checked,
    Field,
    For,
    If,
    Index,
    IntRange,
    IsUp,
    Keep,
    LabelIs,
    Let,
    LetIn,
    Literal,
    Local,
    MakeMap,
    MakeSeq,
    MakeSet,
    MessagesIn,
    Operator,
    PendingCount,
    Quantified,
    Read,
    Require,
    Rule,
    Send,
    SetComprehension,
    System,
    Unary,
    UnaryOperator,
    Update,
    Where,
    WithField,
    Wrap,
)
from spec.type_walk import descendants, rebuilt
from tests.spec.semantic import DECLARATIONS, MODEL, action, invariant

SERVER = AtomSort("Server", ("s1", "s2"), symmetric=True)
CLIENT = AtomSort("Client", ("c1",))
TERM = IntSort(0, 2, cut_above=True, name="Term")
SELF = Local("self", SERVER)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load(text: str, *, model: str = MODEL, declarations: str = DECLARATIONS) -> System:
        path = tmp_path / "small.spec"
        path.write_text(f"{declarations}{text}\n{model}", encoding="utf-8")
        return load_system(path)

    return load


def rule(system: System, name: str = "act") -> Rule:
    return next(rule for rule in system.rules if rule.name == name)


def claim(system: System) -> Any:
    return system.invariants[0].expr


def all_of(kind: Any, node: object) -> list[Any]:
    return [part for part in descendants(node) if isinstance(part, kind)]


def without_places(node: Any) -> Any:
    return rebuilt(node, lambda part: replace(part, place=None) if hasattr(part, "place") else part)


# ------------------------------------------------------------------------------------------- declarations


def test_a_bound_that_mentions_a_constant_cuts_and_another_does_not(load: Any) -> None:
    system = load("shared a: 0..top + 1 = 0\nshared b: 0..3 = 0\nshared c: Term = 0")
    sorts = {variable.name: variable.sort for variable in system.variables}
    assert sorts["a"] == IntSort(0, 3, cut_above=True)
    assert sorts["b"] == IntSort(0, 3)
    assert sorts["c"] == TERM


def test_an_initial_value_is_one_for_each_process(load: Any) -> None:
    declarations = DECLARATIONS.replace("optional[Server] = none", "optional[Server] = self")
    system = load("", declarations=declarations)
    initial = {variable.name: variable.initial for variable in system.variables}
    assert initial["vote"] == ("s1", "s2")
    assert initial["marks"] == ((0, 0), (0, 0))
    assert initial["seen"] == (frozenset(),)


def test_a_message_knows_who_sends_and_who_receives_it(load: Any) -> None:
    both = """message Note:
on Note m as note:
    ignore
process Extra:
    volatile z: bool = false
    action extra(server: Server):
        send Note() to server
action write(server: Server):
    send Note() to server"""
    system = load(both, declarations="const Extra: set\n" + DECLARATIONS, model=MODEL + "    Extra = {x1}\n")
    messages = {message.name: message for message in system.messages}
    assert messages["Ask"] == MessageSort("Ask", SERVER, SERVER, (("term", TERM),))
    assert (messages["Done"].source, messages["Done"].destination) == (SERVER, CLIENT)
    assert messages["Note"].source == AtomSort("process", ("s1", "s2", "x1"), symmetric=True)


def test_storage_and_crashes_come_from_durable_variables(load: Any) -> None:
    kinds = {kind.name: (kind.has_storage, kind.crashes) for kind in load("").kinds}
    assert kinds == {"Server": (True, True), "Client": (False, False)}


def test_on_any_is_one_rule_of_the_same_name_for_each_message_of_its_process(load: Any) -> None:
    system = load("on any m as watch:\n    keep m")
    watching = [r.message.name for r in system.rules if r.name == "watch"]
    assert watching == ["Ask", "Answer"]


# -------------------------------------------------------------------------------------------- expressions


def test_arithmetic_is_unbounded_and_reads_keep_their_sort(load: Any) -> None:
    expr = claim(load(invariant("forall s in Server: s.current + 1 > 0")))
    (addition,) = (b for b in all_of(Binary, expr) if b.operator is Operator.ADD)
    assert addition.sort == INT
    assert addition.left.sort == TERM
    assert addition.left.process == Local("s", SERVER)


def test_a_value_compared_with_an_optional_is_wrapped(load: Any) -> None:
    expr = claim(load(invariant("forall s in Server: s.vote == s")))
    assert expr.body.right == Wrap(Local("s", SERVER), OptionalSort(SERVER))


def test_empty_displays_take_their_type_from_the_context(load: Any) -> None:
    body = rule(load(action("votes := {}", "log := []", "vote := none"))).body
    assert [statement.value.sort for statement in body] == [SetSort(SERVER), body[1].value.sort, OptionalSort(SERVER)]
    assert isinstance(body[1].value.sort, SeqSort)
    assert body[1].value.sort.capacity == 2


def test_a_mixed_display_takes_its_element_type_from_the_left_of_in(load: Any) -> None:
    expr = claim(load(invariant("forall s in Server: s.vote in {none, s}")))
    assert expr.body.right.sort == SetSort(OptionalSort(SERVER))
    assert expr.body.right.elements[0] == Literal(None, OptionalSort(SERVER))


def test_a_constant_range_has_a_bounded_sort_and_another_has_not(load: Any) -> None:
    ranges = all_of(
        IntRange, claim(load(invariant("(forall i in 1..top: true) and forall s in Server, i in 1..len(s.log): true")))
    )
    assert [found.sort for found in ranges] == [SetSort(IntSort(1, 2)), SetSort(INT)]


def test_a_type_is_the_set_of_its_values(load: Any) -> None:
    expr = claim(load(invariant("forall t in Term: t >= 0")))
    assert expr.domain == Literal(frozenset({0, 1, 2}), SetSort(TERM))


def test_append_is_a_concatenation_that_is_one_longer(load: Any) -> None:
    (assign,) = rule(load(action("log := append(log, Entry(term=1, owner=self))"))).body
    assert assign.value.operator is Operator.CONCAT
    assert assign.value.sort.capacity == 3
    assert isinstance(assign.value.right, MakeSeq)


def test_a_function_is_inlined_with_checked_arguments_and_result(load: Any) -> None:
    expr = claim(load("fun next(t: Term) -> Term: t + 1\n" + invariant("next(next(turn)) == 2")))
    checks = all_of(Checked, expr)
    assert sorted({check.what for check in checks}) == ["`t` of next", "the result of next"]
    assert sorted(let.name for let in all_of(LetIn, expr)) == ["t", "t#2"]


def test_what_a_function_cannot_miss_is_not_checked(load: Any) -> None:
    expr = claim(
        load("fun same(s: Server, t: Term) -> Server: s\n" + invariant("forall s in Server: same(s, s.current) == s"))
    )
    assert all_of(Checked, expr) == []


def test_a_function_does_not_see_its_callers_names(load: Any) -> None:
    expr = claim(load("fun now() -> int: turn\n" + invariant("forall turn in Term: now() == 0")))
    assert isinstance(expr.body.left, Read)


def test_old_reaches_every_read_below_it(load: Any) -> None:
    before = "old(up(s) and len(pending(s)) == s.current + size(network(Ask)))"
    expr = load(f"action invariant step: forall s in Server: {before} or up(s)").action_invariants[0].expr
    reads = all_of((Read, IsUp, PendingCount, MessagesIn), expr)
    assert [part.old for part in reads] == [True, True, True, True, False]


def test_label_is_a_test_of_the_step(load: Any) -> None:
    expr = load("action invariant step: label == stand or label != flush").action_invariants[0].expr
    assert [found.rule for found in all_of(LabelIs, expr)] == ["stand", "flush"]
    assert expr.right.operator is UnaryOperator.NOT


def test_messages_on_their_way_have_their_sort(load: Any) -> None:
    expr = claim(
        load(invariant("size(network) == 0 or exists m in network(Ask), s in Server: m in outbox(s) and m.term == 0"))
    )
    everything, asks, waiting = all_of(MessagesIn, expr)
    assert (everything.where, everything.message) == (Where.NETWORK, None)
    assert (asks.message, waiting.message, waiting.where) == ("Ask", "Ask", Where.OUTBOX)
    assert (asks.sort, waiting.sort) == (SetSort(asks.sort.of), SetSort(asks.sort.of))


def test_another_process_is_read_through_any_expression_of_its_kind(load: Any) -> None:
    declarations = DECLARATIONS.replace("    owner: optional[Server]", "    owner: optional[Server]\n    by: Client")
    expr = claim(load(invariant("forall s in Server: s.log[1].by.asked == 0"), declarations=declarations))
    (read,) = (read for read in all_of(Read, expr) if read.variable == "asked")
    assert isinstance(read.process, Field)
    assert read.process.sort == CLIENT


# --------------------------------------------------------------------------------------------- statements


def test_a_place_in_a_variable_is_assigned_as_a_whole(load: Any) -> None:
    (assign,) = rule(load(action("log[1].owner := self"))).body
    update = assign.value
    assert isinstance(update, Update)
    assert isinstance(update.value, WithField)
    assert isinstance(update.value.of, Index)
    assert update.value.value == Wrap(SELF, OptionalSort(SERVER))


def test_procs_and_at_blocks_are_inlined_with_names_of_their_own(load: Any) -> None:
    text = "proc raise(t: Term):\n    let x = t + 1\n    current := x\n" + action(
        "at mark:", "    let x = 1", "raise(x)", "raise(x)"
    )
    body = rule(load(text)).body
    assert [s.name for s in body if isinstance(s, Let)] == ["x", "t", "x#2", "t#2", "x#3"]
    assert isinstance(body[1].value, Checked)
    assert [type(s) for s in body] == [Let, Let, Let, Assign, Let, Let, Assign]


def handler(*lines: str) -> str:
    return "\n".join(("on Ask m as act:", *(f"    {line}" for line in lines)))


def test_ignore_becomes_the_other_branch(load: Any) -> None:
    body = rule(load(handler("if m.term == 0:", "    votes := {}", "    ignore", "role := Leader"))).body
    (choice,) = body
    assert isinstance(choice, If)
    assert [s.variable for s in choice.then] == ["votes"]
    assert [s.variable for s in choice.otherwise] == ["role"]


def test_what_follows_a_path_that_may_end_is_copied_with_new_names(load: Any) -> None:
    text = handler(
        "if m.term == 0:", "    if role == Leader: ignore", "let x = m.term", "current := x", "role := Leader"
    )
    (outer,) = rule(load(text)).body
    (inner,) = outer.then
    assert inner.then == ()
    first, second = inner.otherwise, outer.otherwise
    assert [s.name for s in first + second if isinstance(s, Let)] == ["x", "x#2"]
    assert second[1].value.name == "x#2"


def test_statements_after_ignore_are_gone(load: Any) -> None:
    assert rule(load(handler("ignore", "role := Leader"))).body == ()


def test_ignore_in_a_proc_ends_the_handler(load: Any) -> None:
    text = "proc stale(t: Term):\n    if t < current: ignore\n" + handler("stale(m.term)", "role := Leader")
    let, choice = rule(load(text)).body
    assert isinstance(let, Let)
    assert choice.then == ()
    assert len(choice.otherwise) == 1


def test_keep_and_reply_belong_to_the_handlers_message(load: Any) -> None:
    act = rule(load(handler("keep m", "reply Answer(granted=true)")))
    keep, send = act.body
    assert isinstance(keep, Keep)
    assert isinstance(send, Send)
    assert act.message is not None
    assert send.destination == Field(Local("m", act.message), "source", SERVER)


# ------------------------------------------------------------------------------------ scenarios and others


def test_a_script_runs_after_another_and_knows_values(load: Any) -> None:
    text = (
        "scenario first:\n    run:\n        stand(s1, peer=s2)\n        drop(Ask, destination=s2)\n"
        "scenario second after first:\n    run:\n        ask(s2, source=s1, term=0)\n        restart(s1)\n"
    )
    (first, second) = load(text).scenarios
    assert [(p.rule, p.process, p.arguments) for p in second.script] == [
        ("stand", "s1", (("peer", "s2"),)),
        ("drop", None, (("message", "Ask"), ("destination", "s2"))),
        ("ask", "s2", (("source", "s1"), ("term", 0))),
        ("restart", "s1", ()),
    ]
    assert first.script == second.script[:2]


def test_a_script_that_spends_more_than_the_model_allows_is_left_out(load: Any) -> None:
    text = "scenario crashes:\n    run:\n        crash(s1, keep=0)\n"
    system = load(text)
    assert system.scenarios == ()
    assert system.notes == {"scenario crashes": "left out: it has 1 times `crash`, and the model allows 0"}


def test_a_scenario_that_names_what_the_model_lacks_is_left_out_with_a_reason(load: Any) -> None:
    text = "scenario big:\n    run:\n        flush(s3)\nscenario late:\n    run:\n        ask(s1, term=3)\n"
    text += "scenario after_big after big:\n    reach: turn == 0\n"
    three = MODEL.replace("two", "three").replace("{s1, s2}", "{s1, s2, s3}").replace("top = 2", "top = 3")
    system = load(text, model=MODEL + three)
    assert system.scenarios == ()
    assert system.notes["scenario big"] == "left out: the model has no s3"
    assert system.notes["scenario after_big"] == system.notes["scenario big"]
    assert "Term ends at 2" in system.notes["scenario late"]


def test_a_completion_sees_labels_and_its_own_parameters(load: Any) -> None:
    text = """completion calm(winner: Server, again: bool):
    restart
    stand(peer=winner) when again and peer != self
    ask when message.term == winner.current
    drop when message.source == winner
    deliver"""
    (completion,) = load(text).completions
    assert [step.rule for step in completion.steps] == ["restart", "stand", "ask", "drop", "deliver"]
    assert [p.name for p in completion.parameters] == ["winner", "again"]
    assert completion.steps[1].arguments == (("peer", Local("winner", SERVER)),)


def test_a_completion_parameter_is_not_mistaken_for_a_rules(load: Any) -> None:
    (completion,) = load("completion calm(peer: Server):\n    stand(peer=peer)").completions
    assert completion.parameters[0].name == "peer#2"
    assert completion.steps[0].arguments == (("peer", Local("peer#2", SERVER)),)


# ------------------------------------------------------------------------------------ shipped specs, whole

SHIPPED = [
    ("diehard", None, None),
    ("two_phase_commit", "three", None),
    ("two_phase_commit", "five", None),
    ("raft", "tiny", None),
    ("raft", "three", None),
    ("raft", None, "new-leader-auto-commits"),
    ("raft", None, "commit-prior-term-by-counting"),
]


@pytest.mark.parametrize(("spec", "model", "mutant"), SHIPPED)
def test_shipped_spec_is_closed(spec: str, model: str | None, mutant: str | None) -> None:
    """Every local is bound where it stands, and by one binder in its rule or property."""
    system = load_system(shipped(spec), model=model, mutant=mutant)
    for each in system.rules:
        bound = {"self", *(p.name for p in each.parameters)} | ({each.message_name} if each.message_name else set())
        assert_closed(each.body, bound)
    for kind in system.kinds:
        assert_closed(kind.on_flush, {"self"})
    tracked = set() if system.track is None else {system.track.name}
    for found, free in ((system.invariants, set()), (system.windows, tracked), (system.actors, tracked | {"crashed"})):
        for each_property in found:
            assert_closed((Require(each_property.expr),), free)


def assert_closed(body: Any, free: set[str]) -> None:
    binders = [
        part.name
        for part in descendants(body)
        if isinstance(part, Let | For | LetIn | Quantified | SetComprehension | MakeMap)
    ]
    assert len(binders) == len(set(binders))
    assert not set(binders) & free
    assert list(_unbound(body, frozenset(free))) == []


def _unbound(node: Any, bound: frozenset[str]) -> Iterator[str]:
    match node:
        case tuple():
            for part in node:
                yield from _unbound(part, bound)
                if isinstance(part, Let):
                    bound |= {part.name}
        case Local(name):
            if name not in bound:
                yield name
        case For(name, domain, body) | Quantified(_, name, domain, body):
            yield from _unbound(domain, bound)
            yield from _unbound(body, bound | {name})
        case SetComprehension(name, domain, condition, value):
            yield from _unbound(domain, bound)
            yield from _unbound((condition, value), bound | {name})
        case LetIn(name, value, body):
            yield from _unbound(value, bound)
            yield from _unbound(body, bound | {name})
        case MakeMap(name, value):
            yield from _unbound(value, bound | {name})
        case _ if hasattr(node, "__dataclass_fields__"):
            for field in node.__dataclass_fields__:
                yield from _unbound(getattr(node, field), bound)


def test_raft_reads_the_same_under_its_mutant_but_for_one_statement() -> None:
    base = load_system(shipped("raft"))
    mutant = load_system(shipped("raft"), mutant="new-leader-auto-commits")
    changed = [a.name for a, b in zip(base.rules, mutant.rules, strict=True) if without_places(a) != without_places(b)]
    assert changed == ["request_vote_response"]
    assert mutant.expects == ("leader_completeness", "answered_write_is_never_lost")


def test_unary_map_and_set_nodes_have_the_sorts_of_their_places(load: Any) -> None:
    body = rule(load(action("marks := {s: size(votes) for s in Server}", "votes := votes + {self}"))).body
    assert body[0].value.sort == MapSort(SERVER, TERM)
    assert all_of(Unary, body[0])[0].sort == INT
    assert all_of(MakeSet, body[1])[0].sort == SetSort(SERVER)
