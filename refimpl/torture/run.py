"""One run of torture: cluster, clients and nemeses for so many seconds, then the judgement.

A finding ends the run at once: what led to it is then the end of the story. Otherwise the cluster is healed, has to
come up and agree without further help, every key is read once more, and the servers are asked to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from random import Random

from refimpl.directory import Readable
from refimpl.entry import ServerId
from refimpl.errors import RefimplError
from refimpl.linearizability import Unknown
from refimpl.torture.cluster import Cluster, Deed, Shape
from refimpl.torture.judge import LIMIT, NoOrder, judge_answered, judge_key, judge_logs
from refimpl.torture.nemeses import torment
from refimpl.torture.workload import Workload
from refimpl.torture.world import World, now
from refimpl.wire import Status

SECONDS_TO_AGREE = 60.0
SECONDS_BETWEEN_LOGS = 15.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. Equal plans do the same things; what comes of them depends on the machine, too, unless `virtual`."""

    seconds: float
    shape: Shape
    writers: int = 8
    readers: int = 4
    virtual: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    seconds: float
    counts: dict[str, int]
    findings: int


@dataclass(slots=True)
class Report:
    """What a run has shown. `counts` are of calls and of deeds; times are in nanoseconds since its begin."""

    plan: Plan
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    no_orders: list[NoOrder] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    keys: int = 0
    longest_silence: int = 0
    leaderless: int = 0
    seconds: float = 0.0
    seconds_to_first_finding: float | None = None
    entries: int = 0
    is_whole: bool = False  # it was not cut short

    @property
    def is_violated(self) -> bool:
        return bool(self.findings or self.no_orders)


class Run:
    """One run in a folder, which must be empty. `report` is there also when the run was cut short."""

    def __init__(
        self, plan: Plan, folder: Path, world: World, show: Callable[[Progress], None] = lambda progress: None
    ) -> None:
        self.report = Report(plan)
        self._plan = plan
        self._show = show
        self._cluster = Cluster(folder, plan.shape, world)

    async def run(self) -> Report:
        """Runs to the end, or to the first finding; cancelled, it judges what clients have seen until then.

        However it ends, no process is left.
        """
        cluster = self._cluster
        try:
            await cluster.start()
            workload = Workload(
                cluster.client, self._plan.shape.seed, self._plan.writers, self._plan.readers,
                lambda: cluster.elapsed, lambda key: self._judge(key, workload),
            )  # fmt: skip
            try:
                await self._torture(workload)
                if not cluster.failed.is_set():
                    await self._come_to_an_end(workload)
                self.report.is_whole = True
            except asyncio.CancelledError:
                for key in workload.calls:
                    self._judge(key, workload)
                raise
            finally:
                self._sum_up(workload)
        finally:
            await cluster.end()
        return self.report

    async def _torture(self, workload: Workload) -> None:
        working = [
            asyncio.create_task(workload.run()),
            asyncio.create_task(self._read_along()),
            asyncio.create_task(torment(self._cluster, Random(f"{self._plan.shape.seed} nemeses"))),
        ]
        watching = self._cluster.watching
        assert watching is not None
        failing = asyncio.create_task(self._cluster.failed.wait())
        end = now() + self._plan.seconds
        try:
            while (left := end - now()) > 0 and not failing.done():
                done, _ = await asyncio.wait(
                    (failing, watching, *working), timeout=min(1.0, left), return_when="FIRST_COMPLETED"
                )
                self._show(self._progress(workload))
                for task in done & {watching, *working}:
                    task.result()  # neither ends by itself; an error of ours must not pass for a quiet run
        finally:
            for task in (failing, *working):
                task.cancel()
            await asyncio.gather(failing, *working, return_exceptions=True)

    async def _come_to_an_end(self, workload: Workload) -> None:
        cluster = self._cluster
        cluster.note("- the end")
        cluster.heal()
        await cluster.until_up(cluster.names)
        if not await self._agree():
            cluster.find(f"the servers, all up, did not agree in {SECONDS_TO_AGREE:g} s without help")
        for key in await workload.read_all(SECONDS_TO_AGREE):
            cluster.find(f"nobody would tell the value of {key} after {SECONDS_TO_AGREE:g} s without disturbance")
        for key in workload.calls:
            self._judge(key, workload)
        await cluster.end_well()
        try:
            findings = judge_logs(self._directories)
            findings += judge_answered(self._directories, (call for calls in workload.calls.values() for call in calls))
        except RefimplError as error:
            findings = [f"a server's log cannot be read: {error}"]
        for finding in findings:
            cluster.find(finding)

    @property
    def _directories(self) -> dict[ServerId, Readable]:
        return {name: process.directory for name, process in self._cluster.processes.items()}

    async def _read_along(self) -> None:
        """Judge the servers' logs now and then; what is found only at the end says less of how it came to be."""
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOGS)
            # A log may be written anew while it is read, by a server that starts.
            with suppress(RefimplError):
                for finding in await asyncio.to_thread(judge_logs, self._directories):
                    self._cluster.find(finding)

    async def _agree(self) -> bool:
        """Whether they come to one leader and the same commit index, all applied, of their own accord."""
        give_up_at = now() + SECONDS_TO_AGREE
        while now() < give_up_at and not self._cluster.failed.is_set():
            states = await asyncio.gather(*(self._status(name) for name in self._cluster.names))
            known = [state for state in states if state is not None]
            if len(known) == len(states):
                leaders = {state.leader for state in known} - {None}
                marks = {(state.last_index, state.commit_index, state.last_applied) for state in known}
                if len(leaders) == 1 and len(marks) == 1 and len(set(marks.pop())) == 1:
                    self.report.entries = known[0].last_index
                    return True
            await asyncio.sleep(0.2)
        return False

    async def _status(self, name: ServerId) -> Status | None:
        async with self._cluster.client("status", 2.0, Random(f"{self._plan.shape.seed} status")) as client:
            try:
                return await client.status(name)
            except (RefimplError, OSError, TimeoutError):
                return None

    def _judge(self, key: str, workload: Workload) -> None:
        # How long a search may take by the clock is no part of a virtual run.
        seconds = inf if self._plan.virtual else LIMIT.seconds
        verdict = judge_key(key, workload.calls[key], replace(LIMIT, seconds=seconds))
        match verdict:
            case NoOrder():
                self.report.no_orders.append(verdict)
                self._cluster.find(f"no order explains what clients saw of key {key}")
            case Unknown(reason):
                self.report.unknown.append(f"key {key}: {reason}")
            case None:
                pass

    def _progress(self, workload: Workload) -> Progress:
        cluster = self._cluster
        counts = {**cluster.counts, **workload.counts}
        return Progress(cluster.elapsed / 1e9, counts, len(cluster.findings))

    def _sum_up(self, workload: Workload) -> None:
        cluster, report = self._cluster, self.report
        report.counts = {**cluster.counts, **workload.counts}
        report.findings = list(cluster.findings)
        report.deeds = cluster.deeds
        report.keys = len(workload.calls)
        report.leaderless = cluster.leaderless
        report.longest_silence = workload.longest_silence
        report.seconds = cluster.elapsed / 1e9
        found = [deed.at for deed in cluster.deeds if deed.text.startswith("FOUND")]
        report.seconds_to_first_finding = min(found) / 1e9 if found else None
