"""A Spark session for queries over the mart: it knows nothing of Cassandra, not even its address.

It runs on this machine in a process of its own: no connector, no catalogue, no password.
"""

import os
import tempfile

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pipelines.spark import LOGGING
from schemas.config import Config
from store.java import find_java

SECRETS = "MUVR_CASSANDRA_PASSWORD"
"""Variables that carry passwords begin so."""


def mart_session(config: Config) -> SparkSession:
    """Start Spark for queries.

    Raises:
        NoJava: no Java 17 on this machine.
    """
    for name in [name for name in os.environ if name.startswith(SECRETS)]:
        del os.environ[name]  # Java inherits what is here
    os.environ["JAVA_HOME"] = str(find_java().home)  # read by pyspark when it starts the JVM
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = SparkConf().setAppName("muvr-sql").setAll(list(mart_options(config).items()))
    return SparkSession(SparkContext.getOrCreate(settings))


def mart_options(config: Config) -> dict[str, str]:
    """All options of such a session."""
    logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
    return {
        "spark.master": f"local[{config.spark.cores}]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{config.sql.memory_mb}m",
        # Hive's server opens a Derby database in memory; its log would lie in the caller's folder
        "spark.driver.extraJavaOptions": f"{logging} -Dderby.stream.error.file={os.devnull}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(config.spark.cores),
        "spark.sql.warehouse.dir": tempfile.gettempdir() + "/muvr-sql-warehouse",  # stays empty
        "spark.sql.runSQLOnFiles": "false",  # select * from parquet.`/any/path`
        "spark.sql.hive.thriftServer.singleSession": "true",  # the one that holds the views
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": str(config.sql.port),
    }
