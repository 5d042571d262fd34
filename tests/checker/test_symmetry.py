"""Which sets may be permuted: those declared symmetric, unless something in the system tells their elements apart."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from checker.explicit.symmetry import symmetry_of
from spec.sorts import AtomSort, EnumSort
from spec.system import System
from spec.type_walk import rebuilt
from tests.checker.symbolic_systems import of_text, shipped_system
from tests.checker.symmetric_systems import zoo

VOTES = """
const Node:  set symmetric
const Value: set symmetric
enum Colour = Red | Green

process Node:
    volatile held:  optional[Value] = none
    volatile count: 0..3 = 0
    volatile seen:  seq[Node, 2] = []
    volatile colour: Colour = Red
    action take(value: Value):
        held := value
        for n in Node:
            count := count + 1

model m:
    Node = {{{nodes}}}
    Value = {{v, w}}
{more}
"""


def votes(more: str = "", nodes: str = "a, b, c") -> System:
    return of_text(VOTES.format(nodes=nodes, more="".join(f"    {line}\n" for line in more.splitlines())))


def permuted(system: System) -> list[str]:
    return [sort.name for sort in symmetry_of(system).sets]


def test_symmetric_sets_are_permuted() -> None:
    symmetry = symmetry_of(votes())
    assert [sort.name for sort in symmetry.sets] == ["Node", "Value"]
    assert str(symmetry) == "up to symmetry of Node and Value: 12 permutations"
    assert symmetry.elements == ("a", "b", "c", "v", "w")


def test_permutations_are_numbered_in_lexicographic_order() -> None:
    renamings = symmetry_of(votes()).renamings()
    assert renamings[0] == {element: element for element in "abcvw"}
    expected = [(*nodes, *values) for nodes in permutations("abc") for values in permutations("vw")]
    assert [tuple(names[element] for element in "abcvw") for names in renamings] == expected


def test_set_that_is_not_declared_symmetric_is_not_permuted() -> None:
    assert permuted(shipped_system("ongaro", "one_entry")) == ["Server"]
    assert not symmetry_of(shipped_system("diehard", "puzzle"))


def test_sort_of_processes_of_several_kinds_is_no_set_of_its_own() -> None:
    assert permuted(zoo()) == ["Node", "Value"]


def test_only_element_of_a_set_has_nothing_to_change_places_with() -> None:
    assert permuted(votes(nodes="a")) == ["Value"]


def test_set_with_a_named_element_is_not_permuted_and_the_others_are() -> None:
    symmetry = symmetry_of(votes("constraint only_a: a.held == none or b.held == none"))
    assert str(symmetry) == ("up to symmetry of Value: 2 permutations; Node is not permuted: constraint only_a names a")


@pytest.mark.parametrize("expr", ["forall n in Node: n.held == none", "size(Node - {}) == 3"])
def test_whole_set_may_be_named(expr: str) -> None:
    assert permuted(votes(f"constraint quiet: {expr}")) == ["Node", "Value"]


def test_some_of_the_set_may_not_be_named() -> None:
    symmetry = symmetry_of(votes("constraint some: exists n in {a, b}: n.held == none"))
    assert symmetry.refused == ("Node is not permuted: constraint some names a",)


def test_too_many_permutations_are_not_tried() -> None:
    symmetry = symmetry_of(votes(nodes="a, b, c, d, e, f, g"))
    assert [sort.name for sort in symmetry.sets] == ["Value"]
    assert symmetry.refused == ("Node is not permuted: there would be 5,040 permutations (at most 720)",)


def test_largest_set_is_permuted_where_not_all_can_be() -> None:
    symmetry = symmetry_of(votes(nodes="a, b, c, d, e, f"))
    assert [sort.name for sort in symmetry.sets] == ["Node"]
    assert symmetry.refused == ("Value is not permuted: there would be 1,440 permutations (at most 720)",)


def test_volatile_variable_that_a_crash_resets_to_another_value_in_one_process() -> None:
    system = votes()
    variables = tuple(replace(v, initial=(0, 0, 1)) if v.name == "count" else v for v in system.variables)
    symmetry = symmetry_of(replace(system, variables=variables))
    assert symmetry.refused == ("Node is not permuted: a crash resets count to another value in b than in others",)


def test_volatile_variable_that_a_crash_resets_to_the_process_itself() -> None:
    system = votes()
    variables = tuple(replace(v, initial=(("a",), ("b",), ("c",))) if v.name == "seen" else v for v in system.variables)
    assert permuted(replace(system, variables=variables)) == ["Node", "Value"]


def declared_symmetric(system: System, *names: str) -> System:
    """The system with sets made symmetric behind the type checker's back."""

    def change(node: Any) -> Any:
        return replace(node, symmetric=True) if isinstance(node, AtomSort) and node.name in names else node

    changed: System = rebuilt(system, change)
    return changed


def test_loop_whose_rounds_do_not_commute_is_found_in_the_ir() -> None:
    text = VOTES.format(nodes="a, b, c", more="").replace("count := count + 1", "seen := [n]").replace("symmetric", "")
    assert permuted(declared_symmetric(of_text(text), "Value")) == ["Value"]
    symmetry = symmetry_of(declared_symmetric(of_text(text), "Node", "Value"))
    assert symmetry.refused == ("Node is not permuted: the order of a loop's rounds may matter in take",)


@pytest.mark.parametrize("shared", ["a", "v"])
def test_enum_that_has_a_member_of_the_same_name(shared: str) -> None:
    def change(node: Any) -> Any:
        return replace(node, members=(shared, "Green")) if isinstance(node, EnumSort) else node

    symmetry = symmetry_of(rebuilt(votes(), change))
    name = "Node" if shared == "a" else "Value"
    assert symmetry.refused == (f"{name} is not permuted: Colour shares {shared} with it",)
