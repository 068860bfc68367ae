"""The Spark session: every option with the reason that was measured for it."""

import os
import re
import socket
import sys
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pipelines.spark.rooms import CHECKOUT, pack_rooms
from pipelines.spark.tables import CATALOG
from pipelines.spark.trust_store import write_trust_store
from schemas.config import Config
from schemas.errors import BadConfig
from store.credentials import credentials_of
from store.java import find_java
from store.node.jars import connector_jars

CIPHERS = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
)
LOGIN = "spark.cassandra.auth."
"""How the names of the options begin that hold the login at Cassandra."""
LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")
LOGGING = Path(__file__).resolve().with_name("log4j2.properties")


def spark_session(config: Config) -> SparkSession:
    """Start Spark, or join the session that this process already has.

    Raises:
        NoJava: no Java 17 on this machine.
        BadJar: a jar is missing or is not the locked one.
        BadConfig: executors elsewhere would look for the embedded node on their own machine.
    """
    _require_reachable_node(config)
    os.environ["JAVA_HOME"] = str(find_java().home)  # read by pyspark when it starts the JVM
    os.environ["PYSPARK_PYTHON"] = workers_python(config)
    if config.spark.master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    every = options(config)
    # every setting that the JVM starts with is on its command line, which all accounts can read
    _start_java({name: value for name, value in every.items() if not name.startswith(LOGIN)})
    return SparkSession(SparkContext.getOrCreate(_settings(every)))


def _require_reachable_node(config: Config) -> None:
    master = config.spark.master
    if config.cassandra.own_node and not _is_here(master):
        raise BadConfig(
            f"spark.master is {master}, but the embedded Cassandra listens on 127.0.0.1 only: each "
            "executor would look for it on its own machine.",
            field="spark.master",
            value=master,
            next_step="Name a cluster in cassandra.contact_points, or set spark.master: local[2].",
        )


def _is_here(master: str) -> bool:
    """Whether a master is this machine's own; its executors then are taken to be here as well.

    >>> [_is_here(master) for master in ("local[2]", "spark://127.0.0.1:7077", "yarn")]
    [True, True, False]
    """
    if master.startswith("local"):
        return True
    host = master.removeprefix("spark://").rpartition(":")[0]
    return bool(LOOPBACK.fullmatch(host)) or host in {socket.gethostname(), socket.getfqdn()}


def _start_java(started_with: dict[str, str]) -> None:
    """Start Spark's JVM, unless this process has one; the context may get further settings."""
    SparkContext._ensure_initialized(conf=_settings(started_with))


def _settings(values: dict[str, str]) -> SparkConf:
    return SparkConf().setAppName("muvr").setAll(list(values.items()))


def workers_python(config: Config) -> str:
    """The workers' Python: this one, or the packed environment's where executors are elsewhere."""
    elsewhere = config.spark.archive and not config.spark.master.startswith("local")
    return "environment/bin/python" if elsewhere else sys.executable


def options(config: Config) -> dict[str, str]:
    """All options of the session."""
    ours = {**_cluster(config), **_engine(config), **_python(config), **_cassandra(config)}
    return {**ours, **_java(config), **config.spark.options}


def _cluster(config: Config) -> dict[str, str]:
    """Local: nothing listens outside this machine. Cluster: our code and Python are shipped."""
    if config.spark.master.startswith("local"):
        return {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            # workers import our rooms from the same files, whatever folder the driver runs in
            "spark.executorEnv.PYTHONPATH": str(CHECKOUT),
            # without it that folder comes first, and a package `api` or `models` of it is imported
            "spark.executorEnv.PYTHONSAFEPATH": "1",
        }
    executors = config.spark.executors
    each = -(-config.spark.cores // executors)
    archive = {"spark.archives": f"{config.spark.archive}#environment"}
    return {
        "spark.submit.pyFiles": str(pack_rooms(config.paths.reports)),
        "spark.submit.deployMode": config.spark.deploy_mode,
        "spark.executor.instances": str(executors),
        "spark.executor.cores": str(each),
        # a standalone master knows no number of executors: it gives as many as there are cores for
        "spark.cores.max": str(each * executors),
        **(archive if config.spark.archive else {}),
    }


def _engine(config: Config) -> dict[str, str]:
    return {
        "spark.master": config.spark.master,
        "spark.driver.memory": f"{config.spark.driver_memory_mb}m",
        "spark.executor.memory": f"{config.spark.executor_memory_mb}m",
        "spark.ui.enabled": "false",  # the page of `muvr` shows runs; 4040 would be open to all
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        # 200 shuffle partitions for two cores: aggregation took 3.7 s instead of .3
        "spark.sql.shuffle.partitions": str(config.spark.cores),
        # a second copy of a slow task would write every model twice
        "spark.speculation": "false",
        "spark.sql.warehouse.dir": str(config.paths.reports / "spark-warehouse"),
        "spark.jars": ",".join(str(jar) for jar in connector_jars(config.paths.jars)),
    }


def _java(config: Config) -> dict[str, str]:
    """Options of the JVMs; with TLS they trust one CA only, in a file that Spark distributes."""
    logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
    if not config.cassandra.tls_ca:
        return {"spark.driver.extraJavaOptions": logging}
    tls_ca = Path(config.cassandra.tls_ca).resolve()
    store = write_trust_store(tls_ca, config.paths.reports)
    trust = "-Djavax.net.ssl.trustStore="
    return {
        "spark.cassandra.connection.ssl.enabled": "true",
        # the connector's own two, RSA with CBC, are not offered by current nodes
        "spark.cassandra.connection.ssl.enabledAlgorithms": ",".join(CIPHERS),
        # replay reads the first, from Python; as addresses, or a space would end them
        "spark.files": f"{tls_ca.as_uri()},{store.resolve().as_uri()}",
        "spark.driver.extraJavaOptions": f'{logging} {trust}"{store}"',
        "spark.executor.extraJavaOptions": f"{trust}{store.name}",  # in the folder it runs in
    }


def _python(config: Config) -> dict[str, str]:
    return {
        # rows carry samples: 512 sets are some megabytes, 512 stretches up to 150; 10,000 sets
        # would be a gigabyte
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(config.spark.batch_rows),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.python.worker.reuse": "true",
        # a second BLAS thread makes small solves slower and their bytes differ between runs
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
    }


def _cassandra(config: Config) -> dict[str, str]:
    settings = config.cassandra
    credentials = credentials_of(config, "spark")
    login: dict[str, str] = {}
    if credentials:  # where Spark prints settings it redacts those named "password" itself
        login["spark.cassandra.auth.username"], login["spark.cassandra.auth.password"] = credentials
    return {
        **login,
        "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
        f"spark.sql.catalog.{CATALOG}": "com.datastax.spark.connector.datasource.CassandraCatalog",
        "spark.cassandra.connection.host": ",".join(settings.hosts),
        "spark.cassandra.connection.port": str(settings.port),
        "spark.cassandra.connection.localDC": settings.local_dc,
        # the default is LOCAL_ONE: a run would miss sets that a quorum has acknowledged
        "spark.cassandra.input.consistency.level": settings.consistency,
        "spark.cassandra.output.consistency.level": settings.consistency,
        # the default of 1 kB sends every model alone
        "spark.cassandra.output.batch.size.bytes": str(64 * 1024),
        # the default of 1,000 rows: pages of many megabytes can kill a node with a small heap
        "spark.cassandra.input.fetch.sizeInRows": "128",
        "spark.cassandra.input.split.sizeInMB": str(config.spark.split_mb),
    }
