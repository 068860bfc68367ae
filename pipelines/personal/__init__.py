"""Families of one model per user that learn from what people said."""
