"""Families whose results are a table per run."""
