"""A small spec to add a line to, and what the checks say about it."""

from __future__ import annotations

from spec.diagnostics import Diagnostic
from spec.load import check_text

DECLARATIONS = """\
const Server: set symmetric
const Client: set
const top: int
type Term = 0..top
enum Role = Follower | Leader
record Entry:
    term: Term
    owner: optional[Server]
message Ask:
    term: Term
message Answer:
    granted: bool
message Done:
network bag with loss, duplication
server:
    durable  current: Term = 0
    durable  log:     seq[Entry, top] = []
    volatile role:    Role = Follower
    volatile votes:   set[Server] = {}
    volatile vote:    optional[Server] = none
    volatile marks:   map[Server, Term] = {s: 0 for s in Server}
shared turn: 0..3 = 0
ghost seen: set[Server] = {}
on Ask m as ask:
    reply Answer(granted=true)
on Answer m as answer:
    votes := votes + {m.source}
process Client never crashes:
    volatile asked: Term = 0
    on Done m as done:
        asked := asked + 1
action stand(peer: Server):
    send Ask(term=current) to peer
action tell(client: Client):
    send Done() to client
"""

MODEL = """\
model two:
    Server = {s1, s2}
    Client = {c1}
    top = 2
"""


def check(text: str, *, model: str = MODEL, declarations: str = DECLARATIONS) -> tuple[Diagnostic, ...]:
    """What the checks say about the small spec with ``text`` added."""
    return check_text(f"{declarations}{text}\n{model}", "small.spec")


def codes(text: str, *, model: str = MODEL, declarations: str = DECLARATIONS) -> list[str]:
    return [found.code for found in check(text, model=model, declarations=declarations)]


def action(*lines: str) -> str:
    """An action of the server with these statements."""
    return "\n".join(("action act:", *(f"    {line}" for line in lines)))


def invariant(expression: str) -> str:
    return f"invariant claim: {expression}"
