"""One server as the harness sees it: started, killed, stopped, and read through its log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refimpl.dialling import Address
from refimpl.directory import Readable
from refimpl.driver import Timings
from refimpl.entry import ServerId


@dataclass(frozen=True, slots=True)
class Orders:
    """How a server is to be started, whenever it is."""

    peers: Mapping[ServerId, Address]
    seed: int
    timings: Timings
    broken: tuple[str, ...]
    lossy: bool
    certificates: Path | None


class ServerProcess(ABC):
    """It runs from `start` until its process ends; the log file goes on over all its lives."""

    def __init__(self, name: ServerId, folder: Path, orders: Orders) -> None:
        self.name = name
        self.orders = orders
        self.log = folder / f"{name}.log"
        self.ailment = folder / f"{name}.ailment"  # what ails its disk is written here (refimpl/ailing_directory.py)
        self.address: Address | None = None  # where it listens, once it has said so
        self.paused = False
        self.is_leader = False
        self.is_candidate = False
        self.term = 0  # in which it has last changed its role
        self.is_watched = False  # from its start until somebody has taken note of its end

    @abstractmethod
    def start(self, max_entries: int) -> None:
        """Start it, with so many entries a message at most."""

    @property
    @abstractmethod
    def is_running(self) -> bool: ...

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """Negative: the number of the signal; None while it runs."""

    @abstractmethod
    def kill(self) -> None:
        """kill -9, whether it runs, is stopped, or has ended."""

    @abstractmethod
    def pause(self) -> None:
        """SIGSTOP, if it runs."""

    @abstractmethod
    def go_on(self) -> None:
        """SIGCONT, if it runs."""

    @abstractmethod
    def ask_to_end(self) -> None:
        """SIGTERM, if it runs."""

    @abstractmethod
    def ended(self) -> None:
        """Note that it has ended by itself."""

    @abstractmethod
    def news(self) -> list[dict[str, Any]]:
        """What it has logged since the last time. A line that is no event has the event "text"."""

    @property
    @abstractmethod
    def directory(self) -> Readable:
        """What its disk holds."""

    def _note(self, event: Mapping[str, Any]) -> None:
        match event.get("event"):
            case "listening":
                self.address = Address.parse(event["address"])
            case "role":
                self.is_leader = event["role"] == "leader"
                self.is_candidate = event["role"] == "candidate"
                self.term = int(event["term"])

    def _forget(self) -> None:
        self.address = None
        self.is_leader = self.is_candidate = self.paused = self.is_watched = False
