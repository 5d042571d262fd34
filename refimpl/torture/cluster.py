"""Server processes behind passages, and what the harness does to them; it counts what it did and notes it down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from refimpl.certificates import issue
from refimpl.client import Client
from refimpl.dialling import Address
from refimpl.driver import Timings
from refimpl.entry import ServerId
from refimpl.exits import Exit
from refimpl.tls import Identity
from refimpl.torture.passage import Passage, State
from refimpl.torture.process import Orders, ServerProcess
from refimpl.torture.world import World, nanoseconds, now

DEEDS = "deeds.log"
"""In the folder of a run: what was done, and what was seen of it."""
CLIENT = "client"
"""What the certificate of all clients says."""
LOOK = 0.02
"""Seconds between two looks at logs and processes."""
SECONDS_TO_START = 60.0
SECONDS_TO_END = 20.0
SECONDS_BEFORE_RESTART = 0.3
"""For a server that has ended because of its disk: what a supervisor of services waits."""
ELECTION_TIMEOUT = 0.6
HEARTBEAT = 0.1
ENTRIES_A_MESSAGE = (1, 1, 2, 16)
"""At most; one of these for each start of a server."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done to the cluster or happened in it, at nanoseconds since the begin."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What cluster to build."""

    size: int
    seed: int
    broken: tuple[str, ...] = ()
    lossy: bool = True
    secure: bool = False  # mutual TLS, also for clients


@dataclass(slots=True)
class Cluster:
    """The processes from `start` to `end`. `findings` are things that must not happen whatever is done to them."""

    folder: Path
    shape: Shape
    world: World
    processes: dict[ServerId, ServerProcess] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    deeds: list[Deed] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    leaders: dict[int, ServerId] = field(default_factory=dict)  # by term
    leaderless: int = 0  # nanoseconds in which no running process, stopped ones included, said that it leads
    begun: int = 0  # nanoseconds, on the world's clock
    _peers: dict[tuple[ServerId, ServerId], Passage] = field(default_factory=dict)
    _clients: dict[ServerId, Passage] = field(default_factory=dict)
    _sick: set[ServerId] = field(default_factory=set)  # have had a bad disk since they were started
    watching: asyncio.Task[None] | None = None  # from the start on
    _chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = Random(f"{self.shape.seed} cluster")

    # Life -------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start them all and wait until they listen. One that does not is a finding."""
        self.begun = nanoseconds()
        names = [ServerId(f"s{number}") for number in range(1, self.shape.size + 1)]
        for there in names:
            self._clients[there] = self._passage(there)
            for here in names:
                if here != there:
                    self._peers[here, there] = self._passage(there)
        if self.shape.secure:
            issue(self._certificates, (*names, CLIENT))
        for name in names:
            orders = Orders(
                peers={there: self._peers[name, there].address for there in names if there != name},
                seed=self.shape.seed,
                timings=Timings(ELECTION_TIMEOUT, HEARTBEAT),
                broken=self.shape.broken,
                lossy=self.shape.lossy,
                certificates=self._certificates if self.shape.secure else None,
            )
            self.processes[name] = self.world.process(name, self.folder, orders)
        for process in self.processes.values():
            self._start(process)
        self.watching = asyncio.create_task(self._watch())
        await self.until_up(names)

    def _start(self, process: ServerProcess) -> None:
        # Few entries a message open the gaps between messages that many close.
        process.start(self._chance.choice(ENTRIES_A_MESSAGE))

    async def end(self) -> None:
        """Nothing that was started is left, however this is reached."""
        if self.watching is not None:
            self.watching.cancel()
        for process in self.processes.values():
            process.kill()
        for passage in (*self._peers.values(), *self._clients.values()):
            await passage.close()

    async def end_well(self) -> None:
        """Ask all to end, and find fault with those that do not do so well and soon."""
        assert self.watching is not None
        self.watching.cancel()
        for process in self.processes.values():
            process.ask_to_end()
        give_up_at = now() + SECONDS_TO_END
        for name, process in self.processes.items():
            while process.is_running and now() < give_up_at:
                await asyncio.sleep(LOOK)
            self._look_at_news(process)
            if process.exit_code != Exit.DONE:
                self.find(f"{name} was asked to end and did so with {process.exit_code}, in {SECONDS_TO_END:g} s")

    def _passage(self, there: ServerId) -> Passage:
        passage = self.world.passage(lambda: self.processes[there].address if there in self.processes else None)
        passage.open()
        return passage

    @property
    def elapsed(self) -> int:
        """Nanoseconds since the start."""
        return nanoseconds() - self.begun

    # What can be seen -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[ServerId, ...]:
        return tuple(self.processes)

    @property
    def addresses(self) -> Mapping[ServerId, Address]:
        """Where clients dial."""
        return {name: passage.address for name, passage in self._clients.items()}

    @property
    def _certificates(self) -> Path:
        return self.folder / "certificates"

    def client(self, name: str, timeout: float, chance: Random | None = None) -> Client:
        """A new session of a client that is called so in the history."""
        identity = Identity(CLIENT, self._certificates) if self.shape.secure else None
        return Client(self.addresses, identity, name, timeout, chance)

    @property
    def leader(self) -> ServerId | None:
        """Of those that run and say they lead, the one of the latest term."""
        leading = [process for process in self.processes.values() if process.is_leader and process.is_running]
        latest = max(leading, key=lambda process: process.term, default=None)
        return None if latest is None else latest.name

    @property
    def term(self) -> int:
        """The latest that anybody has led."""
        return max(self.leaders, default=0)

    async def until_leader(
        self, among: Iterable[ServerId], seconds: float = 4.0, after: int = 0
    ) -> ServerId | None:
        """One of them that leads a term after that one, as soon as there is one; None if there is none in time."""
        among = set(among)

        def leads() -> bool:
            leader = self.leader
            return leader in among and self.processes[leader].term > after

        return self.leader if await self.until(leads, seconds) else None

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds, or so long; whether it holds."""
        give_up_at = now() + seconds
        while not holds():
            if now() > give_up_at:
                return False
            await asyncio.sleep(LOOK / 2)
        return True

    async def until_up(self, names: Iterable[ServerId]) -> None:
        """Wait until they listen."""
        give_up_at = now() + SECONDS_TO_START
        for name in names:
            while self.processes[name].address is None and not self.failed.is_set():
                if now() > give_up_at:
                    self.find(f"{name} did not start in {SECONDS_TO_START:g} s; see {self.processes[name].log}")
                await asyncio.sleep(LOOK)

    # What can be done -------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A line for whoever looks into a failure."""
        deed = Deed(self.elapsed, text)
        self.deeds.append(deed)
        with (self.folder / DEEDS).open("a", encoding="utf-8") as file:
            file.write(f"{deed.at / 1e9:9.3f}  {deed.text}\n")

    def find(self, text: str) -> None:
        """Something that must not happen has."""
        self.note(f"FOUND {text}")
        self.findings.append(text)
        self.failed.set()

    def kill(self, *names: ServerId) -> None:
        if names:
            self.note(f"kill -9 {' '.join(names)}")
        for name in names:
            self.counts["kills"] += self.processes[name].is_running
            self.processes[name].kill()
            self._look_at_news(self.processes[name])
            self.processes[name].ended()

    def restart(self, *names: ServerId) -> None:
        """Start those that do not run."""
        for name in names:
            if not self.processes[name].is_running:
                self.note(f"start {name}")
                self.counts["restarts"] += 1
                if not self.processes[name].ailment.exists():
                    self._sick.discard(name)
                self._start(self.processes[name])

    def pause(self, name: ServerId) -> None:
        self.note(f"stop {name}")
        self.counts["stops"] += 1
        self.processes[name].pause()

    def go_on(self, name: ServerId) -> None:
        self.note(f"continue {name}")
        self.processes[name].go_on()

    def ail(self, name: ServerId, ailment: str) -> None:
        self.note(f"the disk of {name} is {ailment}")
        self.counts["bad disks"] += 1
        self._sick.add(name)
        self.processes[name].ailment.write_text(ailment, encoding="utf-8")

    def cure(self) -> None:
        """All disks are well. Who has met a bad one may still end because of it."""
        for process in self.processes.values():
            process.ailment.unlink(missing_ok=True)

    def partition(self, *sides: Iterable[ServerId], state: State = State.CUT) -> None:
        """Those of one side are apart from those of the others, in both directions."""
        side_of = {name: number for number, side in enumerate(sides) for name in side}
        self.note(f"{state.value}: {' | '.join(' '.join(sorted(side)) for side in map(tuple, sides))}")
        self.counts["partitions"] += 1
        for (here, there), passage in self._peers.items():
            passage.put(state if side_of.get(here) != side_of.get(there) else State.OPEN)

    def put(self, here: ServerId, there: ServerId, state: State) -> None:
        """One direction only."""
        self._peers[here, there].put(state)

    def put_between(self, here: Sequence[ServerId], there: Sequence[ServerId], state: State) -> None:
        """Both directions."""
        self.note(f"{state.value}: {' '.join(here)} | {' '.join(there)}")
        for one in here:
            for other in there:
                self.put(one, other, state)
                self.put(other, one, state)

    def slow(self, seconds: float, *senders: ServerId) -> None:
        """What servers, or only these, send to each other takes so much longer, each chunk."""
        for (here, _), passage in self._peers.items():
            if not senders or here in senders:
                passage.delay = seconds

    def hide(self, name: ServerId, state: State) -> None:
        """What happens between clients and this server."""
        self._clients[name].put(state)

    def drop(self, clients: bool) -> None:
        """End the connections of clients, or those between servers."""
        self.counts["drops"] += 1
        for passage in self._clients.values() if clients else self._peers.values():
            passage.drop()

    def heal(self) -> None:
        """All passages are open, all disks well, all processes run and go on."""
        for passage in (*self._peers.values(), *self._clients.values()):
            passage.put(State.OPEN)
            passage.delay = 0.0
        for name, process in self.processes.items():
            if process.paused:
                self.go_on(name)
        self.cure()
        self.restart(*self.names)
        self.note("healed")

    # Watching ---------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        looked = nanoseconds()
        while True:
            for name, process in self.processes.items():
                self._look_at_news(process)
                if process.is_watched and not process.is_running:
                    self._look_at_news(process)
                    self._look_at_end(name, process)
            if self.leader is None:
                self.leaderless += nanoseconds() - looked
            looked = nanoseconds()
            await asyncio.sleep(LOOK)

    def _look_at_news(self, process: ServerProcess) -> None:
        for event in process.news():
            self._judge(process.name, event)

    def _judge(self, name: ServerId, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "role" if event["role"] == "leader":
                term = int(event["term"])
                self.note(f"{name} leads term {term}")
                self.counts["elections"] += 1
                other = self.leaders.setdefault(term, name)
                if other != name:
                    self.find(f"two leaders in term {term}: {other} and {name}")
            case "protocol_violation":
                self.find(f"{name} was sent what no correct server sends: {event.get('error')}")
            case "disk":
                self.note(f"{name} ends: {event.get('error')}")
            case "text":
                self.note(f"{name} says: {event['text'][:200]}")
            case _ if "traceback" in event:
                self.find(f"{name} has a bug: {event['traceback'][-500:]}")

    def _look_at_end(self, name: ServerId, process: ServerProcess) -> None:
        code = process.exit_code
        process.ended()
        if code == Exit.IO_ERROR and name in self._sick:
            self.counts["ended by its disk"] += 1
            asyncio.get_running_loop().call_later(SECONDS_BEFORE_RESTART, self._start_again, name)
        else:
            self.find(f"{name} ended by itself with exit code {code}; see {process.log}")

    def _start_again(self, name: ServerId) -> None:
        if self.watching is not None and not self.watching.done():
            self.restart(name)
