"""``make bench-cluster``: writes per second and their latency, of three local servers that flush what they answer.

In one run on one disk: the reference implementation without and with TLS; etcd, if ``RAFTPROOF_ETCD`` or the PATH
names one, through its JSON gateway, without TLS; and plain loops of fsyncs, which are what flushes cost. The clients
are coroutines of this process, each with a connection of its own and one write outstanding, to the leader. They share
the processors with the servers. How much processor time the three servers take for a write is measured, too: on a busy
machine it says more than the seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from refimpl.client import Client
from refimpl.local_cluster import LocalCluster

VALUE = "v" * 100
LOOPS = (1, 3)
"""Three servers flush side by side; a file system may make a lone writer wait for company."""
WARM_UP = 1.0
PATIENCE = 30.0

Put = Callable[[str], Awaitable[None]]
Connect = Callable[[], AbstractAsyncContextManager[Put]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; seconds."""

    system: str
    clients: int
    per_second: float
    median: float
    p99: float
    processor: float | None = None
    """Of all three servers, for one write."""


@dataclass(frozen=True, slots=True)
class System:
    """Servers that run, and how to reach the leader."""

    name: str
    connect: Connect
    processes: tuple[int, ...]

    def processor_seconds(self) -> float | None:
        """What they have used so far; None where there is no /proc."""
        try:
            stats = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in self.processes]
        except FileNotFoundError:
            return None
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


# What is measured -----------------------------------------------------------------------------------------------------


async def drive(system: System, clients: int, seconds: float) -> Row:
    """Let so many clients write for so long."""
    latencies: list[float] = []
    answers = 0

    async def work(number: int, put: Put) -> None:
        begin = time.perf_counter() + WARM_UP
        while (sent := time.perf_counter()) < begin + seconds:
            await put(f"key {number}")
            nonlocal answers
            answers += 1
            answered = time.perf_counter()
            if begin <= sent and answered < begin + seconds:
                latencies.append(answered - sent)

    async with AsyncExitStack() as connections:
        await (await connections.enter_async_context(system.connect()))("the first waits for a leader")
        puts = [await connections.enter_async_context(system.connect()) for _ in range(clients)]
        before = system.processor_seconds()
        await asyncio.gather(*(work(number, put) for number, put in enumerate(puts)))
        after = system.processor_seconds()
    measured = row(system.name, clients, latencies, seconds)
    return measured if before is None or after is None else replace(measured, processor=(after - before) / answers)


