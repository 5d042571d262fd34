"""Traces of a system's runs: what they are, how they are stored, replayed against an implementation and shown."""
