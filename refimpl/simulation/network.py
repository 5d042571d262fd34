"""The network: each message arrives once, twice, late or never, and not at all across a partition."""

from __future__ import annotations

from refimpl.entry import ServerId
from refimpl.messages import Message
from refimpl.simulation.chance import Chance
from refimpl.simulation.clock import MILLISECOND, Clock
from refimpl.simulation.events import Arrival
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.weather import Weather

Cut = frozenset[tuple[str, str]]
"""The pairs (source, destination) between which no message passes."""

LATE = 80 * MILLISECOND
"""How much later than others an overtaken message is, on average: two or three heartbeats."""


class Network:
    """Clients reach every server at any time: a partition is worse if its minority still has clients."""

    def __init__(self, clock: Clock, weather: Weather, chance: Chance, tally: Tally) -> None:
        self.weather = weather
        self._clock = clock
        self._chance = chance
        self._tally = tally
        self._cuts: dict[int, Cut] = {}
        self._partitions = 0
        self._latest_arrival: dict[tuple[str, str], int] = {}

    def send(self, message: Message) -> None:
        """Plan the arrival of as many copies as the weather lets through."""
        weather, chance = self.weather, self._chance
        self._tally[Seen.SENT] += 1
        if chance.happens(weather.loss):
            self._tally[Seen.LOST] += 1
            return
        self._plan_arrival(message)
        if chance.happens(weather.duplication):
            self._tally[Seen.DUPLICATED] += 1
            self._plan_arrival(message)

    def _plan_arrival(self, message: Message) -> None:
        delay = self._chance.around(self.weather.delay)
        if self._chance.happens(self.weather.overtaking):
            delay += self._chance.around(LATE)
        channel = (message.source, message.destination)
        arrival = self._clock.now + delay
        if arrival < self._latest_arrival.get(channel, 0):
            self._tally[Seen.OVERTOOK] += 1
        else:
            self._latest_arrival[channel] = arrival
        self._clock.plan(delay, Arrival(message))

    def is_cut(self, message: Message) -> bool:
        """Whether a partition stops the message, which it does at the end of its way."""
        if not self._cuts:
            return False
        channel = (message.source, message.destination)
        return any(channel in cut for cut in self._cuts.values())

    def partition(self, one: ServerId, servers: tuple[ServerId, ...]) -> int:
        """Cut this server off from another, or a group with it from all others, one way or both ways. Returns the
        partition's number, for `heal`."""
        inside, outside = {one}, set(servers)
        match self._chance.one_of(("alone", "alone", "in a group", "from one other")):
            case "in a group":
                inside |= {server for server in servers if self._chance.happens(0.5)}
            case "from one other":
                outside = {self._chance.one_of(servers)}
        to_outside = {(source, other) for source in inside for other in outside - inside}
        to_inside = {(other, source) for source, other in to_outside}
        one_way = self._chance.one_of((to_outside, to_inside))
        both_ways = to_outside | to_inside
        return self._cut(frozenset(self._chance.one_of((both_ways, both_ways, one_way))))

    def isolate(self, one: ServerId, servers: tuple[ServerId, ...]) -> int:
        """Cut this server off from all others, both ways."""
        others = [server for server in servers if server != one]
        return self._cut(frozenset({(one, other) for other in others} | {(other, one) for other in others}))

    def _cut(self, cut: Cut) -> int:
        self._partitions += 1
        self._cuts[self._partitions] = cut
        return self._partitions

    def heal(self, partition: int) -> bool:
        """Undo it; False if a quiet period has done so before."""
        return self._cuts.pop(partition, None) is not None

    def heal_all(self) -> None:
        self._cuts.clear()
