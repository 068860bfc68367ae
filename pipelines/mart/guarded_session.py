"""A session that can only read the mart: the check is built into its parser."""

from collections.abc import Callable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

from pipelines.mart.client_statements import is_of_a_client, without_schema
from pipelines.mart.guard import require_readable
from pipelines.mart.same_types import require_same_types
from schemas.errors import MuvrError


class GuardedParser:
    """Spark's parser, which hands out no plan that does more than read the mart."""

    class Java:
        """What py4j shows of this object to the JVM."""

        implements = ("org.apache.spark.sql.catalyst.parser.ParserInterface",)

    def __init__(
        self, session: Any, inner: Any, jvm: Any, before_parse: Callable[[], None]
    ) -> None:
        self._session = session
        self._inner = inner
        self._jvm = jvm
        self._before_parse = before_parse
        gateway: Any = SparkContext._gateway
        self._no_stack_trace = gateway.new_array(jvm.java.lang.StackTraceElement, 0)

    def parsePlan(self, text: str) -> Any:  # a name of Spark's
        """Parse, check and resolve one text; Spark takes what is resolved as it is.

        So nothing runs but the very plan that was checked, and each text is analysed once.

        Raises:
            Py4JJavaError: it does more than read the mart's tables, is no SQL, or there is no mart.
                Spark gets an exception of its own kind, so that the client sees the sentence and no
                traceback.
        """
        try:
            return self._checked(text)
        except MuvrError as problem:
            thrown = self._jvm.java.lang.IllegalArgumentException(str(problem))
            thrown.setStackTrace(self._no_stack_trace)  # the client would see each of them
            raise Py4JJavaError(str(problem), thrown) from problem
        except CapturedException as problem:  # Spark's own word, as of a syntax error
            own = problem._origin  # noqa: SLF001 it is kept for such a case, and nowhere else
            raise Py4JJavaError(str(problem), own) from problem

    def _checked(self, text: str) -> Any:
        """The plan that may run.

        Raises:
            NoMart: it is gone.
            BadQuery: the text does more than read the mart's tables.
            CapturedException: Spark refuses it.
        """
        self._before_parse()
        text = without_schema(text)
        plan = self._inner.parsePlan(text)
        if is_of_a_client(text):
            return plan
        require_readable(plan, text)
        return self._resolved(plan)

    def _resolved(self, plan: Any) -> Any:
        """The plan with its names resolved, unless it does what only shows then.

        Raises:
            BadQuery: as `require_same_types`.
            CapturedException: there is no such name.
        """
        state = self._session.sessionState()
        mode = self._jvm.org.apache.spark.sql.execution.CommandExecutionMode.SKIP()
        resolved = state.executePlan(plan, mode).analyzed()
        require_same_types(resolved)
        return resolved

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
        return GuardedParser(session, inner, self._jvm, self._before_parse)


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
