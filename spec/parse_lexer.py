"""From the lines of one declaration to the tokens of ``grammar.lark``: words, symbols, and the layout.

Both decisions that a plain lexer cannot take are left to the grammar, which tells what it can accept next:

- a line indented deeper than its block opens a block where the grammar takes one, and continues the line above where
  it does not; so ``forall x in S:`` in an invariant is followed by a deeper line as well as ``if c:`` in a handler;
- a word is a keyword only where the grammar takes that keyword. Only :data:`RESERVED` words are never names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer, LexerState, PatternStr

from spec.diagnostics import Diagnostic
from spec.parse_hints import FOREIGN_SYMBOLS
from spec.system import Place

RESERVED = frozenset(
    {
        "and",
        "or",
        "not",
        "in",
        "subset",
        "div",
        "mod",
        "if",
        "then",
        "elif",
        "else",
        "for",
        "forall",
        "exists",
        "true",
        "false",
        "none",
        "require",
    }
)

LARGEST_NUMBER = 2**31

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HYPHENATED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
NUMBER = re.compile(r"[0-9]+")
BLANK = re.compile(r"[ \t]+")

# After a word that could open a statement, these show that it is a variable or a proc instead.
USED_AS_A_NAME = re.compile(r"[ \t]*(:=|\.(?!\.)|\[|\(|=(?!=))")

CLOSES = {")": "(", "]": "[", "}": "{"}


class Fault(Exception):
    """A piece of text that is no token, or does not fit the layout; ends the parse of its declaration."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


@dataclass(slots=True)
class Reading:
    """The lines of one declaration, and where the lexer is in them: what an error message may look back at.

    ``lines``: (1-based number, text). ``line_starters``: tokens that stand first on a line. ``continuations``: those
    of them whose line is indented deeper than its block and opens none. ``line_start``: how many tokens stand before
    the logical line, which started in line ``logical_line``.
    """

    file: str
    lines: tuple[tuple[int, str], ...]
    brackets: list[Token] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    line_starters: set[int] = field(default_factory=set)
    continuations: set[int] = field(default_factory=set)
    line_start: int = 0
    logical_line: int = 0

    def fault(self, code: str, line: int, column: int, width: int, message: str, hint: str | None = None) -> Fault:
        return Fault(Diagnostic(code, Place(self.file, line, column, width), message, hint))


