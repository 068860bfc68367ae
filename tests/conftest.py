"""The real parts, each started once per run."""

pytest_plugins = ["tests.recordings", "tests.cassandra_node", "tests.spark_session"]
