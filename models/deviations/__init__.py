"""Planned against done: a pure alignment of two lists of sets."""
