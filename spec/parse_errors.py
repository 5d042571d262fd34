"""stub"""
from __future__ import annotations
from lark import UnexpectedToken
from spec.diagnostics import Diagnostic
from spec.parse_lexer import Reading
from spec.system import Place
def explain(e: UnexpectedToken, reading: Reading) -> Diagnostic:
    t = e.token
    return Diagnostic("S101", Place(reading.file, t.line or 1, t.column or 1, max(1, len(t))), f"unexpected {t.type} {t}, expected {sorted(e.interactive_parser.accepts())}")
