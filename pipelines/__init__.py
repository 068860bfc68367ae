"""Spark jobs: read, span, fit, gate, write. The only room that imports pyspark.

A family's recipe is a module of its name, or a folder with a `job` where it takes more than one.
Recipes use `lifecycle` (which users a run reads, where its functions run, how it is recorded, which
model serves), and that uses `spark`; `jobs` maps names to jobs.
"""
