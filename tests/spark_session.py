"""The real Spark, once per run, on the run's own Cassandra node."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

from pipelines.spark.session import spark_session
from schemas.config import Cassandra, Config, Spark
from schemas.config_file import load_config
from store.connection import connect
from store.database import Database, Statement
from store.migrate import migrate
from tests.cassandra_node import explained_by_log

CHECKOUT = Path(__file__).resolve().parents[1]
KEPT = ("migrations", "migration_lease", "layout")
_TRUNCATED_AT: dict[str, int] = {}  # table -> its write count at the last truncation


@pytest.fixture(scope="session")
def spark_config(keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Settings of Spark and of a separate keyspace: jobs read whole tables."""
    config = load_config(CHECKOUT / "conf.yaml")
    paths = config.paths.model_copy(update={"reports": tmp_path_factory.mktemp("spark")})
    settings = keyspace.model_copy(update={"keyspace": "muvr_spark"})
    migrate(settings)
    small = Spark(
        driver_memory_mb=1024,
        split_mb=1,  # several splits even for little data
        options={"spark.cassandra.connection.timeoutMS": "60000"},  # 5 s by default
    )
    return config.model_copy(update={"paths": paths, "cassandra": settings, "spark": small})


@pytest.fixture(scope="session")
def spark(spark_config: Config) -> Iterator[SparkSession]:
    """One local session with the connector."""
    session = spark_session(spark_config)
    yield session
    session.stop()


@contextmanager
def emptied(settings: Cassandra) -> Generator[Database]:
    """A connection to Spark's keyspace after all its tables were emptied."""
    with explained_by_log(settings):
        connection = connect(settings, keyspace=settings.keyspace)
        asyncio.run(_empty(connection, settings.keyspace))
    yield connection
    connection.close()


async def _empty(connection: Database, keyspace: str) -> None:
    """Truncate the tables written since their last truncation: each truncation takes 0.1 s.

    Cassandra counts all writes, deletions included, which would hide rows that are older.
    """
    cql = "SELECT keyspace_name, table_name, count FROM system_views.local_write_latency"
    written = {
        row.table_name: row.count
        for row in await connection.run(cql)
        if row.keyspace_name == keyspace and row.table_name not in KEPT
    }
    begun = {table: n for table, n in written.items() if n > _TRUNCATED_AT.get(table, 0)}
    truncations = [Statement(f"TRUNCATE {table}", ()) for table in begun]
    await connection.run_all(truncations, limit=8)
    _TRUNCATED_AT.update(begun)


@pytest.fixture
def empty(spark_config: Config) -> Iterator[Database]:
    """The emptied keyspace for one test."""
    with emptied(spark_config.cassandra) as connection:
        yield connection


def drop_java_connection() -> None:
    """Close this thread's connection to Spark's Java; the next command makes another one.

    A time limit that ends a test inside a command leaves the answer unread: the next command would
    take it for its own, and so on. py4j closes the connection after its own errors and Ctrl-C only.
    """
    gateway = SparkContext._gateway
    connection = gateway and gateway._gateway_client.get_thread_connection()
    if connection is not None:
        connection.close()


def pytest_exception_interact(call: pytest.CallInfo[object]) -> None:
    """Called after a failure, before the test's fixtures end."""
    if call.excinfo is not None and isinstance(call.excinfo.value, pytest.fail.Exception):
        drop_java_connection()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Name a Java that has ended as the reason: each test would fail in a way of its own."""
    java = getattr(SparkContext._gateway, "proc", None)
    ended = java is not None and java.poll() is not None
    if ended and "spark_config" in getattr(item, "fixturenames", ()):
        pytest.fail(f"Spark's Java ended before this test, exit code {java.poll()}.", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings caused by pyspark: unclosed sockets and deprecated version comparison."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")
    config.addinivalue_line("filterwarnings", "ignore:distutils Version:DeprecationWarning")
