"""Spark's Thrift server over the mart, for JDBC clients of this machine.

Every text passes the same check as `muvr sql --engine spark`: it is built into the session's
parser, so nothing but a plain SELECT over the mart's tables, or a question which tables there are,
is ever resolved or run (see `pipelines.mart.guarded_session`). The process has no connector and no
credentials; all clients share one session, which holds the views. They are made anew before the
first text after a refresh. No client can change the session's settings for longer than until the
next text.
"""

import socket
import threading
from collections.abc import Callable
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from pipelines.mart.duties import Duties
from pipelines.mart.guarded_session import guarded_session
from pipelines.mart.planning import OverdueStatements, callers_thread
from pipelines.mart.query import make_views
from pipelines.mart.session import mart_session
from pipelines.mart.shared_session import FixedSettings, OverdueQueries
from pipelines.mart.stopped_tasks import EVERY_S, StoppedTasks
from schemas.config import Config
from schemas.errors import BadConfig
from store.mart import MartFolder


class FreshViews:
    """The views of a session: the mart as it is now, not as it was when the server was started."""

    def __init__(self, folder: MartFolder) -> None:
        self._folder = folder
        self._version = ""
        self._one_at_a_time = threading.Lock()

    def follow(self, spark: SparkSession) -> None:
        """Make them anew if a refresh has replaced what they show.

        Raises:
            NoMart: nobody has refreshed it yet.
        """
        with self._one_at_a_time:
            manifest = self._folder.manifest()
            if manifest.version != self._version:
                make_views(spark, self._folder, manifest)
                self._version = manifest.version


def start_server(spark: SparkSession) -> Any:
    """Start the Thrift server on a guarded session; call `stop()` of what is returned."""
    jvm: Any = spark._jvm
    java: Any = spark._jsparkSession
    server = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    return server.startWithContext(java.sqlContext())


def _require_free(port: int) -> None:
    """Refuse a port that is taken: Hive's server would try again and again without a word."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise BadConfig(
                f"Somebody listens at 127.0.0.1:{port} already; end that, or set another sql.port.",
                field="sql.port",
                value=port,
            )


def serve_mart(config: Config, ready: Callable[[], None], warn: Callable[[str], None]) -> None:
    """Serve until this process is told to end; loopback only.

    Args:
        config: where the mart is, and the port.
        ready: is called as soon as clients may connect.
        warn: is told what goes wrong while it serves.

    Raises:
        NoMart: nobody has refreshed it yet.
        BadConfig: somebody else listens at the port.
    """
    folder = MartFolder(config.paths.mart)
    folder.manifest()  # before Spark is started: it takes a while
    _require_free(config.sql.port)
    settings, statements = FixedSettings(), OverdueStatements(config.sql.seconds)
    spark = _session_of_clients(config, folder, settings, statements)
    server = start_server(spark)
    stopped, overdue = StoppedTasks(spark), OverdueQueries(spark, config.sql.seconds)
    duties = Duties(
        {
            "Putting back settings": lambda: settings.restore(spark),
            "Cancelling queries over the time limit": overdue.cancel,
            "Ending tasks of stopped queries": stopped.end,
            "Ending queries that are not planned in time": statements.end,
        },
        warn,
    )
    end_duties = _begin(duties)
    ready()
    try:
        threading.Event().wait()
    finally:
        server.stop()
        end_duties()
        stopped.end_all()  # else Spark waits for them, and in vain
        context = SparkContext._active_spark_context
        if context is not None:
            context.stop()


def _session_of_clients(
    config: Config, folder: MartFolder, settings: FixedSettings, statements: OverdueStatements
) -> SparkSession:
    """The guarded session that all clients share, with the views of the mart as it is now."""
    views = FreshViews(folder)

    def before_parse() -> None:
        """Undo what a client has set, and follow a refresh, which is not the client's time."""
        thread = callers_thread(spark)
        statements.begin(thread)  # at once: the statement before it may have been over the limit
        settings.restore(spark)
        views.follow(spark)
        statements.begin(thread)

    spark = guarded_session(mart_session(config), before_parse)
    before_parse()
    return spark


def _begin(duties: Duties) -> Callable[[], None]:
    """Begin to do the duties every few seconds, in a thread; call what is returned to end that."""
    shutdown = threading.Event()
    watcher = threading.Thread(
        target=duties.run_until, args=(shutdown, EVERY_S), name="sql-watcher", daemon=True
    )
    watcher.start()

    def end() -> None:
        """Let those that are being done come to their end."""
        shutdown.set()
        watcher.join()

    return end
