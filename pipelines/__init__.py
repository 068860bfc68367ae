"""Spark jobs: read, span, fit, gate, write. The only room that imports pyspark."""
