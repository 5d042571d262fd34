"""Servers as processes of this machine, and passages between its sockets."""

from __future__ import annotations

from refimpl.torture.system_passage import SystemPassage
from refimpl.torture.system_process import SystemProcess


class ThisMachine:
    """A World."""

    process = SystemProcess
    passage = SystemPassage
