"""Syntax errors: all of a file in one go, each with its own code, a place, a caret, and no name of the grammar."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.diagnostics import Diagnostic
from spec.parse import parse_text
from spec.source import LARGEST_FILE, SourceError, SpecFileError, read_source

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "syntax"
MODELS = HERE.parents[1] / "spec" / "models"
LANGUAGE = HERE.parents[1] / "spec" / "LANGUAGE.md"


def faults_of(text: str) -> tuple[Diagnostic, ...]:
    return parse_text(text, "test.spec")[1]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.spec")), ids=lambda p: p.stem)
def test_golden_diagnostics(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    shown = "\n".join(fault.render({path.name: text}) for fault in parse_text(text, path.name)[1]) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_every_syntax_code_has_a_golden_example_and_a_line_in_the_reference() -> None:
    codes = {f"S{number}" for number in range(101, 119)}
    examples = "\n".join(path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt"))
    assert set(re.findall(r"error\[(S\d+)\]", examples)) == codes
    assert set(re.findall(r"^\| (S1\d\d) \|", LANGUAGE.read_text(encoding="utf-8"), re.M)) == codes


def test_messages_never_name_a_terminal_of_the_parser() -> None:
    for golden in GOLDEN.glob("*.txt"):
        for message in re.findall(r"error\[S\d+\]: (.*)", golden.read_text(encoding="utf-8")):
            outside_quotes = re.sub(r"`[^`]*`", "", message)
            assert not re.search(r"[A-Z]{3,}|__|ANON", outside_quotes), message


def test_one_broken_declaration_hides_no_other() -> None:
    text = "invariant a: x y\naction b:\n    x = 1\n    y := 2\n    z = 3\ninvariant c: true\nmodel m\n"
    parsed, faults = parse_text(text, "test.spec")
    assert [(f.code, f.place.line) for f in faults] == [("S101", 1), ("S106", 3), ("S106", 5), ("S108", 7)]
    assert len(parsed.declarations) == 1


def test_a_very_long_expression_is_a_diagnostic_not_a_recursion_error() -> None:
    assert [f.code for f in faults_of("invariant i: " + "not " * 50_000 + "x\n")] == ["S113"]
    assert [f.code for f in faults_of("invariant i: " + " and ".join(["x"] * 5_000) + "\n")] == ["S113"]
    assert faults_of("invariant i: " + "(" * 2_000 + "x" + ")" * 2_000 + "\n") == ()
    deep = "".join("    " * (depth + 1) + "if x:\n" for depth in range(300))
    assert [f.code for f in faults_of("action a:\n" + deep + "    " * 301 + "skip\n")] == ["S113"]


def test_a_declaration_reports_only_so_many_errors() -> None:
    assert len(faults_of("action a:\n" + "    x = 1\n" * 100)) == 10


# ------------------------------------------------------------------------------------------------- files


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.spec"
    path.write_bytes(b"\xef\xbb\xbfconst A: int\r\n")
    assert read_source(path) == "const A: int\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.spec", None, "there is no such file"),
        ("binary.spec", b"ok\n\xff\xfe", r"not UTF-8 text \(line 2\)"),
        ("huge.spec", b"#" * (LARGEST_FILE + 1), "larger than 4 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=expected) as raised:
        read_source(path)
    assert isinstance(raised.value, SpecFileError)
    assert raised.value.file == str(path)
    assert raised.value.hint


def test_a_directory_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="this is a directory"):
        read_source(tmp_path)


def test_a_path_with_a_null_character_is_no_crash() -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_source(Path("a\0b.spec"))


# ------------------------------------------------------------------------------------------- any text at all

EXAMPLES = [path.read_text(encoding="utf-8") for folder in (MODELS, GOLDEN) for path in sorted(folder.rglob("*.spec"))]
PIECES = sorted({piece for text in EXAMPLES for piece in re.findall(r"\w+|[^\w\s]+|\n *", text)})
LINES = sorted({line for text in EXAMPLES for line in text.splitlines()})


def assert_told_in_place(text: str) -> None:
    """Parsing raises nothing, every place lies in the text, and no message speaks of the parser."""
    _, faults = parse_text(text, "test.spec")
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    for fault in faults:
        assert re.fullmatch(r"S1\d\d", fault.code)
        assert 1 <= fault.place.line <= len(lines)
        assert 1 <= fault.place.column <= len(lines[fault.place.line - 1]) + 1
        assert fault.place.width >= 1
        assert "_NEWLINE" not in fault.message
        assert "ANON" not in re.sub(r"`[^`]*`", "", fault.message)
        fault.render({"test.spec": text})


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert_told_in_place(text)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
@settings(max_examples=200)
def test_any_words_of_the_language_get_an_answer(text: str) -> None:
    assert_told_in_place(text)


@given(st.lists(st.sampled_from(LINES), max_size=30).map("\n".join))
@settings(max_examples=200)
def test_any_lines_of_specs_get_an_answer(text: str) -> None:
    assert_told_in_place(text)


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_spec_gets_an_answer(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES))
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    window = text[start : start + 1500]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(window)))
        cut = data.draw(st.integers(0, 12))
        window = window[:at] + data.draw(st.sampled_from(["", *PIECES])) + window[at + cut :]
    assert_told_in_place(window)
