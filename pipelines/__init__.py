"""Spark jobs: read, span, fit, gate, write. The only room that imports pyspark.

A family's recipe is a module of its name, or a folder with a `job` where it takes more than one.
Recipes stand on `lifecycle` (whom a run reads, where its functions run, how it is recorded, what
serves), and that on `spark`; `jobs` knows them all by name.
"""
