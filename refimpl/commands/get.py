"""``python -m refimpl get``."""

from __future__ import annotations

from typing import Any

import click

from refimpl.address_book import AddressBook
from refimpl.client import Client
from refimpl.commands.talking import checked, cluster_options, say, talk
from refimpl.exits import Exit


@click.command("get")
@click.argument("key")
@cluster_options
def command(key: str, **options: Any) -> int:
    """Print the value of KEY, with every write in it that was answered before (linearizable). Exit 1: there is none."""
    key = checked(key)

    async def get(client: Client, _: AddressBook) -> str | None:
        return await client.get(key)

    value = talk(get, options)
    say(value, options["as_json"], outcome="done" if value is not None else "absent", key=key, value=value)
    return Exit.DONE if value is not None else Exit.ABSENT
