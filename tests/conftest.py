"""Fixtures with real components, each started once per run; stable ids of parametrized tests."""

pytest_plugins = ["tests.recordings", "tests.cassandra_node", "tests.spark_session"]


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length: a gzip body holds the second it was packed in.

    Two workers that collect a second apart would name such a case differently, and pytest-xdist
    refuses to run a session whose workers do not hold the same tests.
    """
    return f"{len(val)}_bytes" if isinstance(val, bytes) else None
