"""A protocol of two processes that send each other numbered pings: to test replay and rendering without Raft."""

from __future__ import annotations

from typing import Any

from traces.drive import Drive
from traces.table import Field, Own, Table
from traces.trace import Label, Trace, TraceState
from traces.values import Map, Value


class ToyTarget:
    """``campaign`` sends the next ping to the other process; ``deliver`` adds what arrives.

    ``lose_after``: from that ping on, deliveries have no effect. ``hide``: fields that are not reported.
    """

    name = "toy"

    def __init__(self, lose_after: int = 1000, hide: frozenset[str] = frozenset()) -> None:
        self.lose_after = lose_after
        self.hide = hide
        self.sent: dict[str, int] = {}
        self.received: dict[str, int] = {}

    def reset(self, servers: tuple[str, ...]) -> None:
        self.sent = dict.fromkeys(servers, 0)
        self.received = dict.fromkeys(servers, 0)

    def campaign(self, server: str) -> list[dict[str, Any]]:
        self.sent[server] += 1
        other = next(name for name in self.sent if name != server)
        return [{"type": "Ping", "source": server, "destination": other, "number": self.sent[server]}]

    def replicate(self, server: str, peer: str) -> list[dict[str, Any]]:
        raise NotImplementedError("no such thing here")

    def deliver(self, server: str, message: dict[str, Any]) -> list[dict[str, Any]]:
        if message["number"] < self.lose_after:
            self.received[server] += message["number"]
        return []

    def flush(self, server: str) -> list[dict[str, Any]]:
        return []

    apply = answer = restart = flush

    def crash(self, server: str, keep: int) -> None:
        self.received[server] = 0

    def observe(self, server: str) -> dict[str, Any]:
        everything = {"sent": self.sent[server], "received": self.received[server]}
        return {name: value for name, value in everything.items() if name not in self.hide}


def _always(state: TraceState, process: str) -> bool:
    return True


def _begin(drive: Drive, initial: TraceState) -> None:
    drive.memory["pings"] = 0


def _sent(drive: Drive, message: Map) -> None:
    drive.memory["pings"] += 1


def _pings(state: TraceState) -> Value:
    return state.variables.get("pings")


TABLE = Table(
    name="toy.spec",
    processes=lambda initial: tuple(str(name) for name in initial.variables["sent"]),  # type: ignore[union-attr]
    steps={
        "ping": lambda drive, label: drive.call("campaign", drive.process(label)),
        "receive": Drive.deliver,
        "replicate": lambda drive, label: drive.call("replicate", drive.process(label), "b1"),
        "crash": lambda drive, label: drive.call("crash", drive.process(label), drive.argument(label, "keep")),
        "drop": Drive.drop,
        "duplicate": Drive.duplicate,
    },
    fields=(Field("sent", _always), Field("received", _always)),
    message=lambda flat: flat,
    begin=_begin,
    sent=_sent,
    own=(Own("pings", _pings, lambda drive: drive.memory["pings"]),),
)


def ping(number: int, source: str = "a1", destination: str = "b1") -> dict[str, object]:
    return {"type": "Ping", "source": source, "destination": destination, "number": number}


def state(
    label: Label | None, sent: tuple[int, int], received: tuple[int, int], network: dict[int, int], **more: object
) -> TraceState:
    """``network``: number of a ping from a1 to b1 → copies."""
    flying = [{"message": ping(number), "copies": copies} for number, copies in sorted(network.items())]
    variables = {
        "sent": {"a1": sent[0], "b1": sent[1]},
        "received": {"a1": received[0], "b1": received[1]},
        "network": flying,
        "up": {"a1": True, "b1": True},
        "budgets": {"crashes": 0},
    }
    return TraceState.of(label, variables | more)


def toy_trace(**more: object) -> Trace:
    """Two pings; the first is duplicated and arrives twice, the second is lost; then b1 crashes."""
    return Trace(
        "toy.spec",
        "two",
        None,
        (
            state(None, (0, 0), (0, 0), {}, pings=0, **more),
            state(Label.of("ping", "a1"), (1, 0), (0, 0), {1: 1}, pings=1, **more),
            state(Label.of("duplicate", message=ping(1)), (1, 0), (0, 0), {1: 2}, pings=1, **more),
            state(Label.of("receive", "b1", ping(1)), (1, 0), (0, 1), {1: 1}, pings=1, **more),
            state(Label.of("ping", "a1"), (2, 0), (0, 1), {1: 1, 2: 1}, pings=2, **more),
            state(Label.of("receive", "b1", ping(1)), (2, 0), (0, 2), {2: 1}, pings=2, **more),
            state(Label.of("drop", message=ping(2)), (2, 0), (0, 2), {}, pings=2, **more),
            state(Label.of("crash", "b1", keep=0), (2, 0), (0, 0), {}, pings=2, **more),
        ),
    )
