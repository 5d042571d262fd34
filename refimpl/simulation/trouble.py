"""Misfortunes: what befalls a running cluster, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping

from refimpl.crashes import Crashes
from refimpl.entry import ServerId
from refimpl.errors import DiskError, DiskFull
from refimpl.simulated_directory import Operation
from refimpl.simulation.chance import Chance
from refimpl.simulation.clock import MILLISECOND, Clock
from refimpl.simulation.events import Downfall, FreeSpace, Heal, Restart, Strike
from refimpl.simulation.host import Host
from refimpl.simulation.invariants import Invariants
from refimpl.simulation.network import Network
from refimpl.simulation.seen import Seen, Tally
from refimpl.simulation.weather import Misfortune, Weather

DOWN = (3 * MILLISECOND, 50 * MILLISECOND, 300 * MILLISECOND)
"""Mean times that a server is down: its peers hardly notice; they elect another; they leave it far behind."""
QUICKLY = (1 * MILLISECOND,)
SHORT_REIGN = 4
"""How many messages, one after the other, a short reign is long on average: the first answers have come, not all."""
EXILE = (200 * MILLISECOND, 400 * MILLISECOND)
"""Mean lengths of the isolation of a leader whose reign was short: time for others to elect one or two."""
OUT_OF_ORDER = (50 * MILLISECOND, 200 * MILLISECOND, 400 * MILLISECOND)
"""Mean lengths of a partition, a pause, or a full disk: less than an election, about one, more than one."""


class Trouble:
    """Strikes the hosts. Methods return whether anything could happen."""

    def __init__(
        self, hosts: Mapping[ServerId, Host], network: Network, invariants: Invariants, clock: Clock, weather: Weather,
        chance: Chance, tally: Tally,
    ) -> None:  # fmt: skip
        self.weather = weather
        self._hosts = hosts
        self._network = network
        self._invariants = invariants
        self._clock = clock
        self._chance = chance
        self._tally = tally
        self._kept: dict[ServerId, tuple[int, int]] = {}
        for misfortune in weather.strikes:
            self._plan_next(misfortune)

    def strike(self, misfortune: Misfortune) -> bool:
        """Let it happen to some server, or to all; False if it is over or no server is fit for it."""
        if misfortune not in self.weather.strikes:
            return False
        self._plan_next(misfortune)
        up = [host for host in self._hosts.values() if host.node.is_up]
        if not up:
            return False
        match misfortune:
            case Misfortune.OUTAGE:
                self._tally[Seen.OUTAGE] += 1
                for host in up:
                    self._cut_power(host)
            case Misfortune.POWER_CUT:
                self._tally[Seen.POWER_CUT] += 1
                self._cut_power(self._victim(up))
            case Misfortune.KILL:
                self._tally[Seen.KILL] += 1
                self._kill(self._victim(up))
            case Misfortune.PARTITION:
                self._partition(self._victim(up))
            case Misfortune.PAUSE:
                self._tally[Seen.PAUSE] += 1
                host = self._victim(up)
                host.paused_until = self._clock.now + self._a_while(OUT_OF_ORDER)
            case Misfortune.FSYNC_ERROR:
                self._chance.one_of(up).disk.failing_sync = self._chance.between(1, 3)
            case Misfortune.FULL_DISK:
                disk = (host := self._chance.one_of(up)).disk
                # A little room, so that the disk is full in the middle of a frame.
                disk.capacity = disk.used + self._chance.between(0, 200)
                self._clock.plan(self._a_while(OUT_OF_ORDER), FreeSpace(host.name))
            case (
                Misfortune.LOSS | Misfortune.DUPLICATION | Misfortune.OVERTAKING | Misfortune.TORN_WRITE
                | Misfortune.SLOW_DISK | Misfortune.SKEWED_CLOCK | Misfortune.SPLIT_VOTE | Misfortune.SHORT_REIGN
                | Misfortune.UNTIMELY_CRASH
            ):  # fmt: skip
                raise AssertionError(f"{misfortune.value} does not strike: it lasts, or waits for its moment")
        return True

    def elected(self, host: Host) -> None:
        """A leader's log may hold what others lack until it has spoken, and old entries that it must not yet commit."""
        if self._chance.happens(self.weather.short_reigns):
            if self._chance.happens(0.5):
                self._isolate(host)  # before anyone has heard of it
            else:
                self._clock.plan(self._chance.around(SHORT_REIGN * self.weather.delay), Downfall(host.name, host.life))

    def downfall(self, host: Host) -> bool:
        """End the reign of the leader, if it does lead and times are bad."""
        if not host.leads or not self.weather.short_reigns:
            return False
        if self._chance.happens(0.5):
            self._isolate(host)
        else:
            self._tally[Seen.UNTIMELY_CRASH] += 1
            self._cut_power(host, EXILE)
        return True

    def has_promised(self, host: Host, how_much: float) -> None:
        """The server has flushed, voted or answered: a moment that is likelier than others to show what a crash must
        not undo. `how_much` is from 0 to 1."""
        if self._chance.happens(self.weather.untimely_crashes * how_much):
            self._tally[Seen.UNTIMELY_CRASH] += 1
            self._cut_power(host, QUICKLY)

    def disk_failed(self, host: Host, error: DiskError) -> None:
        """The server has stopped because its disk failed; maybe the power fails as well before it is started again."""
        self._tally[Seen.FULL_DISK if isinstance(error, DiskFull) else Seen.FSYNC_ERROR] += 1
        written = len(self._invariants.views[host.name].written)
        at_least = written
        if self._chance.happens(0.5):
            at_least = 0
            host.disk.crash(self._survivors(host))
        self._went_down(host, at_least, written)

    def restart(self, host: Host) -> bool:
        """Recover; if the disk does not let it, try again later. Raises WalDamaged."""
        try:
            host.node.restart()
        except DiskError:
            self._tally[Seen.FAILED_RESTART] += 1
            if self._chance.happens(0.5):
                # In the middle of a recovery, which has written some files anew and not others.
                self._kept[host.name] = 0, self._kept[host.name][1]
                host.disk.crash(self._survivors(host))
            self._plan_restart(host)
            return False
        self._tally[Seen.RESTART] += 1
        kept, written = self._invariants.restarted(host.node, *self._kept[host.name])
        self._tally[Seen.FRAMES_KEPT] += kept
        self._tally[Seen.FRAMES_LOST] += written - kept
        host.started()
        return True

    def end(self) -> None:
        """Nothing goes wrong from now on; who is down comes back when that is due."""
        self.weather = self.weather.calm()
        for host in self._hosts.values():
            host.disk.capacity = None
            host.disk.failing_sync = 0
            host.paused_until = self._clock.now

    def _partition(self, host: Host) -> None:
        self._tally[Seen.PARTITION] += 1
        partition = self._network.partition(host.name, tuple(self._hosts))
        self._clock.plan(self._a_while(OUT_OF_ORDER), Heal(partition))

    def _isolate(self, host: Host) -> None:
        self._tally[Seen.PARTITION] += 1
        self._clock.plan(self._a_while(EXILE), Heal(self._network.isolate(host.name, tuple(self._hosts))))

    def _cut_power(self, host: Host, down: tuple[int, ...] = DOWN) -> None:
        frames = len(host.node.unflushed_ends)
        self._tally[Seen.LEADER_CRASH] += host.leads
        self._tally[Seen.TORN_WRITE] += self.weather.torn_writes and frames > 0
        host.node.lose_power(self._survivors(host))
        self._went_down(host, 0, frames, down)

    def _survivors(self, host: Host) -> tuple[Operation, ...]:
        """What a power cut leaves of the operations that were not flushed: the first ones, or any parts of any."""
        unflushed = host.disk.unflushed
        if self.weather.torn_writes:
            crashes = Crashes(unflushed)
            return crashes[self._chance.below(crashes.count)]
        return unflushed[: self._chance.one_of((0, self._chance.between(0, len(unflushed))))]

    def _kill(self, host: Host) -> None:
        frames = len(host.node.unflushed_ends)
        self._tally[Seen.LEADER_CRASH] += host.leads
        host.node.crash(frames)
        self._went_down(host, frames, frames)

    def _went_down(self, host: Host, at_least: int, at_most: int, down: tuple[int, ...] = DOWN) -> None:
        self._kept[host.name] = at_least, at_most
        self._invariants.crashed(host.name)
        self._plan_restart(host, down)

    def _victim(self, up: list[Host]) -> Host:
        """A leader more often than others: it has the most to lose."""
        leaders = [host for host in up if host.leads]
        return self._chance.one_of(leaders if leaders and self._chance.happens(0.5) else up)

    def _plan_restart(self, host: Host, down: tuple[int, ...] = DOWN) -> None:
        self._clock.plan(self._a_while(down), Restart(host.name, host.life))

    def _a_while(self, means: tuple[int, ...]) -> int:
        return self._chance.around(self._chance.one_of(means))

    def _plan_next(self, misfortune: Misfortune) -> None:
        self._clock.plan(self._chance.around(self.weather.strikes[misfortune]), Strike(misfortune))
