"""Histories to judge: linearizable by construction, drawn at random, or recorded by others."""

from __future__ import annotations

import gzip
import re
from itertools import permutations
from pathlib import Path
from random import Random

from refimpl.entry import Append, Delete, Get, Operation, Put
from refimpl.history import Call
from refimpl.sequential import perform

PORCUPINE = Path(__file__).resolve().parent.parent / "data" / "porcupine"


def call(
    text: str, invoked: int, returned: int | None, response: str | None = None, client: str = "c", key: str = "k"
) -> Call:
    """`text` is "put a", "append a", "delete" or "get"."""
    name, _, value = text.partition(" ")
    operations: dict[str, Operation] = {
        "put": Put(key, value),
        "append": Append(key, value),
        "delete": Delete(key),
        "get": Get(key),
    }
    return Call(client, operations[name], invoked, returned, response)


def linearizable_by_construction(
    random: Random, length: int, clients: int = 12, unanswered: float = 0.03, kinds: str = "aaaaggggpd"
) -> list[Call]:
    """What clients of one key see that takes each call at one moment, after its invocation and before its answer.

    Values are unique. A call without an answer takes effect at any later moment, or never; its client goes on under
    another name. `kinds` are the first letters of the operations, each as likely as it is often in there.
    """
    free_at = [random.randrange(100) for _ in range(clients)]
    names = [f"c{number}" for number in range(clients)]
    drawn: list[tuple[float, int, int | None, str, Operation]] = []  # the moment, then what will be the call
    for number in range(length):
        client = min(range(clients), key=free_at.__getitem__)
        invoked = free_at[client] + random.randrange(1, 30)
        returned = invoked + int(random.expovariate(1 / 100)) + 1
        operation = {
            "a": Append("k", f"<{number}>"), "g": Get("k"), "p": Put("k", f"[{number}]"), "d": Delete("k")
        }[random.choice(kinds)]  # fmt: skip
        free_at[client] = returned
        if random.random() < unanswered:
            moment = random.choice([random.uniform(invoked, returned), invoked + random.expovariate(1 / 2000), 1e18])
            drawn.append((moment, invoked, None, names[client], operation))
            names[client] += "'"
        else:
            drawn.append((random.uniform(invoked, returned), invoked, returned, names[client], operation))
    history = []
    value: str | None = None
    for moment, invoked, returned, client_name, operation in sorted(drawn, key=lambda each: each[0]):
        response = value if isinstance(operation, Get) and returned is not None else None
        if moment < 1e18:
            _, after = perform(operation, value if isinstance(operation, Get) else None, value)
            assert after is None or isinstance(after, str)
            value = after
        history.append(Call(client_name, operation, invoked, returned, response))
    return sorted(history, key=lambda each: each.invoked)


def linearizable_by_trying_all_orders(calls: list[Call], start: str | None = None) -> bool:
    """The definition, word for word, for a handful of calls."""
    answered = [each for each in calls if each.returned is not None]
    unanswered = [each for each in calls if each.returned is None]
    for chosen in range(1 << len(unanswered)):
        taken = answered + [each for bit, each in enumerate(unanswered) if chosen >> bit & 1]
        if any(_is_legal(order, start) for order in permutations(taken)):
            return True
    return False


def respected(order: tuple[Call, ...], history: list[Call]) -> bool:
    """Whether the order is a proof: legal, with every answered call, and nothing twice or from elsewhere."""
    answered = [each for each in history if each.returned is not None]
    return (
        all(order.count(each) == answered.count(each) for each in answered)
        and all(order.count(each) <= history.count(each) for each in order)
        and _is_legal(order, None)
    ) if len(history) < 10 else (
        len(set(order)) == len(order) and set(answered) <= set(order) <= set(history) and _is_legal(order, None)
    )


def _is_legal(order: tuple[Call, ...], start: str | None) -> bool:
    value: str | None = start
    latest_invoked = -1
    for each in order:
        latest_invoked = max(latest_invoked, each.invoked)
        if each.returned is not None and each.returned < latest_invoked:
            return False  # it was over before one that stands before it began
        match each.operation:
            case Put(_, written):
                value = written
            case Append(_, added):
                value = (value or "") + added
            case Delete():
                value = None
            case Get():
                if each.returned is not None and each.response != value:
                    return False
    return True


_LINE = re.compile(r'\{:process (\d+), :type :(invoke|ok), :f :(put|append|get), :key "(.*)", :value (nil|"(.*)")\}')


def porcupine(name: str) -> list[Call]:
    """A history that comes with the checker Porcupine, a line a moment. Its store has "" for an absent key."""
    pending: dict[str, tuple[int, str, str, str]] = {}
    history = []
    text = gzip.decompress((PORCUPINE / f"{name}.txt.gz").read_bytes()).decode()
    for moment, line in enumerate(text.splitlines()):
        found = _LINE.fullmatch(line)
        assert found is not None, line
        client, kind, operation, key, _, value = found.groups()
        if kind == "invoke":
            pending[client] = (moment, operation, key, value or "")
        else:
            invoked, operation, key, written = pending.pop(client)
            response = value or None if operation == "get" else None
            history.append(call(f"{operation} {written}", invoked, moment, response, client, key))
    for client, (invoked, operation, key, written) in pending.items():
        history.append(call(f"{operation} {written}", invoked, None, None, client, key))
    return history
