"""What programs on virtual machines log goes to their machines, not to this process's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from refimpl.virtual.machine import MACHINE


@contextmanager
def logs_of_machines(*names: str) -> Iterator[None]:
    """For the loggers of these names. Of the dead nothing is heard; what no machine has said is said as ever."""
    before = [(logger := logging.getLogger(name), logger.level) for name in names]
    for logger, _ in before:
        logger.setLevel(logging.INFO)
        logger.addFilter(_is_of_no_machine)
    try:
        yield
    finally:
        for logger, level in before:
            logger.removeFilter(_is_of_no_machine)
            logger.setLevel(level)


def _is_of_no_machine(record: logging.LogRecord) -> bool:
    machine = MACHINE.get()
    if machine is not None and not machine.is_dead:
        machine.log(record)
    return machine is None
