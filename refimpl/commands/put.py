"""``python -m refimpl put``."""

from __future__ import annotations

from typing import Any

import click

from refimpl.address_book import AddressBook
from refimpl.client import Client
from refimpl.commands.talking import checked, cluster_options, say, talk


@click.command("put")
@click.argument("key")
@click.argument("value")
@cluster_options
def command(key: str, value: str, **options: Any) -> None:
    """Set KEY to VALUE. Exit 0: it is so, once, on a majority of disks. Exit 22: it may be so now, or later, or not."""
    key, value = checked(key), checked(value)

    async def put(client: Client, _: AddressBook) -> None:
        await client.put(key, value)

    talk(put, options)
    say("done", options["as_json"], outcome="done", key=key)
