"""What emitted transitions and their callers agree on: the words of a context, and what a function returns."""

from __future__ import annotations

OUT, LABEL, CUTS, COUNTERS = range(4)
"""Words of a context: where the next record goes, the label that failed, how often something was cut in all, and from
``COUNTERS`` on how often each numbered cut did."""

ERROR, OVERFLOW = 2, 16
"""What a function returns: 0, ``ERROR``, or ``OVERFLOW`` plus the number of the capacity."""

SLOTS, COPIES, PENDING, SENDS = range(4)
CAPACITIES = ("slots", "copies", "pending", "sends")
"""By their numbers, the capacities of a layout that can be found too small."""
