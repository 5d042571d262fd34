"""Where the servers of a cluster listen, and how to prove to them who one is: a folder with cluster.json.

    {"servers": {"s1": "127.0.0.1:41001", "s2": "127.0.0.1:41002"}, "certificates": "certificates"}

The folder of certificates is relative to the file's; null for a cluster without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from refimpl.dialling import Address
from refimpl.entry import ServerId
from refimpl.errors import ImpossibleRequest
from refimpl.tls import Identity

FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The servers, and the folder of certificates, None where nobody has any."""

    servers: Mapping[ServerId, Address]
    certificates: Path | None

    @staticmethod
    def read(folder: Path) -> AddressBook:
        """From a cluster's folder. Raises ImpossibleRequest for a file that is none, OSError."""
        try:
            file = msgspec.json.decode((folder / FILE).read_bytes(), type=_File)
        except FileNotFoundError as error:
            raise ImpossibleRequest(
                f"no {FILE} in {folder.absolute()}",
                "the folder of a cluster",
                "start one: python -m refimpl cluster DIR",
            ) from error
        except msgspec.DecodeError as error:
            raise ImpossibleRequest(
                f"{folder / FILE}: {error}", "the file that `python -m refimpl cluster` writes", "remove it or mend it"
            ) from error
        servers = {server: Address.parse(address) for server, address in file.servers.items()}
        return AddressBook(servers, None if file.certificates is None else folder / file.certificates)

    def write(self, folder: Path) -> None:
        """Into the cluster's folder. Raises OSError."""
        certificates = None if self.certificates is None else str(self.certificates.relative_to(folder))
        file = _File({server: str(address) for server, address in self.servers.items()}, certificates)
        (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(file)) + b"\n")

    def identity(self, name: str) -> Identity | None:
        """Who one is with this name."""
        return None if self.certificates is None else Identity(name, self.certificates)


def parse_servers(text: str) -> dict[ServerId, Address]:
    """From NAME=HOST:PORT,NAME=HOST:PORT,… Raises ImpossibleRequest."""
    servers: dict[ServerId, Address] = {}
    for part in filter(None, text.split(",")):
        name, equals, address = part.partition("=")
        if not equals or not name or name in servers:
            raise ImpossibleRequest(
                f"servers {text!r}", "NAME=HOST:PORT,…, each name once", "correct the part " + repr(part)
            )
        servers[ServerId(name)] = Address.parse(address)
    return servers


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    servers: dict[ServerId, str]
    certificates: str | None
