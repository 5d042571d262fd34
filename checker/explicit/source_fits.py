"""What can be told of a value before it is computed: that it is a constant, or that it fits a sort.

Stored values and the fields of messages fit their sorts, since what does not is never stored or sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from checker.explicit.source_frame import Bound
from spec import system as ir
from spec.sorts import AtomSort, BoolSort, EnumSort, MapSort, MessageSort, OptionalSort, Sort
from spec.system import UnaryOperator
from spec.values import cached_domain, contains


def fits(node: ir.Expr, sort: Sort, local: Mapping[str, Bound]) -> bool:
    """Whether the value is one of the sort, as far as the form of the expression tells."""
    match sort:
        case BoolSort():
            return True
        case AtomSort(_, elements):
            return isinstance(node.sort, AtomSort) and set(node.sort.elements) <= set(elements)
        case EnumSort():
            return node.sort == sort
    constant = folded(node)
    if constant is not None:
        return contains(sort, constant.value)
    if isinstance(node, ir.Local) and local[node.name].values is not None:
        return all(contains(sort, value) for value in local[node.name].values or ())
    return node.sort == sort and _is_stored(node, local)


def _is_stored(node: ir.Expr, local: Mapping[str, Bound]) -> bool:
    """Whether the value is known to be of the expression's own sort."""
    match node:
        case ir.Read():
            return True
        case ir.Checked(_, sort):
            return sort == node.sort
        case ir.Local(name, sort):
            return local[name].sure or isinstance(sort, MessageSort)
        case ir.Field(of):
            return _is_stored(of, local)
        case ir.Index(of):
            return _is_stored(of, local)
        case ir.Wrap(of, OptionalSort(sort)):
            return fits(of, sort, local)
        case ir.Unary(UnaryOperator.UNWRAP, of):
            return _is_stored(of, local)
        case _:
            return False


def folded(node: ir.Expr) -> ir.Literal | None:
    """The constant that the expression is, if it is one that names nothing."""
    match node:
        case ir.Literal():
            return node
        case ir.Wrap(of, sort):
            constant = folded(of)
            return None if constant is None else ir.Literal(constant.value, sort)
        case ir.MakeMap(_, value, MapSort(key) as sort):
            constant = folded(value)
            return None if constant is None else ir.Literal((constant.value,) * len(cached_domain(key)), sort)
        case ir.MakeSeq(elements, sort) | ir.MakeRecord(elements, sort):
            values = _all_folded(elements)
            return None if values is None else ir.Literal(values, sort)
        case ir.MakeSet(elements, sort):
            values = _all_folded(elements)
            return None if values is None else ir.Literal(frozenset(values), sort)
        case _:
            return None


def _all_folded(nodes: tuple[ir.Expr, ...]) -> tuple[object, ...] | None:
    found = [folded(node) for node in nodes]
    return tuple(constant.value for constant in found if constant is not None) if all(found) else None