class SpecLexer(Lexer):
    """lark's plug for a lexer of one's own; the words and symbols are those that the grammar quotes."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        quoted = {t.pattern.value: t.name for t in conf.terminals if isinstance(t.pattern, PatternStr)}
        self.words = {text: name for text, name in quoted.items() if NAME.fullmatch(text)}
        symbols = {text: name for text, name in quoted.items() if text not in self.words}
        self.symbols = symbols
        spelled = sorted([*symbols, *FOREIGN_SYMBOLS], key=len, reverse=True)
        self.symbol = re.compile("|".join(re.escape(text) for text in spelled))

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:
        reading: Any = lexer_state.text  # parse.py hands the Reading through lark as the "text"
        assert isinstance(reading, Reading)
        for token in self._laid_out(reading, parser_state):
            reading.tokens.append(token)
            yield token

    def _laid_out(self, reading: Reading, parser_state: Any) -> Iterator[Token]:
        """The tokens with _NEWLINE, _INDENT and _DEDENT, which take no room and stand behind the last token."""
        indents = [0]
        end = Token("_NEWLINE", "", 0, reading.lines[0][0], 1, reading.lines[0][0], 1)

        def layout(kind: str) -> Token:
            return Token(kind, "", 0, end.end_line, end.end_column, end.end_line, end.end_column)

        for number, line in reading.lines:
            column = len(line) - len(line.lstrip(" \t"))
            continues = bool(reading.brackets)
            if not continues:
                self._check_indentation(reading, number, line[:column])
                continues = column > indents[-1] and "_INDENT" not in acceptable(parser_state)
                if not continues:
                    for kind in _kinds_of_layout(reading, number, column, indents):
                        yield layout(kind)
                    reading.line_start = len(reading.tokens)
                    reading.logical_line = number
            first = True
            for token in self._words_of(reading, number, line, column, parser_state):
                if first:
                    reading.line_starters.add(id(token))
                    if continues:
                        reading.continuations.add(id(token))
                    first = False
                end = token
                yield token
        if reading.brackets:
            raise never_closed(reading, reading.brackets[-1])
        yield layout("_NEWLINE")
        for _ in indents[1:]:
            yield layout("_DEDENT")

    def _check_indentation(self, reading: Reading, number: int, space: str) -> None:
        if "\t" in space:
            hint = "indent with spaces, four for each block"
            raise reading.fault("S103", number, space.index("\t") + 1, 1, "a tab in the indentation", hint)
        if space and not reading.tokens:
            hint = "remove the indentation"
            raise reading.fault("S104", number, 1, len(space), "a declaration starts in the first column", hint)

    def _words_of(self, reading: Reading, number: int, line: str, at: int, parser_state: Any) -> Iterator[Token]:
        """The tokens of one line, from offset ``at``."""
        while at < len(line) and line[at] != "#":
            blank = BLANK.match(line, at)
            if blank:
                at = blank.end()
                continue
            kind, text = self._next(reading, number, line, at, acceptable(parser_state))
            token = Token(kind, text, 0, number, at + 1, number, at + len(text) + 1)
            at += len(text)
            if text in ("(", "[", "{"):
                reading.brackets.append(token)
            elif text in CLOSES:
                close(reading, token)
            yield token

    def _next(self, reading: Reading, number: int, line: str, at: int, accepted: Mapping[str, Any]) -> tuple[str, str]:
        """The kind and the text of the token at offset ``at``."""
        if "HYPHENATED" in accepted and (match := HYPHENATED.match(line, at)):
            return "HYPHENATED", match.group()
        if match := NAME.match(line, at):
            return self._kind_of_word(match.group(), line, match.end(), accepted), match.group()
        if match := NUMBER.match(line, at):
            text = match.group()
            if len(text) > 12 or int(text) > LARGEST_NUMBER:
                raise reading.fault(
                    "S112", number, at + 1, len(text), "the number is too large", f"the largest is {LARGEST_NUMBER}"
                )
            return "NUMBER", text
        match = self.symbol.match(line, at)
        if match and match.group() in self.symbols:
            return self.symbols[match.group()], match.group()
        text = match.group() if match else line[at]
        shown = f"`{text}`" if text.isprintable() else f"the character U+{ord(text[0]):04X}"
        raise reading.fault(
            "S107" if match else "S102",
            number,
            at + 1,
            len(text),
            f"{shown} is not part of the language",
            FOREIGN_SYMBOLS.get(text),
        )

    def _kind_of_word(self, word: str, line: str, end: int, accepted: Mapping[str, Any]) -> str:
        keyword = self.words.get(word)
        if keyword is None:
            return "NAME"
        if word in RESERVED:
            return keyword
        if keyword not in accepted or ("NAME" in accepted and USED_AS_A_NAME.match(line, end)):
            return "NAME"
        return keyword


def _kinds_of_layout(reading: Reading, number: int, column: int, indents: list[int]) -> list[str]:
    """The layout tokens before a line that starts at ``column``; ``indents``, the open blocks', follows it."""
    if not reading.tokens:
        return []
    if column > indents[-1]:
        indents.append(column)
        return ["_INDENT"]
    kinds = ["_NEWLINE"]
    while column < indents[-1]:
        indents.pop()
        kinds.append("_DEDENT")
    if column != indents[-1]:
        hint = "indent the line like the first line of the block that it belongs to"
        raise reading.fault("S104", number, 1, column, "the indentation fits no block above", hint)
    return kinds


def acceptable(parser_state: Any) -> Mapping[str, Any]:
    """What the grammar can take next, by kind of token."""
    table: Mapping[str, Any] = parser_state.parse_conf.states[parser_state.position]
    return table


def close(reading: Reading, token: Token) -> None:
    """Take the bracket that ``token`` closes off the stack."""
    if not reading.brackets:
        raise bracket_fault(reading, token, f"`{token}` closes no bracket")
    opened = reading.brackets[-1]
    if opened != CLOSES[token]:
        raise bracket_fault(reading, token, f"`{token}` does not close the `{opened}` in line {opened.line}")
    reading.brackets.pop()


def never_closed(reading: Reading, opened: Token) -> Fault:
    closer = next(c for c, o in CLOSES.items() if o == opened)
    return bracket_fault(reading, opened, f"`{opened}` is never closed", f"a `{closer}` is missing")


def bracket_fault(reading: Reading, bracket: Token, message: str, hint: str | None = None) -> Fault:
    return reading.fault("S105", bracket.line or 1, bracket.column or 1, 1, message, hint)
