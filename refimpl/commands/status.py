"""``python -m refimpl status``."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from refimpl.address_book import AddressBook
from refimpl.client import Client
from refimpl.commands.talking import cluster_options, say, talk
from refimpl.entry import ServerId
from refimpl.errors import RefimplError
from refimpl.exits import Exit
from refimpl.wire import Status


@click.command("status")
@cluster_options
def command(**options: Any) -> int:
    """Ask every server how it sees itself. Exit 22 if none answers, 0 if any does, with a leader or without."""

    async def ask(_: Client, book: AddressBook) -> dict[ServerId, Status | str]:
        async def one(server: ServerId) -> Status | str:
            async with Client(book.servers, book.identity(options["name"]), options["name"], options["timeout"]) as own:
                try:
                    return await own.status(server)
                except (RefimplError, OSError, TimeoutError) as error:
                    return str(error) or "no answer in time"

        answers = await asyncio.gather(*(one(server) for server in book.servers))
        return dict(zip(book.servers, answers, strict=True))

    found = talk(ask, options)
    say("\n".join(_line(server, status) for server, status in found.items()), options["as_json"], servers=found)
    return Exit.DONE if any(isinstance(status, Status) for status in found.values()) else Exit.UNKNOWN


def _line(server: ServerId, status: Status | str) -> str:
    if isinstance(status, str):
        return f"{server}  unreachable: {status}"
    return (
        f"{server}  {status.role:<9}  term {status.term}  leader {status.leader or 'unknown'}  "
        f"log {status.last_index}  committed {status.commit_index}  applied {status.last_applied}"
    )
