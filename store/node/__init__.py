"""The embedded Cassandra node: jars, generated files, one owner per folder, start and stop."""
