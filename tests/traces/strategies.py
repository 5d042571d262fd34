"""Random values, labels and traces."""

from __future__ import annotations

from hypothesis import strategies as st

from traces.trace import ENVELOPE, Label, Message, Trace, TraceState
from traces.values import Map, Value, order

names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
integers = st.integers(-5, 5) | st.integers(-(2**70), 2**70) | st.sampled_from([2**53 - 1, 2**53, 1 - 2**53, -(2**53)])
# True == 1 and False == 0 in Python, so a set or a map's keys cannot hold both; the language's sets are typed anyway.
atoms = st.none() | st.booleans() | integers | st.text(max_size=5)
hashable_alike = integers | st.text(max_size=4)


def _containers(children: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return (
        st.lists(children, max_size=3).map(tuple)
        | st.frozensets(hashable_alike | st.lists(hashable_alike, max_size=2).map(tuple), max_size=3)
        | st.dictionaries(
            names | st.sampled_from(["tag", "value", "#map", "class", "_x", ""]), children, max_size=3
        ).map(Map)
        | st.dictionaries(st.integers(-3, 3), children, max_size=3).map(lambda keyed: Map(dict(keyed.items())))
    )


values: st.SearchStrategy[Value] = st.recursive(atoms, _containers, max_leaves=8)
fields = names.filter(lambda name: name not in (*ENVELOPE, "process", "message"))
messages = st.builds(Message, names, names, names, st.dictionaries(fields, values, max_size=2).map(Map))
arguments = st.dictionaries(fields, values, max_size=2).map(lambda chosen: tuple(chosen.items()))
labels = st.builds(Label, names, st.none() | names, arguments, st.none() | messages)
metas = st.dictionaries(
    names.filter(lambda name: name not in ("spec", "model", "mutant", "source", "format", "index", "loop")),
    values,
    max_size=2,
).map(Map)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Up to four states over the same variables."""
    variables = draw(st.lists(names, max_size=3, unique=True))
    length = draw(st.integers(1, 4))
    states = tuple(
        TraceState(draw(labels) if number else None, Map({name: draw(values) for name in variables}), draw(metas))
        for number in range(length)
    )
    loop = draw(st.none() | st.integers(0, length - 1))
    return Trace(draw(names), draw(names), draw(st.none() | names), states, draw(metas), loop)


def exactly(value: Value) -> tuple[object, ...]:
    """Tells 1 from True, which == does not."""
    return order(value)
