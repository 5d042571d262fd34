"""What a server tells its operator: one JSON object a line, by the standard library's logging.

    {"time": "2026-11-27T07:00:00.123Z", "level": "info", "server": "s1", "event": "role", "role": "leader", "term": 3}
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import msgspec

LOGGER = logging.getLogger("refimpl")


class Events:
    """The log of one server; each event has a name for machines to look for, and fields."""

    def __init__(self, server: str) -> None:
        self._server = server

    def info(self, event: str, **fields: object) -> None:
        """Something that belongs to a normal life."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something from outside that was refused."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something for which a person is needed."""
        self._log(logging.ERROR, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        LOGGER.log(level, event, extra={"fields": {"server": self._server, "event": event, **fields}})


class JsonLines(logging.Formatter):
    """Any log record as one line of JSON; records of other libraries have their text as the event."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, object] = {"time": time, "level": record.levelname.lower()}
        line |= getattr(record, "fields", None) or {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeEncodeError:  # a path that is no UTF-8, say: a line that reads oddly is better than none
            return json.dumps(line, default=str)


def log_to_standard_error() -> None:
    """Send the process's log there, all of it in this form."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
