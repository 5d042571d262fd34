"""Whether what clients see is linearizable: each operation takes effect at one moment while it is under way (§6.4).

The committed log is an order of all writes, so a moment is a position in it: a command's is that of its first entry, a
read's lies behind an entry after which the key had the value that was read. An operation that began after another had
ended must not have an earlier position. Of several that fit a read the first is taken: it leaves most to those that
come later, so if it does not fit, none does.
"""

from __future__ import annotations

from refimpl.entry import ClientId, Index, Serial
from refimpl.simulation.model import Model
from refimpl.simulation.properties import Property, PropertyViolated


class Moments:
    """Told of the beginning and end of every operation, as its client knows them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._ended_at = Index(0)
        self._not_before: dict[ClientId, Index] = {}

    def begins(self, client: ClientId) -> None:
        """The client starts an operation; its retries are the same operation."""
        self._not_before[client] = self._ended_at

    def command_ends(self, client: ClientId, serial: Serial) -> None:
        """The client has the answer. Raises PropertyViolated."""
        index = self._model.first_index[client, serial]
        if index <= self._not_before[client]:
            raise PropertyViolated(
                Property.LINEARIZABLE,
                f"command {serial} of {client} is entry {index}; when it began, others had ended that are behind it",
            )
        self._ended_at = max(self._ended_at, index)

    def read_ends(self, client: ClientId, key: str, value: str | None) -> None:
        """The client has the value, None if there is none. Raises PropertyViolated."""
        not_before = self._not_before[client]
        index = self._model.first_with(key, value, not_before)
        if index is None:
            then = self._model.value_at(key, not_before)
            raise PropertyViolated(
                Property.LINEARIZABLE,
                f"{client} read {key} as {value!r}, which it was at no time since entry {not_before}, the last "
                f"that an ended operation knew of when the read began; then it was {then!r}",
            )
        self._ended_at = max(self._ended_at, index)
