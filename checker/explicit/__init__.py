"""The explicit engine: exhaustive search over states as machine words, by code compiled for one system.

``shapes`` and ``layout`` say how values and states become bits; ``emit_*`` write LLVM IR for the system's transitions,
properties and search; ``compile`` makes it machine code; ``search`` drives it. Nothing it finds is believed before the
evaluator (spec.evaluate) has replayed it.
"""
