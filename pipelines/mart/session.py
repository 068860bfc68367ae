"""A Spark session for queries over the mart: it knows nothing of Cassandra, not even its address.

It runs on this machine in a process of its own: no connector, no catalogue, no password.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pipelines.mart import stopped_tasks
from pipelines.spark.session import LOGGING
from schemas.config import Config
from store.java import find_java

LEAST_HEAP_MB = 512
"""Spark refuses to start with less than 450."""
SAFE_VARIABLES = {
    "HOME",
    "JAVA_HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "PYSPARK_PYTHON",
    "SPARK_LOCAL_DIRS",
    "SPARK_LOCAL_IP",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
}
"""Variables that Java gets: where programs and folders are. Any other may carry a secret."""


def mart_session(config: Config) -> SparkSession:
    """Start Spark for queries.

    Raises:
        NoJava: no Java 17 on this machine.
    """
    os.environ["JAVA_HOME"] = str(find_java().home)  # read by pyspark when it starts the JVM
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = SparkConf().setAppName("muvr-sql").setAll(list(mart_options(config).items()))
    with _safe_environment():
        return SparkSession(SparkContext.getOrCreate(settings))


@contextmanager
def _safe_environment() -> Generator[None]:
    """Java inherits what is here when it is started."""
    removed = {name: os.environ.pop(name) for name in os.environ.keys() - SAFE_VARIABLES}
    try:
        yield
    finally:
        os.environ.update(removed)


def mart_options(config: Config) -> dict[str, str]:
    """All options of such a session."""
    logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
    return {
        **stopped_tasks.OPTIONS,
        "spark.master": f"local[{config.spark.cores}]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{max(config.sql.memory_mb, LEAST_HEAP_MB)}m",
        # Hive's server opens a Derby database in memory; its log would lie in the caller's folder
        "spark.driver.extraJavaOptions": f"{logging} -Dderby.stream.error.file={os.devnull}",
        **{name: at for name, at in config.spark.options.items() if name == "spark.local.dir"},
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(config.spark.cores),
        "spark.sql.warehouse.dir": tempfile.gettempdir() + "/muvr-sql-warehouse",  # stays empty
        "spark.sql.variable.substitute": "false",  # '${env:NAME}', before the guard sees the text
        "spark.sql.datetime.java8API.enabled": "true",  # Hive's server sets it for each client
        "spark.sql.runSQLOnFiles": "false",  # select * from parquet.`/any/path`
        "spark.sql.hive.thriftServer.singleSession": "true",  # the one that holds the views
        "spark.sql.thriftServer.queryTimeout": f"{max(1, round(config.sql.seconds))}s",
        "spark.sql.thriftServer.interruptOnCancel": "true",
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": str(config.sql.port),
    }
