"""Queries that compute while Spark plans them, and how they are ended.

What depends on no table is evaluated in the caller's thread: constants, the rows of `VALUES`, the
number of a `LIMIT`. Spark runs no job for it that could be cancelled, and a regular expression that
goes through 2^40 ways to match ignores interrupts, as tasks do (`pipelines.mart.stopped_tasks`).

So the thread itself is ended, as those of tasks are; by then its query was cancelled and its client
has been told.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

GRACE_S = 3.0  # for a query that was cancelled to end by itself
_STATEMENT = "org.apache.spark.sql.hive.thriftserver.SparkExecuteStatementOperation"


def callers_thread(spark: SparkSession) -> Any:
    """Java's thread that works for this one: each of Python's has its own."""
    jvm: Any = spark._jvm
    return jvm.java.lang.Thread.currentThread()


@contextmanager
def ended_if_needed(spark: SparkSession) -> Generator[Callable[[], None]]:
    """Gives what ends the block from another thread, if it does not end in time by itself."""
    thread, one_at_a_time = callers_thread(spark), threading.Lock()
    over, ended = threading.Event(), threading.Event()

    def end() -> None:
        """To be called once the query was cancelled."""
        if not over.wait(GRACE_S):
            with one_at_a_time:
                if not over.is_set():
                    ended.set()
                    thread.stop()

    try:
        yield end
    finally:
        with one_at_a_time:  # what follows in this thread is not to be ended
            over.set()
        if ended.is_set():
            jvm: Any = spark._jvm
            jvm.java.lang.Thread.interrupted()  # nor interrupted, as Java does with one it ends


class OverdueStatements:
    """Ends the threads of a server's statements that nothing else has ended.

    Args:
        limit_s: after which they are cancelled.
        clock: seconds.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_s, self._clock = limit_s + GRACE_S, clock
        self._began: dict[int, tuple[Any, float]] = {}  # Java's thread and the time, by its id

    def begin(self, thread: Any) -> None:
        """A thread of Java's begins with a statement."""
        self._began[thread.getId()] = thread, self._clock()

    def end(self) -> None:
        """End those over the limit; to be called every few seconds."""
        now_s = self._clock()
        for key, entry in list(self._began.items()):
            thread, began_s = entry
            is_over, is_late = not _is_in_statement(thread), now_s - began_s > self._most_s
            if self._began.get(key) is not entry:
                continue  # it has begun with another one meanwhile
            if is_over:
                del self._began[key]
            elif is_late:
                self._began[key] = thread, now_s  # it tidies up now, undisturbed
                thread.stop()


def _is_in_statement(thread: Any) -> bool:
    """Whether a thread still works on a statement, and does not wait for the next."""
    return any(frame.getClassName().startswith(_STATEMENT) for frame in thread.getStackTrace())
