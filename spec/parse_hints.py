"""What people write who come from other languages, and what is written here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

STATEMENT_WORDS = (
    "if",
    "elif",
    "else",
    "for",
    "let",
    "require",
    "send",
    "reply",
    "event",
    "fsync",
    "record",
    "ignore",
    "skip",
    "keep",
    "at",
    "ghost",
)


def advice(word: str, foreign: Mapping[str, str], known: Collection[str]) -> str | None:
    """What to write for ``word``: from the table, or the known word that is spelled most like it."""
    if word in foreign:
        return foreign[word]
    near = difflib.get_close_matches(word, sorted(w for w in known if w.isalpha()), 1)
    return f"did you mean `{near[0]}`?" if near else None


FOREIGN_SYMBOLS: Mapping[str, str] = {
    "===": "write `==`",
    "!==": "write `!=`",
    "<=>": "write `==`",
    "&&": "write `and`",
    "||": "write `or`",
    "/\\": "write `and`",
    "\\/": "write `or`",
    "//": "a comment starts with `#`; whole division is `div`",
    "/*": "a comment starts with `#`",
    "(*": "a comment starts with `#`",
    "\\*": "a comment starts with `#`",
    "<>": "write `!=`",
    "/=": "write `!=`",
    "=<": "write `<=`",
    "+=": "write `x := x + …`",
    "-=": "write `x := x - …`",
    "++": "write `x := x + 1`; sequences and sets are joined with `+`",
    "**": "there are no powers: multiply",
    "!": "write `not`",
    "~": "write `not`",
    "/": "write `div` for whole division",
    "%": "write `mod`",
    ";": "one statement stands on one line",
    '"': "there are no strings: name an `enum` member or an element of a set instead",
    "'": "there are no strings and no primed variables: `x := …` assigns, `old(x)` is the value before the step",
    "\\": "set difference is `-`, union `+`, intersection `&`",
    "@": "there are no annotations",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "∧": "write `and`",
    "∨": "write `or`",
    "¬": "write `not`",
    "∈": "write `in`",
    "∀": "write `forall x in S: …`",
    "∃": "write `exists x in S: …`",
    "∪": "write `+`",
    "∩": "write `&`",
    "→": "write `->` before a result type, `=>` for an implication",
    "⇒": "write `=>`",
    "…": "write `..` for a range",
    "\u00a0": "this is a no-break space: write a plain one",
}

FOREIGN_STATEMENTS: Mapping[str, str] = {
    "return": "a `fun` is one expression: there is no `return`; `ignore` ends a handler",
    "assert": "`require` states when a transition is enabled, an `invariant` what must always hold",
    "assume": "write `require`",
    "await": "write `require`",
    "when": "write `require`",
    "wait": "write `require`",
    "pass": "write `skip`",
    "nothing": "write `skip`",
    "var": "write `let`, or declare a variable of the process",
    "set": "write `x := …`",
    "while": "there are no loops but `for x in S:`",
    "else": "`else` belongs under an `if`, indented like it",
    "print": "announce an `event NAME(…)`",
    "flush": "write `fsync`: the flush is a transition of its own",
    "sync": "write `fsync`",
    "def": "write `fun` or `proc`, at the top level",
    "receive": "a handler `on M m:` receives a message",
    "broadcast": "write `for peer in Server - {self}:` and `send … to peer`",
    "crash": "crashes are generated: allow them with `max_crashes` in a model",
}

FOREIGN_WORDS: Mapping[str, str] = {
    "notin": "write `not in`",
    "isin": "write `in`",
    "is": "write `==`",
    "implies": "write `=>`",
    "iff": "write `==`",
    "xor": "write `!=`",
    "union": "write `+`",
    "intersect": "write `&`",
    "minus": "write `-`",
    "subseteq": "write `subset`",
    "where": "write `if`",
    "when": "`when` stands in a `completion`",
    "from": "the sender of a message `m` is `m.source`",
}

FOREIGN_DECLARATIONS: Mapping[str, str] = {
    "import": "`extends SPEC` takes over what another spec declares",
    "leads": "write `eventually NAME: p leads to q`",
    "fairness": "write `fair NAME:` with lines `weak …` and `strong …`",
    "liveness": "write `eventually NAME: q`, or `eventually NAME: p leads to q`",
    "macro": "`macro` is not part of the language yet",
    "def": "write `fun` for an expression, `proc` for statements, `action` for a transition",
    "function": "write `fun`",
    "func": "write `fun`",
    "procedure": "write `proc`",
    "property": "write `invariant`, `action invariant` or `sometimes`",
    "assert": "write `invariant`",
    "var": "a variable is `shared`, `ghost`, or (in a process) `durable` or `volatile`",
    "variable": "a variable is `shared`, `ghost`, or (in a process) `durable` or `volatile`",
    "struct": "write `record`",
    "constraint": "a `constraint` stands in a model",
    "check": "`check NAME` stands in a model",
    "forbid": "`forbid RULE` stands in a model",
    "weak": "`weak RULE, …` stands under `fair NAME:`",
    "strong": "`strong RULE, …` stands under `fair NAME:`",
    "breaks": "`breaks` stands in a mutant",
    "neutral": "`neutral` stands in a mutant",
    "survives": "`survives` stands in a mutant",
    "durable": "a `durable` variable stands in `server:` or `process NAME:`",
    "volatile": "a `volatile` variable stands in `server:` or `process NAME:`",
}
