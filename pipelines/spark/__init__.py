"""Spark as every job uses it: the session, tables, spans, plans, what travels to executors."""
