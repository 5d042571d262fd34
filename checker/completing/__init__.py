"""``complete``: what a log leaves out, filled in by a run of the spec, or the step at which no run fits any more.

``typed`` and ``matching`` compare what is known with what a run has; ``frontier`` steps through the log with all
states that fit so far, over the evaluator; ``checker.symbolic.complete`` asks z3 the same; ``deciding`` chooses between
them and confirms; ``noting`` and ``refusal`` say why the next step does not fit, ``report`` in words.
"""
