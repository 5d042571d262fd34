"""Clients with sessions: each has one operation outstanding, and sends it again until it is answered (§6.3)."""

from __future__ import annotations

from collections.abc import Callable

from refimpl.entry import Append, ClientId, Delete, Get, Operation, Put, Serial, ServerId
from refimpl.messages import ClientRequest, ClientResponse, ReadRequest, ReadResponse
from refimpl.simulation.chance import Chance
from refimpl.simulation.clock import MILLISECOND, Clock
from refimpl.simulation.events import ClientTurn
from refimpl.simulation.moments import Moments
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.weather import Weather

PATIENCE = 40 * MILLISECOND
"""How long a client waits at first, on average, before it tries again: less than an election or a slow disk takes, so
that commands are sent again while an earlier copy is on its way."""
KEYS = ("pear", "apple", "plum")


class Client:
    """One client. Its values say which command wrote them, so that one that takes effect twice shows.

    `who_leads` tells whom others would send it to: the servers that believe that they lead.
    """

    def __init__(
        self,
        name: ClientId,
        servers: tuple[ServerId, ...],
        who_leads: Callable[[], tuple[ServerId, ...]],
        weather: Weather,
        moments: Moments,
        clock: Clock,
        chance: Chance,
        tally: Tally,
    ) -> None:
        self.name = name
        self.outstanding: ClientRequest | ReadRequest | None = None
        self.wants_more = True
        self._servers = servers
        self._server = chance.one_of(servers)
        self._who_leads = who_leads
        self._weather = weather
        self._moments = moments
        self._clock = clock
        self._chance = chance
        self._tally = tally
        self._serial = Serial(0)
        self._attempt = 0
        self._tries = 0
        self._plan_turn(weather.think)

    def turn(self, due: ClientTurn) -> ClientRequest | ReadRequest | None:
        """Start an operation or send the last one again. None: the turn was planned for an attempt that is over."""
        if (due.serial, due.attempt) != (self._serial, self._attempt):
            return None
        if self.outstanding is None:
            if not self.wants_more:
                return None
            self._serial = Serial(self._serial + 1)
            self._tries = 0
            self._moments.begins(self.name)
        else:
            self._tally[Seen.RETRY] += 1
            leaders = self._who_leads()
            self._server = self._chance.one_of(leaders if leaders and self._chance.happens(0.8) else self._servers)
        self.outstanding = self._request(self.outstanding)
        self._attempt += 1
        self._tries += 1
        self._plan_turn(PATIENCE * min(self._tries, 3))
        return self.outstanding

    def receive(self, response: ClientResponse | ReadResponse) -> bool:
        """Take the answer; False: it is one that was answered before. Raises PropertyViolated."""
        if self.outstanding is None or response.serial != self._serial:
            return False
        match response, self.outstanding:
            case ClientResponse(), ClientRequest():
                self._tally[Seen.WRITE] += 1
                self._moments.command_ends(self.name, self._serial)
            case ReadResponse(value=value), ReadRequest(key=key):
                self._tally[Seen.READ] += 1
                self._moments.read_ends(self.name, key, value)
            case _:
                raise AssertionError(f"{response} is no answer to {self.outstanding}")
        self.outstanding = None
        self._server = response.source
        self._attempt += 1
        self._plan_turn(self._weather.think)
        return True

    def _plan_turn(self, delay: int) -> None:
        self._clock.plan(self._chance.around(delay), ClientTurn(self.name, self._serial, self._attempt))

    def _request(self, before: ClientRequest | ReadRequest | None) -> ClientRequest | ReadRequest:
        """A new operation, or the one before once more; to the server that this client takes for the leader."""
        match before:
            case ReadRequest(key=key):
                return ReadRequest(self.name, self._server, self._serial, key)
            case ClientRequest(operation=operation):
                return ClientRequest(self.name, self._server, self._serial, operation)
            case None:
                key = self._chance.one_of(KEYS[: self._weather.keys])
                if self._chance.happens(self._weather.reads):
                    return ReadRequest(self.name, self._server, self._serial, key)
                return ClientRequest(self.name, self._server, self._serial, self._operation(key))

    def _operation(self, key: str) -> Operation:
        mark = f"{self.name}:{self._serial};"
        append = Append(key, mark)
        operations: tuple[Operation, ...] = (append, append, append, Put(key, mark), Delete(key), Get(key))
        return self._chance.one_of(operations)
