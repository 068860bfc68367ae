"""Spark's Thrift server over the mart, for JDBC clients of this machine.

Every text passes the same check as `muvr sql --engine spark`: it is built into the session's
parser, so nothing but a plain SELECT over the mart's tables is ever resolved or run. The process
has no connector and no credentials; all clients share one session, which holds the views. They are
made anew before the first text after a refresh. No client can change the session's settings for
longer than until the next text.
"""

import socket
import threading
from collections.abc import Callable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

from pipelines.mart.duties import Duties
from pipelines.mart.guard import require_readable
from pipelines.mart.planning import OverdueStatements, callers_thread
from pipelines.mart.query import make_views
from pipelines.mart.session import mart_session
from pipelines.mart.shared_session import FixedSettings, OverdueQueries
from pipelines.mart.stopped_tasks import EVERY_S, StoppedTasks
from schemas.config import Config
from schemas.errors import BadConfig, BadQuery
from store.mart import MartFolder

SESSION_STATEMENTS = ("use default", "use `default`")
"""What every Hive driver says first; it changes nothing."""


class GuardedParser:
    """Spark's parser, which hands out no plan that does more than read the mart."""

    class Java:
        """What py4j shows of this object to the JVM."""

        implements = ("org.apache.spark.sql.catalyst.parser.ParserInterface",)

    def __init__(self, inner: Any, jvm: Any, before_parse: Callable[[], None]) -> None:
        self._inner = inner
        self._jvm = jvm
        self._before_parse = before_parse
        gateway: Any = SparkContext._gateway
        self._no_stack_trace = gateway.new_array(jvm.java.lang.StackTraceElement, 0)

    def parsePlan(self, text: str) -> Any:  # a name of Spark's
        """Parse and check one text.

        Raises:
            Py4JJavaError: it does more than read the mart's tables, or is no SQL. Spark gets an
                exception of its own kind, so that the client sees the sentence and no traceback.
        """
        self._before_parse()
        plan = self._inner.parsePlan(text)
        if text.strip().rstrip(";").lower() not in SESSION_STATEMENTS:
            try:
                require_readable(plan)
            except BadQuery as problem:
                thrown = self._jvm.java.lang.IllegalArgumentException(str(problem))
                thrown.setStackTrace(self._no_stack_trace)  # the client would see each of them
                raise Py4JJavaError(str(problem), thrown) from problem
        return plan

    def __getattr__(self, name: str) -> Any:
        """Names and types are parsed as Spark parses them."""
        return getattr(self._inner, name)


class _ParserBuilder:
    """Given to Spark: wraps the parser of every new session."""

    class Java:
        """A Scala function of (session, parser)."""

        implements = ("scala.Function2",)

    def __init__(self, jvm: Any, before_parse: Callable[[], None]) -> None:
        self._jvm = jvm
        self._before_parse = before_parse

    def apply(self, session: Any, inner: Any) -> GuardedParser:  # Spark's shape
        """The guarded parser."""
        return GuardedParser(inner, self._jvm, self._before_parse)


class _Extension:
    """Given to Spark: what a new session has besides."""

    class Java:
        """A Scala function of the session's extensions."""

        implements = ("scala.Function1",)

    def __init__(self, jvm: Any, before_parse: Callable[[], None]) -> None:
        self._jvm = jvm
        self._before_parse = before_parse

    def apply(self, extensions: Any) -> None:
        """Add the guarded parser."""
        extensions.injectParser(_ParserBuilder(self._jvm, self._before_parse))


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


def guarded_session(
    spark: SparkSession, before_parse: Callable[[], None] = lambda: None
) -> SparkSession:
    """A session of the same Spark that can only read the mart; whatever it parses is checked.

    Args:
        spark: the session that knows the mart.
        before_parse: is called before every text that it parses.
    """
    context = spark.sparkContext
    gateway: Any = context._gateway
    ensure_callback_server_started(gateway)
    gateway.python_parameters.propagate_java_exceptions = True
    sessions = gateway.jvm.org.apache.spark.sql.SparkSession
    sessions.clearDefaultSession()  # or the builder would hand out the session without the guard
    sessions.clearActiveSession()
    guarded = sessions.builder().withExtensions(_Extension(gateway.jvm, before_parse)).getOrCreate()
    return SparkSession(context, guarded)


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
