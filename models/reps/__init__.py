"""Repetitions: how many, when, how large, how fast, counted on the raw wrist signal alone."""
