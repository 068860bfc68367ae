"""Families of one model per user that learn from confirmed sets."""
