"""What to say about a token that the grammar cannot take: one finding per rule below, the first that applies.

The rules know the usual slips (``=`` for ``:=``, a missing colon, ``else if``); what none of them knows is an S101,
"unexpected …, expected …". Tokens are named by how they are written, never by their name in the grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lark import Token

from spec.diagnostics import Diagnostic
from spec.parse_hints import FOREIGN_DECLARATIONS, FOREIGN_STATEMENTS, FOREIGN_WORDS, STATEMENT_WORDS, advice
from spec.parse_lexer import RESERVED, Reading, never_closed
from spec.system import Place

LAYOUT = frozenset({"_NEWLINE", "_INDENT", "_DEDENT", "$END"})
OPERATORS = frozenset(
    {
        "+",
        "-",
        "*",
        "&",
        "div",
        "mod",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "not",
        "subset",
        "and",
        "or",
        "=>",
        "..",
        ".",
        "[",
        "(",
    }
)
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not", "subset"})
EXPRESSION_STARTS = frozenset({"(", "[", "{", "-", "not", "if", "forall", "exists", "true", "false", "none"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The token that does not fit, what would, and how both are written. ``line``: the tokens before it in its
    logical line."""

    token: Token
    written: str  # "" for the end of a line
    accepted: frozenset[str]  # kinds: NAME, NUMBER, _INDENT, …
    fitting: frozenset[str]  # the accepted words and symbols, as written
    line: Sequence[Token]
    reading: Reading

    def at_token(self, code: str, message: str, hint: str | None = None) -> Diagnostic:
        return Diagnostic(code, self.place(self.token), message, hint)

    def after_line(self, code: str, message: str, hint: str | None = None) -> Diagnostic:
        """Placed behind the token before."""
        if not self.line:
            return self.at_token(code, message, hint)
        last = self.line[-1]
        place = Place(self.reading.file, last.end_line or 1, last.end_column or 1)
        return Diagnostic(code, place, message, hint)

    def place(self, token: Token) -> Place:
        return Place(self.reading.file, token.line or 1, token.column or 1, max(1, len(token)))

    @property
    def at_end_of_line(self) -> bool:
        return self.token.type in LAYOUT

    @property
    def starts_a_line(self) -> bool:
        return id(self.token) in self.reading.line_starters

    @property
    def expression_fits(self) -> bool:
        return "NUMBER" in self.accepted and "(" in self.fitting

    @property
    def statement_fits(self) -> bool:
        return "require" in self.fitting


def explain(token: Token, accepted: frozenset[str], spelling: Mapping[str, str], reading: Reading) -> Diagnostic:
    """``spelling``: how each kind of token with a fixed text is written."""
    before = reading.tokens[reading.line_start :]
    finding = Finding(
        token=token,
        written="" if token.type in LAYOUT else str(token),
        accepted=accepted,
        fitting=frozenset(spelling[kind] for kind in accepted if kind in spelling),
        line=[t for t in before if t is not token],
        reading=reading,
    )
    return next(found for rule in RULES if (found := rule(finding)) is not None)


# ------------------------------------------------------------------------------------- rules, first match wins


def unknown_declaration(f: Finding) -> Diagnostic | None:
    if f.line or len(f.reading.tokens) > 1 or "const" not in f.fitting:
        return None
    if f.written in STATEMENT_WORDS:
        hint = "put statements into an action, a handler or a proc"
        return f.at_token("S109", f"`{f.written}` stands outside any action", hint)
    if f.token.type != "NAME" and f.written not in FOREIGN_DECLARATIONS:
        hint = "a declaration continues on lines that are indented"
        return f.at_token("S109", f"a declaration cannot start with {show(f)}", hint)
    return f.at_token("S109", f"`{f.written}` is not a declaration", advice(f.written, FOREIGN_DECLARATIONS, f.fitting))


def open_bracket(f: Finding) -> Diagnostic | None:
    """What follows an unclosed bracket is read as inside it, so the first line that cannot be is where it shows."""
    if f.reading.brackets and f.starts_a_line and not (f.written and f.written in ")]}"):
        return never_closed(f.reading, f.reading.brackets[-1]).diagnostic
    return None


def else_if(f: Finding) -> Diagnostic | None:
    if f.written == "if" and f.line and f.line[-1] == "else":
        return f.at_token("S114", "`else if` is not a statement", "write `elif`")
    if f.line and f.line[0] in ("elseif", "elsif"):
        return Diagnostic("S114", f.place(f.line[0]), f"`{f.line[0]}` is not a statement", "write `elif`")
    return None


def missing_block(f: Finding) -> Diagnostic | None:
    if f.at_end_of_line and "_INDENT" in f.accepted:
        hint = "`skip` does nothing" if f.statement_fits else None
        return f.after_line("S115", "an indented block is missing after this `:`", hint)
    return None


