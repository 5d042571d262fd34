"""A server's life, and the exit code that tells how it ended."""

from __future__ import annotations

from refimpl.errors import CannotListen, DiskError, ImpossibleRequest, WalDamaged, WalPoisoned
from refimpl.events import Events
from refimpl.exits import Exit
from refimpl.server import Server


async def live(server: Server) -> Exit:
    """Serve until the server is stopped (DONE) or cannot go on (IO_ERROR), or cannot begin (USAGE), and log why."""
    try:
        async with server:
            await server.run()
    except (DiskError, WalDamaged, WalPoisoned) as error:
        Events(server.settings.server).error("disk", error=str(error), remedy=error.remedy, kind=type(error).__name__)
        return Exit.IO_ERROR
    except ImpossibleRequest as error:
        Events(server.settings.server).error("cannot_start", error=str(error), remedy=error.remedy)
        return Exit.USAGE
    except CannotListen as error:
        Events(server.settings.server).error("cannot_listen", error=str(error), remedy=error.remedy)
        return Exit.IO_ERROR
    return Exit.DONE
