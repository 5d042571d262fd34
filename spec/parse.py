"""From the text of a ``.spec`` file to its syntax tree, with every syntax error of the file in one go.

The text is cut at its top-level lines and parsed declaration by declaration, so that a broken one hides no other.
Nothing here raises for what a user wrote: what cannot be parsed is a :class:`Diagnostic`, S1xx. lark is imported
only when the first text is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from spec.diagnostics import Diagnostic
from spec.syntax import Declaration, SpecFile
from spec.system import Place

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    from spec.parse_expressions import Building
    from spec.parse_lexer import Reading

# A tree deeper than this is no longer read by a human; the passes after this one walk it by recursion.
DEEPEST_NESTING = 100

# In one declaration; what is wrong in more places is better rewritten than corrected.
MOST_FAULTS = 10

NAME_A_PART = "name a part of it with a `fun` or a `let`"

Lines: TypeAlias = "tuple[tuple[int, str], ...]"  # numbered from 1


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


def parse_words(text: str, file: str, start: str) -> tuple[Tree[Token] | None, Building, tuple[Diagnostic, ...]]:
    """What the grammar's rule ``start`` makes of words that are no file, or what is wrong with them."""
    from spec.parse_expressions import Building

    lines = text.splitlines()
    building = Building(file, lines)
    chunk = tuple((number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not chunk:
        return None, building, (Diagnostic("S101", Place(file, 1, 1), "nothing is written here", None),)
    tree, fault, _ = _attempt(chunk, file, start)
    if fault is not None:
        return None, building, (fault,)
    if tree is not None and (deep := _too_deep(tree)):
        return None, building, (Diagnostic("S113", building.place(deep), "this is nested too deeply", NAME_A_PART),)
    return tree, building, ()


def _declarations(lines: list[str]) -> Iterator[Lines]:
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


def _parse_declaration(chunk: Lines, lines: list[str], file: str) -> tuple[tuple[Declaration, ...], list[Diagnostic]]:
    """The declaration; or what is wrong with it, in as many of its lines as can be told apart."""
    from spec.parse_declarations import declarations
    from spec.parse_expressions import Building

    faults: list[Diagnostic] = []
    while len(faults) < MOST_FAULTS:
        tree, fault, broken = _attempt(chunk, file)
        if fault is None:
            break
        if faults and fault.place.line <= faults[-1].place.line:
            return (), faults  # an echo of the fault before
        faults.append(fault)
        mended = _without(chunk, broken, file)
        if mended is None:
            return (), faults
        chunk = mended
    if tree is None:
        return (), faults
    building = Building(file, lines)
    if deep := _too_deep(tree):
        place = building.place(deep)
        return (), [*faults, Diagnostic("S113", place, "this is nested too deeply", NAME_A_PART)]
    found = declarations(tree, building)
    return () if faults else found, faults + building.faults


def _attempt(chunk: Lines, file: str, start: str = "start") -> tuple[Tree[Token] | None, Diagnostic | None, int]:
    """The tree, or what is wrong; and the line in which the last logical line started."""
    from lark import UnexpectedToken

    from spec.parse_errors import explain
    from spec.parse_lexer import Fault, Reading

    reading = Reading(file, chunk)
    try:
        return _tree(reading, start), None, reading.logical_line
    except Fault as fault:
        return None, fault.diagnostic, reading.logical_line
    except UnexpectedToken as unexpected:
        accepted = frozenset(unexpected.interactive_parser.accepts())  # type: ignore[no-untyped-call]
        return None, explain(unexpected.token, accepted, _spelling(), reading), reading.logical_line


def _without(chunk: Lines, broken: int, file: str) -> Lines | None:
    """``chunk`` without the logical line that starts in line ``broken`` and all that is indented under it; a `skip`
    takes its place where a statement may stand. ``None``: it is the first line, and nothing would be left."""
    start = next((i for i, (number, _) in enumerate(chunk) if number == broken), 0)
    if start == 0:
        return None
    depth, word = _depth(chunk[start][1]), _first_word(chunk[start][1])
    end = start + 1
    while end < len(chunk) and (
        _depth(chunk[end][1]) > depth
        or (word == "if" and _depth(chunk[end][1]) == depth and _first_word(chunk[end][1]) in ("else", "elif"))
    ):
        end += 1
    without = (*chunk[:start], *chunk[end:])
    if word.startswith("el"):  # a branch, or meant as one: nothing may come between its `if` and the next branch
        return without
    with_skip = (*chunk[:start], (broken, " " * depth + "skip"), *chunk[end:])
    _, fault, line = _attempt(with_skip, file)
    return without if fault is not None and line <= broken else with_skip


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _first_word(line: str) -> str:
    return line.split()[0].rstrip(":")


def _tree(reading: Reading, start: str) -> Tree[Token]:
    parsed = _grammar().parse(reading, start=start)  # SpecLexer takes the Reading as its text
    if start != "start":
        return parsed
    (tree,) = parsed.children
    assert not isinstance(tree, str)
    return tree


@cache
def _grammar() -> Lark:
    from lark import Lark

    from spec.parse_lexer import SpecLexer

    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    starts = ["start", "goal", "some"]
    return Lark(grammar, start=starts, parser="lalr", lexer=SpecLexer, propagate_positions=True)


@cache
def _spelling() -> Mapping[str, str]:
    """How each kind of token with a fixed text is written."""
    from lark.lexer import PatternStr

    return {t.name: t.pattern.value for t in _grammar().terminals if isinstance(t.pattern, PatternStr)}


def _too_deep(tree: Tree[Token]) -> Tree[Token] | None:
    """The first node at the depth that is no longer allowed, found without recursion."""
    level = [tree]
    for _ in range(DEEPEST_NESTING):
        level = [child for node in level for child in node.children if child is not None and not isinstance(child, str)]
    return level[0] if level else None
