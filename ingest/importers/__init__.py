"""Readers of recordings made elsewhere."""
