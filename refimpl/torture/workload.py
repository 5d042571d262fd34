"""Clients of the cluster under torture, and the history of what they asked and were told.

Each write's value is its own and ends with a mark that no other part has, so that the judge can tell from a Get which
writes it saw. Keys are used for a while and then left for new ones: their histories stay short enough to be judged, and
are judged while the run goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

from refimpl.client import Client, Rejected
from refimpl.entry import Append, Delete, Get, Operation, Put
from refimpl.errors import RefimplError
from refimpl.history import Call

KEYS = 3
"""In use at a time."""
CALLS_OF_A_KEY = 300
SECONDS_FOR_ONE_CALL = 3.0
LONGEST_PAUSE = 0.1
"""Seconds between two calls of a client."""

Session = Callable[[str, float, Random | None], Client]
"""A new client of this name, with so many seconds for one call."""


class Workload:
    """`readers` only read: once on a server they stay there for as long as it answers."""

    def __init__(
        self, session: Session, seed: int, writers: int, readers: int, now: Callable[[], int],
        closed: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`now`: nanoseconds since the run began. `closed` is called with each key that nobody will ask for any more,
        until the final reads."""
        self.calls: dict[str, list[Call]] = {}
        self.counts: Counter[str] = Counter()
        self.longest_silence = 0
        self._session = session
        self._seed = seed
        self._roles = [False] * writers + [True] * readers
        self._now = now
        self._closed = closed
        self._keys: list[str] = []
        self._under_way: Counter[str] = Counter()
        self._values = 0
        self._last_answer = self._now()

    async def run(self) -> None:
        """Ask until cancelled; calls that are under way then have no answer."""
        self._keys = [self._new_key() for _ in range(KEYS)]
        clients = [asyncio.create_task(self._be_client(number, role)) for number, role in enumerate(self._roles)]
        try:
            await asyncio.gather(*clients)
        finally:
            for client in clients:  # in this order: a TaskGroup has none
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def read_all(self, seconds: float) -> list[str]:
        """Read every key that ever was, for the last time; returns the keys that nobody would tell."""
        self._keys = []  # nobody begins another
        untold = []
        async with self._session("last", seconds, Random(f"{self._seed} last")) as client:
            for key in self.calls:
                if not await self._call(client, "last", Get(key), through_log=False):
                    untold.append(key)
        return untold

    async def _be_client(self, number: int, reads_only: bool) -> None:
        random = Random(f"{self._seed} client {number}")
        life = 0
        while True:
            life += 1
            name = f"c{number}" if life == 1 else f"c{number}.{life}"
            # A client that got no answer is another one afterwards: what it asked for may still happen.
            async with self._session(name, SECONDS_FOR_ONE_CALL, random) as client:
                answered = True
                while answered:
                    await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
                    operation = self._operation(random, reads_only)
                    answered = await self._call(client, name, operation, through_log=random.random() < 0.1)

    def _operation(self, random: Random, reads_only: bool) -> Operation:
        key = random.choice(self._keys)
        kind = "get" if reads_only else random.choices(("append", "get", "put", "delete"), (60, 30, 7, 3))[0]
        self._values += 1
        match kind:
            case "append":
                return Append(key, f"{self._values};")
            case "put":
                return Put(key, f"{self._values};")
            case "delete":
                return Delete(key)
            case _:
                return Get(key)

    async def _call(self, client: Client, name: str, operation: Operation, through_log: bool) -> bool:
        """Ask, and write down what came of it; whether an answer did."""
        key, invoked = operation.key, self._now()
        self._under_way[key] += 1
        returned: int | None = None
        response: str | None = None
        had_no_effect = False
        try:
            if isinstance(operation, Get) and not through_log:
                response = await client.get(key)
            else:
                response = await client.perform(operation)
            returned = self._now()
            self._note_answer(returned)
        except Rejected:
            self.counts["failed"] += 1
            had_no_effect = True  # they say: if it has one, a Get will return what nobody wrote
        except (RefimplError, OSError):
            self.counts["unknown"] += 1
        finally:
            # Also where this task is cancelled: the call may have an effect.
            if not had_no_effect:
                self.calls[key].append(Call(name, operation, invoked, returned, response))
            self._under_way[key] -= 1
            self._retire(key)
        return returned is not None or had_no_effect

    def _retire(self, key: str) -> None:
        if key in self._keys and len(self.calls[key]) >= CALLS_OF_A_KEY:
            self._keys[self._keys.index(key)] = self._new_key()
        if key not in self._keys and self._under_way[key] == 0 and len(self.calls[key]) >= CALLS_OF_A_KEY:
            self._closed(key)

    def _new_key(self) -> str:
        key = f"k{len(self.calls) + 1}"
        self.calls[key] = []
        return key

    def _note_answer(self, now: int) -> None:
        self.counts["ok"] += 1
        self.longest_silence = max(self.longest_silence, now - self._last_answer)
        self._last_answer = now
