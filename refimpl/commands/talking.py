"""What the client's commands share: whom to talk to, how long to wait, how an outcome is said."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from refimpl.address_book import AddressBook, parse_servers
from refimpl.client import Client, NoAnswer, Rejected, Unreachable
from refimpl.errors import ConnectionRefused, ImpossibleRequest, MalformedMessage
from refimpl.exits import Exit, Stop
from refimpl.resolving import Forsaken
from traces.seconds import Seconds

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


def cluster_options(command: Command) -> Command:
    """Whom to talk to, and how."""
    for option in reversed(
        (
            click.option(
                "--cluster",
                envvar="REFIMPL_CLUSTER",
                type=click.Path(file_okay=False, path_type=Path),
                help="Folder of a cluster, with cluster.json; REFIMPL_CLUSTER names it, too.",
            ),
            click.option("--servers", metavar="NAME=HOST:PORT,…", help="The servers, if there is no such folder."),
            click.option(
                "--certificates",
                type=click.Path(file_okay=False, exists=True, path_type=Path),
                help="With --servers: folder with ca.pem, NAME.pem and NAME.key.",
            ),
            click.option("--insecure", is_flag=True, help="With --servers: a cluster without certificates."),
            click.option("--name", default="client", show_default=True, help="Whose certificate to show."),
            click.option(
                "--timeout", type=Seconds(min=0.01), default=10.0, show_default=True, metavar="S",
                help="Seconds to wait for an answer.",
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def talk(work: Callable[[Client, AddressBook], Awaitable[Result]], options: Mapping[str, Any]) -> Result:
    """What the work returns; however it fails otherwise is a Stop with the code and the words for it."""
    try:
        book, name = _book(options), str(options["name"])

        async def run() -> Result:
            asyncio.get_running_loop().set_default_executor(Forsaken())
            async with Client(book.servers, book.identity(name), name, float(options["timeout"])) as client:
                return await work(client, book)

        return asyncio.run(run())
    except ImpossibleRequest as error:
        raise Stop(Exit.USAGE, str(error), outcome="usage") from error
    except NoAnswer as error:
        outcome = "unreachable" if isinstance(error, Unreachable) else "unknown"
        raise Stop(Exit.UNKNOWN, str(error), outcome=outcome) from error
    except ssl.SSLError as error:
        where = " ".join(getattr(error, "__notes__", ()))
        raise Stop(
            Exit.REFUSED,
            f"found: {error} {where}; allowed: servers with certificates of the authority in ca.pem, each with its own "
            "name; what to do: check --certificates, and the names and addresses of the servers",
            outcome="refused",
        ) from error
    except (Rejected, ConnectionRefused, MalformedMessage) as error:
        raise Stop(Exit.REFUSED, str(error), outcome="refused") from error


def checked(text: str) -> str:
    """The text, if it can be sent. Raises UsageError."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(f"{text!r} is not text in UTF-8: keys and values are") from error
    return text


def say(text: str | None, as_json: bool, **fields: object) -> None:
    """The outcome, for people or for programs."""
    if as_json:
        click.echo(msgspec.json.encode(fields).decode())
    elif text is not None:
        click.echo(text)


def _book(options: Mapping[str, Any]) -> AddressBook:
    cluster, servers, certificates = options["cluster"], options["servers"], options["certificates"]
    if servers is not None:
        if (certificates is None) != options["insecure"]:
            raise click.UsageError("with --servers, give either --certificates DIR or --insecure")
        addresses = parse_servers(servers)
        if not addresses:
            raise click.UsageError("--servers names none")
        return AddressBook(addresses, certificates)
    if cluster is None:
        raise click.UsageError("give --cluster DIR, or --servers NAME=HOST:PORT,…")
    if certificates is not None or options["insecure"]:
        raise click.UsageError("--certificates and --insecure go with --servers; the folder of --cluster says it all")
    return AddressBook.read(cluster)
