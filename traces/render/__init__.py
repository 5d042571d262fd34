"""Traces for people: as text, as sequence diagrams, and reports of where an implementation differs."""
