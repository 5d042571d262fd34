"""``python -m refimpl certificates``: an authority and certificates for a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from refimpl.certificates import DAYS, issue
from refimpl.errors import ImpossibleRequest
from refimpl.exits import Exit, Stop
from refimpl.tls import refuse_names


@click.command("certificates")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--names", default="s1,s2,s3,client", show_default=True, metavar="NAME,…", help="Servers and clients.")
def command(folder: Path, names: str) -> None:
    """Make a certificate authority in DIR, if it has none, and a certificate for each name that has none.

    Give each server and client ca.pem and its own NAME.pem and NAME.key, and nobody ca.key, which can make more.
    """
    wanted = [name for name in names.split(",") if name]
    if not wanted:
        raise click.UsageError("--names names nobody")
    try:
        refuse_names(*wanted)
        made = issue(folder, wanted)
    except (ImpossibleRequest, ValueError) as error:  # ValueError: ca.pem or ca.key is none
        raise Stop(Exit.USAGE, str(error)) from error
    for file in made:
        click.echo(f"{file}  (valid for {DAYS} days)")
    if not made:
        click.echo("every name has its certificate already")
