"""Notices that the other side of a connection has died without a word: a power cut, a cable, a firewall that forgets.

Nothing arrives then, not even an end. A listener would keep such connections for ever, one more for each death, and a
link would wait for the kernel, which tries for a quarter of an hour before it gives up on what it could not deliver.
"""

from __future__ import annotations

import asyncio
import socket

SECONDS_OF_SILENCE = 10
"""Before the kernel asks whether the other side is there."""
SECONDS_BETWEEN_QUESTIONS = 5
QUESTIONS = 3
SECONDS_UNDELIVERED = 10
"""Sent and not acknowledged by the other kernel; a process that is only stopped (SIGSTOP) has one that acknowledges."""


def notice_death(transport: asyncio.BaseTransport) -> None:
    """Have the kernel end this connection when the other side is gone; as far as the system can be asked to."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", SECONDS_OF_SILENCE),  # Linux, and most others
        ("TCP_KEEPALIVE", SECONDS_OF_SILENCE),  # what macOS calls it
        ("TCP_KEEPINTVL", SECONDS_BETWEEN_QUESTIONS),
        ("TCP_KEEPCNT", QUESTIONS),
        ("TCP_USER_TIMEOUT", 1000 * SECONDS_UNDELIVERED),  # Linux
    ):
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
