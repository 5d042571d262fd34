"""``python -m refimpl delete``."""

from __future__ import annotations

from typing import Any

import click

from refimpl.address_book import AddressBook
from refimpl.client import Client
from refimpl.commands.talking import checked, cluster_options, say, talk


@click.command("delete")
@click.argument("key")
@cluster_options
def command(key: str, **options: Any) -> None:
    """Remove KEY, if it is there. Exit 0: it is gone, on a majority of disks. Exit 22: maybe, or later, or not."""
    key = checked(key)

    async def delete(client: Client, _: AddressBook) -> None:
        await client.delete(key)

    talk(delete, options)
    say("done", options["as_json"], outcome="done", key=key)
