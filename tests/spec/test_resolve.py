"""S2xx: each name is declared once, is known where it is used, and is not defined by itself."""

from __future__ import annotations

import pytest

from tests.spec.semantic import DECLARATIONS, action, check, codes, invariant


def test_the_small_spec_has_no_fault() -> None:
    assert check("") == ()


CASES = [
    ("S201", invariant("curent == 0")),
    ("S201", action("current := tip")),
    ("S201", invariant("stand == 0")),
    ("S202", "const top: int"),
    ("S202", "enum Colour = Red | Follower"),
    ("S202", "action stand:\n    skip"),
    ("S202", "network bag"),
    ("S202", "record Twice:\n    a: Term\n    a: Term"),
    ("S202", action("let x = 1", "let x = 2")),
    ("S203", "type Bad = Trem"),
    ("S203", "type Bad = bag[Term]"),
    ("S204", invariant("lenght(seen) == 0")),
    ("S204", action("step_down()")),
    ("S206", "scenario odd:\n    run:\n        stnd(s1, peer=s2)"),
    ("S206", "action invariant odd: label == stnd"),
    ("S206", "completion odd():\n    delivr"),
    ("S206", "fair odd:\n    weak flush, stnd"),
    ("S206", "fair odd:\n    strong deliver, delivr"),
    ("S207", "scenario odd after nothing:\n    run:\n        flush(s1)"),
    ("S208", "fun f(x: int) -> int: f(x)"),
    ("S208", "proc p():\n    q()\nproc q():\n    p()\naction act:\n    p()"),
    ("S208", "type Bad = set[Worse]\ntype Worse = set[Bad]"),
    ("S208", "scenario a after b:\n    run:\n        flush(s1)\nscenario b after a:\n    run:\n        flush(s1)"),
    ("S202", "invariant twice: true\neventually twice: true"),
    ("S216", "eventually odd under promt: true"),
    ("S216", "fair prompt:\n    weak stand\neventually odd under prompt, promt: true"),
    ("S210", "on Aks m as other:\n    ignore"),
    ("S210", action("send Aks(term=current) to self")),
    ("S210", invariant("size(network(Aks)) == 0")),
    ("S212", "const label: int"),
    ("S212", "message Bad:\n    source: Server"),
    ("S212", "action flush:\n    skip"),
    ("S213", "process Role:\n    volatile x: bool = false"),
    ("S214", "message Lost:\naction act:\n    send Lost() to self"),
    ("S215", action("asked := 1")),
    ("S215", invariant("current == 0")),
    ("S215", "proc serve():\n    current := 0\nshared action act:\n    serve()"),
]


@pytest.mark.parametrize(("code", "text"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_fault_has_its_code(code: str, text: str) -> None:
    assert code in codes(text)
    assert set(codes(text)) <= {code, "S501"}  # a constant that the model does not know of is unset


def test_handler_outside_any_process_is_reported() -> None:
    assert codes("", declarations="message M:\non M m:\n    ignore\n", model="model a:\n    max_crashes = 0\n") == [
        "S211"
    ]


def test_flush_outside_any_process_is_reported() -> None:
    assert codes("on flush:\n    skip", declarations="", model="model a:\n    max_crashes = 0\n") == ["S211"]


def test_message_that_two_kinds_receive_is_reported() -> None:
    found = check("", declarations=DECLARATIONS.replace("on Done m as done", "on Ask m as done"))
    assert "S214" in [fault.code for fault in found]
    assert "`Ask` is received by Server and by Client" in " ".join(fault.message for fault in found)


def test_second_declaration_points_to_the_first() -> None:
    (found,) = check("fun top(x: int) -> int: x")
    assert found.hint == "the first declaration is at small.spec:3:7; rename one"
    assert found.place.line == DECLARATIONS.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (invariant("forall s in Server: s.curent == 0"), "did you mean `current`?"),
        (invariant("forall s in Servr: true"), "did you mean `Server`?"),
        (action("send Aks(term=current) to self"), "did you mean `Ask`?"),
        (action("send Ask(trem=current) to self"), "did you mean `term`?"),
        ("scenario odd:\n    run:\n        stnd(s1, peer=s2)", "did you mean `stand`?"),
    ],
)
def test_close_name_is_offered(text: str, hint: str) -> None:
    (found,) = check(text)
    assert found.hint == hint


def test_wrong_name_hides_no_other_fault_and_causes_none() -> None:
    text = action("let x = tip + 1", "current := x", "role := x", "if x: skip", "votes := 1")
    assert codes(text) == ["S201", "S301"]