def fsyncs(folder: Path, loops: int, seconds: float) -> Row:
    """Append as many bytes as a write takes, and flush, again and again: each loop a thread with a file of its own."""

    def loop(number: int) -> list[float]:
        latencies = []
        file = os.open(folder / f"fsyncs {number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            end = time.perf_counter() + seconds
            while (sent := time.perf_counter()) < end:
                os.write(file, VALUE.encode() * 2)
                os.fsync(file)
                latencies.append(time.perf_counter() - sent)
        finally:
            os.close(file)
        return latencies

    with ThreadPoolExecutor(loops) as threads:
        latencies = [latency for found in threads.map(loop, range(loops)) for latency in found]
    return row("loops of fsyncs", loops, latencies, seconds)


def row(system: str, clients: int, latencies: list[float], seconds: float) -> Row:
    if len(latencies) < 2:
        raise click.ClickException(f"{system}, {clients} clients: {len(latencies)} writes in {seconds:g} s")
    p99 = statistics.quantiles(latencies, n=100)[98]
    return Row(system, clients, len(latencies) / seconds, statistics.median(latencies), p99)


# Ours -----------------------------------------------------------------------------------------------------------------


@contextmanager
def refimpl(name: str, folder: Path, secure: bool) -> Iterator[System]:
    with LocalCluster(folder, ("s1", "s2", "s3"), secure) as cluster:
        cluster.start_all()
        book = cluster.book

        @asynccontextmanager
        async def connect() -> AsyncIterator[Put]:
            async with Client(book.servers, book.identity("client"), timeout=PATIENCE) as client:
                yield lambda key: client.put(key, VALUE)

        yield System(name, connect, tuple(process.pid for process in cluster.processes.values()))


# etcd -----------------------------------------------------------------------------------------------------------------


@contextmanager
def etcd(program: str, folder: Path) -> Iterator[System]:
    ports = free_ports(6)
    clients, peers = ports[:3], ports[3:]
    names = ("e1", "e2", "e3")
    members = ",".join(f"{name}=http://127.0.0.1:{peer}" for name, peer in zip(names, peers, strict=True))
    processes = []
    try:
        for name, port, peer in zip(names, clients, peers, strict=True):
            command = [
                program, "--name", name, "--data-dir", str(folder / name), "--initial-cluster", members,
                "--listen-client-urls", f"http://127.0.0.1:{port}",
                "--advertise-client-urls", f"http://127.0.0.1:{port}",
                "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--log-level", "error",
            ]  # fmt: skip
            with (folder / f"{name}.log").open("ab") as log:
                processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        leader = asyncio.run(etcd_leader(clients, folder))

        @asynccontextmanager
        async def connect() -> AsyncIterator[Put]:
            async with gateway(leader) as post:

                async def put(key: str) -> None:
                    await post("/v3/kv/put", {"key": coded(key), "value": coded(VALUE)})

                yield put

        yield System("etcd", connect, tuple(process.pid for process in processes))
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def etcd_leader(ports: list[int], folder: Path) -> int:
    """The client's port of the member that leads, once there is one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        for port in ports:
            try:
                async with gateway(port) as post:
                    status = await post("/v3/maintenance/status", {})
            except (OSError, EOFError, click.ClickException):
                continue
            if status.get("leader") == status["header"]["member_id"]:  # type: ignore[index]
                return port
    raise click.ClickException(f"etcd chose no leader; its logs are in {folder}")


@asynccontextmanager
async def gateway(port: int) -> AsyncIterator[Callable[[str, object], Awaitable[dict[str, object]]]]:
    """One connection to etcd's JSON gateway, kept open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def post(path: str, body: object) -> dict[str, object]:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length:")[2].split()[0])
        text = await reader.readexactly(length)
        if not answer.startswith("http/1.1 200"):
            raise click.ClickException(f"etcd: {text.decode()}")
        return dict(json.loads(text))

    try:
        yield post
    finally:
        writer.close()


def coded(text: str) -> str:
    return b64encode(text.encode()).decode()


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


# The run --------------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="For each row.")
@click.option("--clients", default="1,16,64", show_default=True, help="How many at once, row by row.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="On the disk to measure; the default is here. What is written there is removed afterwards.",
)
def main(seconds: float, clients: str, folder: Path) -> None:
    """Measure, and print the table."""
    numbers = [int(number) for number in clients.split(",")]
    program = os.environ.get("RAFTPROOF_ETCD") or shutil.which("etcd")
    version = platform.python_version()
    print(f"{os.cpu_count()} processors, Python {version}, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-cluster-", dir=folder) as scratch:
        here = Path(scratch).resolve()
        rows += [fsyncs(here, loops, seconds) for loops in LOOPS]
        with refimpl("refimpl", here / "plain", secure=False) as system:
            rows += [asyncio.run(drive(system, number, seconds)) for number in numbers]
        with refimpl("refimpl, TLS", here / "tls", secure=True) as system:
            rows += [asyncio.run(drive(system, number, seconds)) for number in numbers]
        if program is not None:
            with etcd(program, here) as system:
                rows += [asyncio.run(drive(system, number, seconds)) for number in numbers]
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    columns = ("system", "clients or loops", "writes/s", "median ms", "p99 ms", "processor µs")
    table = Table(*columns, title=f"{seconds:g} s a row")
    for one in rows:
        processor = "" if one.processor is None else f"{one.processor * 1e6:.0f}"
        figures = (f"{one.per_second:,.0f}", f"{one.median * 1e3:.2f}", f"{one.p99 * 1e3:.2f}", processor)
        table.add_row(one.system, str(one.clients), *figures)
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    if program is None:
        print("etcd is not here: no RAFTPROOF_ETCD, and none on the PATH")


if __name__ == "__main__":
    main()
