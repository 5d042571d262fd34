"""The symbolic engine: a System as Boolean circuits, searched and enumerated by z3's SAT solver.

The layers, bottom up: ``circuit`` (gates, folded and shared before z3 sees them), ``values`` and ``layout`` (a spec's
values as trees of bits), ``expressions`` and ``statements`` (the IR's meaning), ``network`` and ``storage`` (the system
actions), ``transition`` (one step), ``solve`` (z3), ``unroll``, ``decode``, ``check`` and ``enumerate``. Importing this
package imports no z3; creating a :class:`checker.symbolic.solve.Solver` does.
"""
