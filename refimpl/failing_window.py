"""The part of a history that shows why it is not linearizable, as short as it can be made.

It ends with the first answer that no order explains. It begins as late as it can while nothing is assumed about the
value before it, and every write that was still under way then may take effect in it or not; so what fails is the
window itself. Gets that it does without are left out: fewer answers are fewer conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refimpl.entry import Get
from refimpl.history import Call
from refimpl.linearizability import Limit, NotLinearizable, linearize
from refimpl.sequential import Unseen, Value

SHORT = Limit(configurations=5_000, seconds=1.0)
"""For one window of many that are tried: one that takes longer is not short."""


LONG = 100
"""Calls. A longer window is hardly made easier to read by leaving Gets out, one after the other."""


@dataclass(frozen=True, slots=True)
class FailingWindow:
    """Calls that no order explains, whatever the key held before and whichever of `under_way` took effect in them.

    `from_the_start`: they do rely on the key's absence at the beginning of the history.
    """

    calls: tuple[Call, ...]
    under_way: tuple[Call, ...] = ()
    from_the_start: bool = False

    def fails(self, limit: Limit) -> bool:
        """Whether it is still seen to fail; False also if the search gives up."""
        start: Value = None if self.from_the_start else Unseen()
        return isinstance(linearize((*self.under_way, *self.calls), start, limit), NotLinearizable)


def failing_window(calls: Sequence[Call], limit: Limit | None = None) -> FailingWindow:
    """A window of the calls of one key, which are known not to be linearizable."""
    limit = limit or Limit()
    history = _first_failing_prefix(sorted(calls, key=lambda call: call.invoked), limit)
    return _without_needless_gets(_latest_begin(history))


def _prefix(history: Sequence[Call], end: int) -> tuple[Call, ...]:
    """What was known at the moment `end`."""
    return tuple(
        call if call.returned is not None and call.returned <= end else replace(call, returned=None, response=None)
        for call in history
        if call.invoked <= end
    )


def _first_failing_prefix(history: Sequence[Call], limit: Limit) -> tuple[Call, ...]:
    ends = sorted({call.returned for call in history if call.returned is not None})
    low, high = 0, len(ends) - 1  # the prefix that ends at ends[high] fails, as every longer one
    while low < high:
        middle = (low + high) // 2
        if FailingWindow(_prefix(history, ends[middle]), from_the_start=True).fails(limit):
            high = middle
        else:
            low = middle + 1
    return _prefix(history, ends[high])


def _latest_begin(history: tuple[Call, ...]) -> FailingWindow:
    # From the end, because short windows are decided in no time.
    passes, length = 0, 1
    while length < len(history) and not last_calls(history, length).fails(SHORT):
        passes, length = length, 2 * length
    fails = min(length, len(history))
    while passes + 1 < fails:
        middle = (passes + fails) // 2
        if last_calls(history, middle).fails(SHORT):
            fails = middle
        else:
            passes = middle
    return last_calls(history, fails)


def last_calls(history: tuple[Call, ...], length: int) -> FailingWindow:
    """The last so many calls, with what was under way when the first of them was invoked.

    If it fails, so does the whole history.
    """
    before, calls = history[: len(history) - length], history[len(history) - length :]
    if not before:
        return FailingWindow(calls, from_the_start=True)
    begin = calls[0].invoked
    return FailingWindow(
        calls,
        # Perhaps it took effect before the window, and is a part of the value there: then it does not in the window.
        tuple(
            replace(call, returned=None)
            for call in before
            if not isinstance(call.operation, Get) and (call.returned is None or call.returned >= begin)
        ),
    )


def _without_needless_gets(window: FailingWindow) -> FailingWindow:
    if len(window.calls) > LONG:
        return window
    unanswered = {call for call in window.calls if call.returned is None and isinstance(call.operation, Get)}
    window = replace(window, calls=tuple(call for call in window.calls if call not in unanswered))
    for call in window.calls:
        if isinstance(call.operation, Get):
            without = replace(window, calls=tuple(other for other in window.calls if other is not call))
            if without.fails(SHORT):
                window = without
    if not window.from_the_start:
        return window
    # With the gets gone it may be that the beginning no longer matters.
    alone = replace(window, from_the_start=False)
    return alone if alone.fails(SHORT) else window
