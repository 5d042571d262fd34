"""A simulated cluster: servers, clients, network and misfortunes on one clock, checked after every step."""

from __future__ import annotations

from refimpl.entry import ClientId, ServerId
from refimpl.errors import DiskError, RefimplError
from refimpl.faults import Fault
from refimpl.interface import Config
from refimpl.messages import ClientResponse, Message, ReadResponse
from refimpl.simulation.chance import Chance
from refimpl.simulation.client import Client
from refimpl.simulation.clock import Clock
from refimpl.simulation.events import (
    Answer,
    Apply,
    Arrival,
    ClientTurn,
    Downfall,
    ElectionTimer,
    Event,
    Fate,
    FreeSpace,
    Fsync,
    Heal,
    Heartbeat,
    HostEvent,
    Restart,
    Strike,
)
from refimpl.simulation.full_check import full_check
from refimpl.simulation.host import Host
from refimpl.simulation.invariants import Invariants
from refimpl.simulation.network import Network
from refimpl.simulation.properties import Property, PropertyViolated
from refimpl.simulation.recorder import Recorder
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.trouble import Trouble
from refimpl.simulation.weather import Weather


class Cluster:
    """Equal seeds, round numbers, weathers and faults give equal clusters, step by step."""

    def __init__(self, seed: int, round_number: int, weather: Weather, broken: frozenset[Fault], tally: Tally) -> None:
        def chance(concern: str) -> Chance:
            return Chance(seed, round_number, concern)

        servers = tuple(ServerId(f"s{number}") for number in range(1, weather.servers + 1))
        clients = tuple(ClientId(f"c{number}") for number in range(1, weather.clients + 1))
        self.steps = 0
        self.clock = Clock()
        self.tally = tally
        self.recorder = Recorder()
        self.invariants = Invariants(servers, tally)
        self.network = Network(self.clock, weather, chance("network"), tally)
        configs = [Config(server, servers, broken, weather.max_entries) for server in servers]
        self.hosts = {
            config.server: Host(config, weather, self.clock, chance(config.server), tally) for config in configs
        }
        self.clients = {
            client: Client(
                client, servers, self._leaders, weather, self.invariants.moments, self.clock, chance(client), tally
            )
            for client in clients
        }
        self.trouble = Trouble(
            self.hosts, self.network, self.invariants, self.clock, weather, chance("trouble"), tally
        )

    def step(self) -> None:
        """Take the next event that applies. Raises PropertyViolated."""
        while True:
            event = self.clock.next()
            host = self._host_of(event)
            if host is not None and host.paused_until > self.clock.now and not isinstance(event, Fate):
                self.clock.plan(host.paused_until - self.clock.now, event)
                continue
            try:
                if self._take(event, host):
                    break
            except (AssertionError, RefimplError) as error:
                if isinstance(error, PropertyViolated):
                    broken = error
                else:
                    broken = PropertyViolated(Property.NO_ALARM, f"{type(error).__name__}: {error}")
                self._record(event, host)
                raise broken from error
        self._record(event, host)

    def check(self) -> None:
        """Compare everything with everything. Raises CheckersDisagree."""
        self.tally[Seen.FULL_CHECK] += 1
        full_check({server: host.node for server, host in self.hosts.items()}, self.invariants)

    def calm_down(self) -> None:
        """Nothing goes wrong any more, and clients start nothing new."""
        self.trouble.end()
        self.network.weather = self.trouble.weather
        self.network.heal_all()
        for host in self.hosts.values():
            host.weather = self.trouble.weather
        for client in self.clients.values():
            client.wants_more = False

    def unsettled(self) -> str:
        """What keeps the cluster from being converged; "" if it is."""
        for client in self.clients.values():
            if client.outstanding is not None:
                return f"{client.name} has no answer to {client.outstanding}"
        for host in self.hosts.values():
            if not host.node.is_up:
                return f"{host.name} is down"
            raft = host.node.raft
            if not raft.last_applied == raft.commit_index == raft.log.last_index or host.node.unflushed_ends:
                return f"{host.name} has not committed, applied and flushed all of its log"
        rafts = [host.node.raft for host in self.hosts.values()]
        if len({(raft.current_term, raft.log.last_index, raft.log.last_term) for raft in rafts}) > 1:
            return "the servers' terms or logs differ"
        if not any(host.leads for host in self.hosts.values()):
            return "there is no leader"
        return ""

    def hash(self) -> str:
        """The hash of all that has happened; to be asked once, at the end."""
        for host in self.hosts.values():
            for _, contents in host.disk.contents:
                self.recorder.file(contents)
        return self.recorder.hash

    def _leaders(self) -> tuple[ServerId, ...]:
        return tuple(server for server, host in self.hosts.items() if host.leads)

    def _record(self, event: Event, host: Host | None) -> None:
        self.steps += 1
        self.recorder.step(self.steps, self.clock.now, event, host)

    def _host_of(self, event: Event) -> Host | None:
        match event:
            case Arrival(message):
                return self.hosts.get(ServerId(message.destination))
            case ClientTurn() | Strike() | Heal():
                return None
            case ElectionTimer() | Heartbeat() | Fsync() | Apply() | Answer() | Downfall() | Restart() | FreeSpace():
                return self.hosts[event.server]

    def _take(self, event: Event, host: Host | None) -> bool:
        """Let the event happen; False if it does not apply any more."""
        match event:
            case ClientTurn(client):
                request = self.clients[client].turn(event)
                if request is not None:
                    self.network.send(request)
                return request is not None
            case Strike(misfortune):
                return self.trouble.strike(misfortune)
            case Heal(partition):
                return self.network.heal(partition)
            case Arrival(ClientResponse() | ReadResponse() as response):
                return self.clients[response.destination].receive(response)
            case Arrival(message) if self.network.is_cut(message):
                self.tally[Seen.CUT] += 1
                return False
            case Arrival():
                assert host is not None
                return host.node.is_up and self._run(event, host)
            case Downfall(server, life):
                host = self.hosts[server]
                return host.life == life and self.trouble.downfall(host)
            case Restart(server, life):
                host = self.hosts[server]
                return host.life == life and self.trouble.restart(host)
            case FreeSpace(server):
                self.hosts[server].disk.capacity = None
                return True
            case ElectionTimer() | Heartbeat() | Fsync() | Apply() | Answer():
                host = self.hosts[event.server]
                return host.node.is_up and host.life == event.life and self._run(event, host)

    def _run(self, event: HostEvent, host: Host) -> bool:
        """Let a server that is up do what is due, look at what it did, and send what it says."""
        led, term = host.leads, self.invariants.views[host.name].flushed.current_term
        try:
            sent = self._perform(event, host)
        except DiskError as error:
            self.trouble.disk_failed(host, error)
            return True
        if sent is None:
            return False
        self.invariants.stepped(host.node)
        for message in sent:
            if isinstance(message, ClientResponse):
                self.invariants.answers(message.destination, message.serial)
            self.network.send(message)
        if host.leads and not led:
            self.trouble.elected(host)
        if isinstance(event, Answer):
            self.trouble.has_promised(host, 1.0)
        elif isinstance(event, Fsync):
            voted = self.invariants.views[host.name].flushed.current_term > term
            self.trouble.has_promised(host, 1.0 if voted else 0.1)
        return True

    def _perform(self, event: HostEvent, host: Host) -> tuple[Message, ...] | None:
        match event:
            case Arrival(message):
                assert not isinstance(message, ClientResponse | ReadResponse), "a server does not receive answers"
                return host.receive(message)
            case ElectionTimer():
                return host.election_timer()
            case Heartbeat(term=term):
                return host.heartbeat(term)
            case Apply():
                return host.apply()
            case Answer():
                return host.answer()
            case Fsync():
                frames = len(host.node.unflushed_ends)
                sent = host.fsync()
                self.tally[Seen.FSYNC] += 1
                self.tally[Seen.GROUP] += frames > 1
                self.invariants.flushed(host.name)
                return sent
