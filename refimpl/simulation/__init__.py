"""A whole cluster from one seed: the real servers on simulated disks, network and clock, and what they must never do.

Everything that is left to chance is drawn from the seed and nothing else is, so a run can be had again, step by step.
"""
