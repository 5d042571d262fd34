"""The snippets of spec/LANGUAGE.md: each one parses, and is a well-typed spec once its hidden context is around it."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from spec.load import load_goals
from spec.parse import parse_text
from spec.parse_goals import GoalText
from spec.parse_lexer import RESERVED

REFERENCE = Path(__file__).parents[2] / "spec" / "LANGUAGE.md"
TEXT = REFERENCE.read_text(encoding="utf-8")
CONTEXTS = dict(re.findall(r"<!-- context (\w+)\n(.*?)-->", TEXT, re.S))
SNIPPETS = re.findall(r"^```(spec(?:-fragment \w+)?)\n(.*?)^```$", TEXT, re.S | re.M)


def completed(fence: str, snippet: str) -> str:
    """The snippet as a whole spec: a fragment takes the place of the line ``...`` in its context."""
    _, _, context = fence.partition(" ")
    if not context:
        return snippet
    found = re.fullmatch(r"(.*?)^( *)\.\.\.\n(.*)", CONTEXTS[context], re.S | re.M)
    assert found, f"the context {context} has no line `...`"
    before, indentation, after = found.groups()
    return before + "".join(indentation + line + "\n" for line in snippet.splitlines()) + after


SPECS = [completed(fence, snippet) for fence, snippet in SNIPPETS]
NAMES = [f"{number}-{fence.replace(' ', '-')}" for number, (fence, _) in enumerate(SNIPPETS, 1)]


@pytest.mark.parametrize("text", SPECS, ids=NAMES)
def test_snippet_parses(text: str) -> None:
    _, faults = parse_text(text, "LANGUAGE.md")
    assert [fault.render({"LANGUAGE.md": text}) for fault in faults] == []


@pytest.mark.skipif(importlib.util.find_spec("spec.load") is None, reason="spec.load is not written yet")
@pytest.mark.parametrize(
    "text", [t for t in SPECS if not t.startswith("mutant")], ids=[n for n in NAMES if "mutant" not in n]
)
def test_snippet_is_well_typed(text: str) -> None:
    load = importlib.import_module("spec.load")
    diagnostics = load.check_text(text, "LANGUAGE.md")
    assert [found.render({"LANGUAGE.md": text}) for found in diagnostics] == []


def goals_of_the_reference() -> list[str]:
    table = TEXT.split("### Goals on a command line")[1].split("\n| goal |")[1].split("\n\n")[0]
    return [goal for line in table.splitlines()[2:] for goal in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_every_goal_of_the_reference_is_one_of_the_spec_around_its_snippets(tmp_path: Path) -> None:
    vote = next(snippet for fence, snippet in SNIPPETS if "sometimes a_vote_is_given" in snippet)
    path = tmp_path / "small.spec"
    path.write_text(completed("spec-fragment top", vote), encoding="utf-8")
    goals = goals_of_the_reference()
    assert len(goals) == 6
    for goal in goals:
        load_goals(path, (GoalText(goal, "<goal>"),), GoalText("s in Server, t in Term", "<some>"))


def test_every_block_of_the_reference_is_checked() -> None:
    assert TEXT.count("\n```\n") == len(SNIPPETS)
    assert len(SNIPPETS) > 10


def test_reserved_words_are_those_of_the_lexer() -> None:
    listed = re.search(r"\*\*Reserved words\*\* are never names: (.*?)\. All", TEXT, re.S)
    assert listed
    assert set(re.findall(r"`(\w+)`", listed.group(1))) == RESERVED