def missing_colon(f: Finding) -> Diagnostic | None:
    if ":" not in f.fitting or f.reading.brackets or not f.line:
        return None
    if f.at_end_of_line or f.starts_a_line:
        return f.after_line("S108", "a `:` is missing at the end of the line")
    if f.token.type == "NAME" or f.written in STATEMENT_WORDS:
        return f.after_line("S108", f"a `:` is missing before `{f.written}`")
    return None


def assignment_or_equality(f: Finding) -> Diagnostic | None:
    if f.written == "=" and ":=" in f.fitting:
        return f.at_token("S106", "`=` does not assign", "write `:=`")
    if f.written == "==" and ":=" in f.fitting:
        hint = "to assign write `:=`, to demand it write `require`"
        return f.at_token("S106", "a comparison is not a statement", hint)
    if f.written == ":=" and "=" in f.fitting:
        return f.at_token("S106", "`:=` assigns to a variable; this only gives a name or a first value", "write `=`")
    if f.written == "=" and "==" in f.fitting:
        return f.at_token("S106", "`=` does not compare", "write `==`")
    if f.written == ":=":
        return f.at_token("S106", "an assignment is a statement of its own", "to compare, write `==`")
    return None


def chained_comparison(f: Finding) -> Diagnostic | None:
    if f.written in COMPARISONS and "and" in f.fitting and f.line and not f.expression_fits:
        return f.at_token("S116", "comparisons cannot be chained", "write `a < b and b < c`")
    return None


def reserved_word(f: Finding) -> Diagnostic | None:
    if f.written in RESERVED and "NAME" in f.accepted and not f.expression_fits:
        return f.at_token("S111", f"`{f.written}` is a reserved word and cannot be a name")
    return None


def stray_branch(f: Finding) -> Diagnostic | None:
    if f.written in ("else", "elif") and not f.line:
        return f.at_token("S110", f"`{f.written}` belongs to no `if`", "indent it like the `if` that it continues")
    return None


def unknown_statement(f: Finding) -> Diagnostic | None:
    """A logical line that starts with a word that starts nothing here."""
    if not f.line:
        if f.token.type == "NAME" and not f.starts_a_line:
            return None
        if f.token.type == "NAME" and "NAME" not in f.accepted:
            hint = advice(f.written, FOREIGN_STATEMENTS, f.fitting)
            return f.at_token("S110", f"{show(f)} cannot start a line here", hint)
        return None
    first = f.line[0]
    if ":=" in f.fitting and f.written in OPERATORS:
        return Diagnostic("S110", f.place(first), "an expression is not a statement", "to assign, write `x := …`")
    if len(f.line) == 1 and first.type == "NAME" and ":=" in f.fitting and not f.at_end_of_line:
        hint = advice(first, FOREIGN_STATEMENTS, STATEMENT_WORDS)
        return Diagnostic("S110", f.place(first), f"`{first}` is not a statement", hint)
    return None


def deeper_line(f: Finding) -> Diagnostic | None:
    if id(f.token) in f.reading.continuations and "_NEWLINE" in f.accepted:
        return f.at_token(
            "S104",
            "the line is indented deeper than its block, so it continues the line above, where it does not fit",
            "indent it like the line above",
        )
    return None


def unexpected(f: Finding) -> Diagnostic:
    if f.at_end_of_line:
        hint = "an expression continues on a line that is indented deeper" if f.expression_fits else None
        return f.after_line("S101", f"the line ends too early: expected {expected(f)}", hint)
    hint = FOREIGN_WORDS.get(f.written)
    return f.at_token("S101", f"unexpected {show(f)}, expected {expected(f)}", hint)


RULES: tuple[Callable[[Finding], Diagnostic | None], ...] = (
    unknown_declaration,
    open_bracket,
    else_if,
    missing_block,
    missing_colon,
    assignment_or_equality,
    chained_comparison,
    reserved_word,
    stray_branch,
    unknown_statement,
    deeper_line,
    unexpected,
)

# ---------------------------------------------------------------------------------------------- in human words


def show(f: Finding) -> str:
    return "the end of the line" if f.at_end_of_line else f"`{f.written}`"


def expected(f: Finding) -> str:
    """What fits, the most telling first: ``a name``, ``an expression``, ``a statement`` stand for all their words."""
    words = set(f.fitting)
    found: list[str] = []
    if f.statement_fits:
        found.append("a statement")
        words -= {*STATEMENT_WORDS, *EXPRESSION_STARTS}
    elif f.expression_fits:
        found.append("an expression")
        words -= EXPRESSION_STARTS
    elif "NAME" in f.accepted or "HYPHENATED" in f.accepted:
        found.append("a name")
    elif "NUMBER" in f.accepted:
        found.append("a number")
    if ".." in words or {"and", "=="} <= words:
        words -= OPERATORS
        operator = ["an operator"]
    else:
        operator = []
    found += [f"`{word}`" for word in sorted(words, key=lambda w: (w.isalpha(), w))]
    found += operator
    if "_NEWLINE" in f.accepted:
        found.append("the end of the line")
    if "_INDENT" in f.accepted:
        found.append("an indented block")
    if not found:
        found.append("the end of the block")
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
