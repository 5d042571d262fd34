"""From the text of a ``.spec`` file to its syntax tree, with every syntax error of the file in one go.

The text is cut at its top-level lines and parsed declaration by declaration, so that a broken one hides no other.
Nothing here raises for what a user wrote: what cannot be parsed is a :class:`Diagnostic`, S1xx. lark is imported
only when the first text is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from spec.diagnostics import Diagnostic
from spec.source import read_source
from spec.syntax import Declaration, SpecFile
from spec.system import Place

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    from spec.parse_lexer import Reading

# A tree deeper than this is no longer read by a human; the passes after this one walk it by recursion.
DEEPEST_NESTING = 100


def parse_file(path: Path) -> tuple[SpecFile, tuple[Diagnostic, ...]]:
    """Parse the file. Raises :class:`spec.source.SourceError` if it cannot be read."""
    return parse_text(read_source(path), str(path))


def parse_text(text: str, file: str) -> tuple[SpecFile, tuple[Diagnostic, ...]]:
    """The declarations that could be parsed, and what is wrong with the others, in source order."""
    lines = text.removeprefix("\ufeff").splitlines()
    found: list[Declaration] = []
    faults: list[Diagnostic] = []
    for chunk in _declarations(lines):
        parsed, wrong = _parse_declaration(chunk, lines, file)
        found += parsed
        faults += wrong
    if not found and not faults:
        faults.append(
            Diagnostic("S118", Place(file, 1, 1), "the spec is empty", "declare at least one action and one model")
        )
    faults.sort(key=lambda fault: (fault.place, fault.code))
    return SpecFile(file, tuple(found)), tuple(faults)


def _declarations(lines: list[str]) -> Iterator[tuple[tuple[int, str], ...]]:
    """The numbered lines of each declaration: from one top-level line to the next."""
    chunk: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if chunk and line[0] not in " \t)]}":  # a closing bracket in the first column ends what it closes
            yield tuple(chunk)
            chunk = []
        chunk.append((number, line))
    if chunk:
        yield tuple(chunk)


def _parse_declaration(
    chunk: tuple[tuple[int, str], ...], lines: list[str], file: str
) -> tuple[tuple[Declaration, ...], list[Diagnostic]]:
    from lark import UnexpectedToken

    from spec.parse_declarations import declarations
    from spec.parse_errors import explain
    from spec.parse_expressions import Building
    from spec.parse_lexer import Fault, Reading

    reading = Reading(file, chunk)
    try:
        tree = _tree(reading)
    except Fault as fault:
        return (), [fault.diagnostic]
    except UnexpectedToken as unexpected:
        return (), [explain(unexpected, reading)]
    building = Building(file, lines)
    if deep := _too_deep(tree):
        place = building.place(deep)
        return (), [Diagnostic("S113", place, "this is nested too deeply", "name a part of it with a `fun` or a `let`")]
    found = declarations(tree, building)
    return found, building.faults


def _tree(reading: Reading) -> Tree[Token]:
    parsed = _grammar().parse(reading)  # type: ignore[arg-type]  # SpecLexer reads the Reading
    (tree,) = parsed.children
    assert not isinstance(tree, str)
    return tree


@cache
def _grammar() -> Lark:
    from lark import Lark

    from spec.parse_lexer import SpecLexer

    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=SpecLexer, propagate_positions=True)


def _too_deep(tree: Tree[Token]) -> Tree[Token] | None:
    """The first node at the depth that is no longer allowed, found without recursion."""
    level = [tree]
    for _ in range(DEEPEST_NESTING):
        level = [child for node in level for child in node.children if child is not None and not isinstance(child, str)]
    return level[0] if level else None
