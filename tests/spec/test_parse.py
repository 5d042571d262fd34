"""Each construct of the language, parsed: the tree says what the text says, with its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spec import syntax
from spec.parse import parse_text
from spec.parse_lexer import RESERVED
from spec.system import Place

MODELS = Path(__file__).parents[2] / "spec" / "models"


def parse(text: str) -> tuple[syntax.Declaration, ...]:
    parsed, faults = parse_text(text, "test.spec")
    assert faults == ()
    return parsed.declarations


def only(text: str) -> syntax.Declaration:
    (declaration,) = parse(text)
    return declaration


def expression(text: str) -> syntax.Expression:
    declaration = only(f"invariant i: {text}\n")
    assert isinstance(declaration, syntax.PropertyDeclaration)
    return declaration.expr


def statements(text: str) -> syntax.Body:
    body = "\n".join("    " + line for line in text.strip("\n").splitlines())
    declaration = only(f"action a:\n{body}\n")
    assert isinstance(declaration, syntax.ActionDeclaration)
    return declaration.body


def shape(node: syntax.Expression) -> str:
    """The expression with all its brackets."""
    match node:
        case syntax.Infix(operator, left, right):
            return f"({shape(left)} {operator} {shape(right)})"
        case syntax.Prefix(operator, of):
            return f"({operator} {shape(of)})"
        case syntax.Name(name):
            return name
        case syntax.Number(value):
            return str(value)
        case syntax.Boolean(value):
            return str(value).lower()
        case syntax.NoneLiteral():
            return "none"
        case syntax.Dot(of, name):
            return f"{shape(of)}.{name}"
        case syntax.Call(name, arguments):
            return f"{name}({', '.join((a.name + '=' if a.name else '') + shape(a.value) for a in arguments)})"
        case syntax.Subscript(of, key, None):
            return f"{shape(of)}[{shape(key)}]"
        case syntax.Subscript(of, key, high):
            assert high is not None
            return f"{shape(of)}[{shape(key)} to {shape(high)}]"
        case syntax.Conditional(condition, then, otherwise):
            return f"(if {shape(condition)} then {shape(then)} else {shape(otherwise)})"
        case syntax.SetDisplay(elements):
            return "{" + ", ".join(map(shape, elements)) + "}"
        case syntax.SeqDisplay(elements):
            return "[" + ", ".join(map(shape, elements)) + "]"
        case syntax.SetBuilder(value, name, domain, condition):
            when = "" if condition is None else f" if {shape(condition)}"
            return f"{{{shape(value)} for {name} in {shape(domain)}{when}}}"
        case syntax.MapBuilder(key, value, domain):
            return f"{{{key}: {shape(value)} for {key} in {type_shape(domain)}}}"
        case syntax.QuantifiedExpression(quantifier, binders, body):
            bound = ", ".join(f"{b.name} in {shape(b.domain)}" for b in binders)
            return f"({quantifier} {bound}: {shape(body)})"


def type_shape(node: syntax.TypeExpression | syntax.Expression) -> str:
    match node:
        case syntax.NameType(name):
            return f"<{name}>"
        case syntax.RangeType(low, high):
            return f"<{shape(low)}..{shape(high)}>"
        case syntax.AppliedType(constructor, arguments):
            return f"{constructor}[{', '.join(map(type_shape, arguments))}]"
        case _:
            return shape(node)


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.spec")), ids=lambda p: p.stem)
def test_shipped_spec_parses_without_a_word(path: Path) -> None:
    parsed, faults = parse_text(path.read_text(encoding="utf-8"), str(path))
    assert [fault.render({str(path): path.read_text()}) for fault in faults] == []
    assert parsed.file == str(path)
    assert parsed.declarations


# -------------------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a => b => c", "(a => (b => c))"),
        ("a or b and c => d", "((a or (b and c)) => d)"),
        ("a and b and c", "((a and b) and c)"),
        ("not a == b", "(not (a == b))"),
        ("not a and b", "((not a) and b)"),
        ("not not a", "(not (not a))"),
        ("a in b", "(a in b)"),
        ("a not in b and c", "((a not_in b) and c)"),
        ("a subset b", "(a subset b)"),
        ("commit_index + 1..len(log)", "((commit_index + 1) .. len(log))"),
        ("i in 1..max_log + 1", "(i in (1 .. (max_log + 1)))"),
        ("a - b + c", "((a - b) + c)"),
        ("a + b & c", "((a + b) & c)"),
        ("a + b * c div d mod e", "(a + (((b * c) div d) mod e))"),
        ("-a + -b.c", "((- a) + (- b.c))"),
        ("a - -1", "(a - (- 1))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("a.log[1..i].term", "a.log[1 to i].term"),
        ("m[a][b + 1]", "m[a][(b + 1)]"),
        ("disk(s).log", "disk(s).log"),
        ("m in network(RequestVote)", "(m in network(RequestVote))"),
        ("f()", "f()"),
        ("f(a, b=c, d=1,)", "f(a, b=c, d=1)"),
        ("{}", "{}"),
        ("{none, m.source}", "{none, m.source}"),
        ("[]", "[]"),
        ("[a, 1]", "[a, 1]"),
        ("{x for x in S}", "{x for x in S}"),
        ("{f(x) for x in 1..n if x > 2 and y}", "{f(x) for x in (1 .. n) if ((x > 2) and y)}"),
        ("{s: 1 for s in Server}", "{s: 1 for s in <Server>}"),
        ("{i: none for i in 0..n}", "{i: none for i in <0..n>}"),
        ("{i: if a then b else c for i in T}", "{i: (if a then b else c) for i in <T>}"),
        ("if a then b else c and d", "(if a then b else (c and d))"),
        ("if a then if b then c else d else e", "(if a then (if b then c else d) else e)"),
        ("a and if b then c else d or e", "(a and (if b then c else (d or e)))"),
        ("forall a in S, b in T: c => d", "(forall a in S, b in T: (c => d))"),
        ("a and exists b in S: c and d", "(a and (exists b in S: (c and d)))"),
        ("not exists b in S: c or d", "(not (exists b in S: (c or d)))"),
        ("forall a in S: exists b in T: a == b", "(forall a in S: (exists b in T: (a == b)))"),
        ("(forall a in S: b) and c", "((forall a in S: b) and c)"),
        ("true != false", "(true != false)"),
    ],
)
def test_expression(text: str, expected: str) -> None:
    assert shape(expression(text)) == expected


def test_a_deeper_line_continues_the_expression_above() -> None:
    several = only("invariant i:\n    forall a in S:\n        a\n            => b\n        and c\n")
    one = only("invariant i: forall a in S: a => b and c\n")
    assert isinstance(several, syntax.PropertyDeclaration)
    assert isinstance(one, syntax.PropertyDeclaration)
    assert shape(several.expr) == shape(one.expr)


def test_a_deeper_line_continues_a_statement() -> None:
    (let,) = statements("let x = a\n    and b")
    assert isinstance(let, syntax.LetStatement)
    assert shape(let.value) == "(a and b)"


def test_lines_inside_brackets_may_start_anywhere() -> None:
    declaration = only("invariant i:\n    (a\n  or b\n            or c\n)\n")
    assert isinstance(declaration, syntax.PropertyDeclaration)
    assert shape(declaration.expr) == "((a or b) or c)"


def test_places_are_those_of_the_first_line() -> None:
    declaration = only("invariant i:\n    a.b  # why\n    and c\n")
    assert isinstance(declaration, syntax.PropertyDeclaration)
    assert declaration.place == Place("test.spec", 1, 11, 1)
    assert declaration.expr.place == Place("test.spec", 2, 5, 3)
    assert isinstance(declaration.expr, syntax.Infix)
    assert declaration.expr.right.place == Place("test.spec", 3, 9, 1)


# ------------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Term", "<Term>"),
        ("bool", "<bool>"),
        ("0..max_term", "<0..max_term>"),
        ("1..max_log + 1", "<1..(max_log + 1)>"),
        ("optional[Server]", "optional[<Server>]"),
        ("set[0..3]", "set[<0..3>]"),
        ("seq[Entry, max_log]", "seq[<Entry>, max_log]"),
        ("seq[Entry, 2 * n]", "seq[<Entry>, (2 * n)]"),
        ("map[Server, map[Term, set[Server]]]", "map[<Server>, map[<Term>, set[<Server>]]]"),
    ],
)
def test_type(text: str, expected: str) -> None:
    declaration = only(f"type T = {text}\n")
    assert isinstance(declaration, syntax.TypeDeclaration)
    assert type_shape(declaration.type) == expected


# --------------------------------------------------------------------------------------------- statements


def test_assignment_targets() -> None:
    body = statements("x := 1\nx[a].b := 2\nghost y[i] := 3")
    assert [type(s) for s in body] == [syntax.AssignStatement] * 3
    assert [(shape(s.target), s.ghost) for s in body if isinstance(s, syntax.AssignStatement)] == [
        ("x", False),
        ("x[a].b", False),
        ("y[i]", True),
    ]


def test_simple_statements() -> None:
    body = statements(
        "require a\nlet b = c\nsend M(x=1) to p\nreply N()\nevent done(a)\nkeep m\nf(1)\nfsync\nrecord\nignore\nskip"
    )
    require, let, send, reply, event, keep, call, *words = body
    assert isinstance(require, syntax.RequireStatement)
    assert isinstance(let, syntax.LetStatement)
    assert isinstance(send, syntax.SendStatement)
    assert shape(send.message) == "M(x=1)"
    assert send.destination is not None
    assert isinstance(reply, syntax.SendStatement)
    assert reply.destination is None
    assert isinstance(event, syntax.EventStatement)
    assert isinstance(keep, syntax.KeepStatement)
    assert keep.name == "m"
    assert isinstance(call, syntax.CallStatement)
    assert [w.word for w in words if isinstance(w, syntax.SimpleStatement)] == ["fsync", "record", "ignore", "skip"]


def test_elif_is_an_if_alone_in_otherwise() -> None:
    (outer,) = statements("if a: x := 1\nelif b:\n    x := 2\nelse:\n    x := 3")
    assert isinstance(outer, syntax.IfStatement)
    (inner,) = outer.otherwise
    assert isinstance(inner, syntax.IfStatement)
    assert shape(inner.condition) == "b"
    assert len(inner.otherwise) == 1


def test_if_with_a_quantified_condition() -> None:
    (found,) = statements("if exists s in S: s.ok: skip")
    assert isinstance(found, syntax.IfStatement)
    assert shape(found.condition) == "(exists s in S: s.ok)"


def test_for_ranges_over_a_set_expression() -> None:
    (loop,) = statements("for peer in Server - {self}:\n    send M() to peer")
    assert isinstance(loop, syntax.ForStatement)
    assert shape(loop.domain) == "(Server - {self})"


def test_at_marks_a_block_or_one_statement() -> None:
    block, line = statements("at a:\n    x := 1\n    y := 2\nat b: skip")
    assert isinstance(block, syntax.AtBlock)
    assert (block.label, len(block.body)) == ("a", 2)
    assert isinstance(line, syntax.AtBlock)
    assert (line.label, len(line.body)) == ("b", 1)


# ------------------------------------------------------------------------------------------- declarations


def test_constants() -> None:
    found = parse("const S: set symmetric\nconst C: set\nconst a, b: int\nconst c: bool\n")
    assert [(c.name, c.kind, c.symmetric) for c in found if isinstance(c, syntax.ConstDeclaration)] == [
        ("S", "set", True),
        ("C", "set", False),
        ("a", "int", False),
        ("b", "int", False),
        ("c", "bool", False),
    ]


def test_enum_record_and_message() -> None:
    enum, record, message, empty = parse(
        "enum Role = A | B\nrecord R:\n    term: Term\n    record: bool\nmessage M:\n    a: T\nmessage N:\n"
    )
    assert isinstance(enum, syntax.EnumDeclaration)
    assert enum.members == ("A", "B")
    assert isinstance(record, syntax.RecordDeclaration)
    assert [f.name for f in record.fields] == ["term", "record"]
    assert isinstance(message, syntax.MessageDeclaration)
    assert len(message.fields) == 1
    assert isinstance(empty, syntax.MessageDeclaration)
    assert empty.fields == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("network bag", ("bag", False, False)),
        ("network fifo with loss", ("fifo", True, False)),
        ("network bag with duplication, loss", ("bag", True, True)),
        ("network set", ("set", False, False)),
    ],
)
def test_network(text: str, expected: tuple[str, bool, bool]) -> None:
    network = only(text + "\n")
    assert isinstance(network, syntax.NetworkDeclaration)
    assert (network.kind, network.loss, network.duplication) == expected


def test_process_with_all_its_members() -> None:
    process = only(
        "process Client never crashes:\n"
        "    durable a: T = 1\n"
        "    volatile b: T = 2\n"
        "    action c(p: T, q: T):\n"
        "        skip\n"
        "    on M m as d:\n"
        "        ignore\n"
        "    on any m as e: ignore\n"
        "    proc f():\n"
        "        skip\n"
        "    on flush:\n"
        "        skip\n"
    )
    assert isinstance(process, syntax.ProcessDeclaration)
    assert (process.name, process.is_server, process.never_crashes) == ("Client", False, True)
    assert [(v.storage, v.name) for v in process.variables] == [("durable", "a"), ("volatile", "b")]
    action, handler, every, proc, flush = process.members
    assert isinstance(action, syntax.ActionDeclaration)
    assert [p.name for p in action.parameters] == ["p", "q"]
    assert isinstance(handler, syntax.HandlerDeclaration)
    assert (handler.message, handler.parameter, handler.name) == ("M", "m", "d")
    assert isinstance(every, syntax.HandlerDeclaration)
    assert (every.message, every.name) == ("any", "e")
    assert isinstance(proc, syntax.ProcDeclaration)
    assert isinstance(flush, syntax.FlushDeclaration)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("server:", ("Server", True, False)),
        ("server never crashes:", ("Server", True, True)),
        ("process X:", ("X", False, False)),
    ],
)
def test_process_header(header: str, expected: tuple[str, bool, bool]) -> None:
    process = only(header + "\n    volatile x: bool = true\n")
    assert isinstance(process, syntax.ProcessDeclaration)
    assert (process.name, process.is_server, process.never_crashes) == expected


def test_top_level_rules_and_variables() -> None:
    shared, ghost, own, outside, handler, proc, flush = parse(
        "shared x: T = 1\nghost y: T = 2\naction a: skip\nshared action b:\n    skip\n"
        "on M m:\n    skip\nproc p(x: T): skip\non flush: skip\n"
    )
    assert isinstance(shared, syntax.VariableDeclaration)
    assert isinstance(ghost, syntax.VariableDeclaration)
    assert (shared.storage, ghost.storage) == ("shared", "ghost")
    assert isinstance(own, syntax.ActionDeclaration)
    assert isinstance(outside, syntax.ActionDeclaration)
    assert (own.shared, outside.shared) == (False, True)
    assert isinstance(handler, syntax.HandlerDeclaration)
    assert handler.name is None
    assert isinstance(proc, syntax.ProcDeclaration)
    assert isinstance(flush, syntax.FlushDeclaration)


def test_function_on_one_line_and_on_several() -> None:
    one, several = parse("fun f() -> T: 1\nfun g(a: T, b: set[T]) -> bool:\n    a in b\n    or b == {}\n")
    assert isinstance(one, syntax.FunctionDeclaration)
    assert isinstance(several, syntax.FunctionDeclaration)
    assert shape(several.body) == "((a in b) or (b == {}))"


def test_kinds_of_property() -> None:
    found = parse(
        "invariant a: x\naction invariant b: x\nsometimes c: x\nwindow d: x\nactor e: x\noutcome f: x\n"
        "converged:\n    x\ntrack w in Submission\n"
    )
    assert [(p.kind, p.name) for p in found if isinstance(p, syntax.PropertyDeclaration)] == [
        ("invariant", "a"),
        ("action invariant", "b"),
        ("sometimes", "c"),
        ("window", "d"),
        ("actor", "e"),
        ("outcome", "f"),
        ("converged", "converged"),
    ]
    assert isinstance(found[-1], syntax.TrackDeclaration)


def test_scenario() -> None:
    prefix, chained, goal = parse(
        "scenario a:\n    run:\n        timeout(s1)\n"
        "        drop(M, destination=s3)\n        crash(s1, keep=0)\n        done\n"
        "    reach: x\n        and y\nscenario b after a:\n    run: flush(s1)\nscenario c:\n    reach: x\n"
    )
    assert isinstance(prefix, syntax.ScenarioDeclaration)
    assert [s.rule for s in prefix.steps] == ["timeout", "drop", "crash", "done"]
    assert [a.name for s in prefix.steps for a in s.arguments] == [None, None, "destination", None, "keep"]
    assert prefix.goal is not None
    assert shape(prefix.goal) == "(x and y)"
    assert isinstance(chained, syntax.ScenarioDeclaration)
    assert (chained.after, chained.goal, len(chained.steps)) == ("a", None, 1)
    assert isinstance(goal, syntax.ScenarioDeclaration)
    assert goal.steps == ()


def test_completion() -> None:
    found = only(
        "completion c(winner: S, again: bool):\n    restart\n    drop when a and b\n    retry(server=w) when c\n"
    )
    assert isinstance(found, syntax.CompletionDeclaration)
    assert [p.name for p in found.parameters] == ["winner", "again"]
    assert [(s.rule, len(s.arguments), s.when is not None) for s in found.steps] == [
        ("restart", 0, False),
        ("drop", 0, True),
        ("retry", 1, True),
    ]


def test_model() -> None:
    found = only(
        "model m:\n    Server = {s1, s2}\n    storage = buffered\n    start = ready\n    max_term = 2 + 1\n"
        "    constraint short: forall s in Server:\n        len(s.log) < 2\n    enumerate ready depth 4 window 1\n"
        "    agree depth 5 window 2\n"
    )
    assert isinstance(found, syntax.ModelDeclaration)
    assert [s.name for s in found.settings] == ["Server", "storage", "start", "max_term"]
    assert [(e.scenario, e.depth, e.window) for e in found.enumerations] == [("ready", 4, 1)]
    assert [(a.depth, a.window) for a in found.agreements] == [(5, 2)]
    assert [(c.kind, c.name) for c in found.constraints] == [("constraint", "short")]


def test_mutant_that_breaks_something_in_macros_and_under_another_model() -> None:
    claims = "breaks a in 25, a in 6 macros under small, b under small"
    found = only(f"mutant m of s:\n    {claims}\n    at x:\n        skip\n")
    assert isinstance(found, syntax.MutantDeclaration)
    broken = [(one.name, one.length, one.macros, one.model) for one in found.breaks]
    assert broken == [("a", 25, False, None), ("a", 6, True, "small"), ("b", None, False, "small")]


def test_mutant() -> None:
    found = only(
        "mutant forgets-the-vote-2 of two-phase:\n    breaks a, b in 12\n    breaks c\n    at x:\n        skip\n"
        "    volatile voted_for: T = none\n    fun f() -> bool:\n        true\n        or false\n    at y: x := 1\n"
    )
    assert isinstance(found, syntax.MutantDeclaration)
    assert (found.name, found.of) == ("forgets-the-vote-2", "two-phase")
    assert [(broken.name, broken.length) for broken in found.breaks] == [("a", None), ("b", 12), ("c", None)]
    assert [r.label for r in found.replacements] == ["x", "y"]
    assert [v.storage for v in found.variables] == ["volatile"]
    assert [f.name for f in found.functions] == ["f"]


@pytest.mark.parametrize("word", ["neutral", "survives"])
def test_mutant_that_breaks_nothing(word: str) -> None:
    found = only(f"mutant m of s:\n    {word}\n    at x:\n        skip\n")
    assert isinstance(found, syntax.MutantDeclaration)
    assert (found.breaks, found.survival) == ((), syntax.Survival(word))


@pytest.mark.parametrize("claims", ["breaks a\n    neutral", "neutral\n    survives", "survives\n    breaks a"])
def test_mutant_makes_one_claim(claims: str) -> None:
    _, faults = parse_text(f"mutant m of s:\n    {claims}\n    at x:\n        skip\n", "test.spec")
    assert [fault.code for fault in faults] == ["S117"]


# ------------------------------------------------------------------------------------------------- words

KEYWORDS = (
    "const type enum record message durable volatile shared ghost network with bag fifo set loss duplication fun proc "
    "action as on flush server process never crashes at let send to reply event keep fsync ignore skip invariant "
    "sometimes window actor outcome converged track scenario after run reach completion when model enumerate depth "
    "agree constraint mutant of breaks neutral survives macro try any symmetric int bool term log index start "
    "entries source"
)


@pytest.mark.parametrize("word", KEYWORDS.split())
def test_a_word_that_is_not_reserved_names_a_variable_a_field_and_a_parameter(word: str) -> None:
    parsed = parse(
        f"record R:\n    {word}: bool\n"
        f"ghost {word}: int = 0\n"
        f"fun f({word}: int) -> int: {word} + x.{word}\n"
        f"action a({word}: int):\n"
        f"    {word} := {word} + 1\n"
        f"    {word}[1] := 2\n"
        f"    {word}.{word} := 2\n"
        f"    let {word} = {word}({word}={word})\n"
        f"    for {word} in {word}: skip\n"
        f"    ghost {word} := 1\n"
        f"    {word}()\n"
        f"invariant {word}: exists {word} in {word}: {word}\n"
        f"model m:\n    {word} = {word}\n"
    )
    assert len(parsed) == 6


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_reserved_word_is_no_name(word: str) -> None:
    _, faults = parse_text(f"ghost {word}: int = 0\n", "test.spec")
    assert [(f.code, str(f.place)) for f in faults] == [("S111", "test.spec:1:7")]


# ------------------------------------------------------------------------------------------------- files


def test_carriage_returns_and_a_byte_order_mark_change_nothing() -> None:
    plain = "shared x: int = 0\naction a:\n    x := 1\n"
    assert parse_text("\ufeff" + plain.replace("\n", "\r\n"), "f") == parse_text(plain, "f")


def test_importing_the_parser_does_not_import_lark() -> None:
    code = "import sys, spec.parse; sys.exit('lark' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=MODELS.parents[1])
