"""What no client of the SQL server may change for the others: settings and the time limit.

All clients share the session that holds the views. Hive's server writes the settings that a client
puts into its address (`?name=value`, `#name=value`) straight into that session, where no parser
sees them: a time limit of 0 or another time zone would hold for everybody until a restart. So the
settings are put back before every text and every few seconds, and what computes for too long is
cancelled whatever the session's limit is.
"""

import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

FORGOTTEN_AFTER_S = 30.0  # longer than the driver takes between two jobs of a query


class FixedSettings:
    """The SQL settings of a session, as they were at the first call."""

    def __init__(self) -> None:
        self._original: Any = None

    def restore(self, spark: SparkSession) -> None:
        """Put back what was changed since the first call, which remembers them."""
        java: Any = spark._jsparkSession
        settings = java.sessionState().conf().settings()
        if self._original is None:
            jvm: Any = spark._jvm
            self._original = jvm.java.util.HashMap(settings)
        elif not settings.equals(self._original):
            settings.putAll(self._original)
            settings.keySet().retainAll(self._original.keySet())


class OverdueQueries:
    """Cancels queries whose jobs were seen computing for longer than a limit.

    A query may be many short jobs, and have none at the moment of a call. So it is forgotten only
    when none was seen for a while; Hive's server never uses the name of a group again.
    """

    def __init__(
        self, spark: SparkSession, limit_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._spark, self._limit_s, self._clock = spark, limit_s, clock
        self._seen_s: dict[str, tuple[float, float]] = {}  # when first, and when last

    def cancel(self) -> None:
        """Cancel those over the limit; to be called every few seconds."""
        now_s, context = self._clock(), self._spark.sparkContext
        for name in self._computing():
            first_s, _ = self._seen_s.get(name, (now_s, now_s))
            self._seen_s[name] = first_s, now_s
            if now_s - first_s > self._limit_s:
                context.cancelJobGroup(name)
        self._seen_s = {
            name: (first_s, last_s)
            for name, (first_s, last_s) in self._seen_s.items()
            if now_s - last_s < FORGOTTEN_AFTER_S
        }

    def _computing(self) -> set[str]:
        """The job groups that compute: Hive's server makes one of each query."""
        context = self._spark.sparkContext
        java: Any = context._jsc
        jobs = [
            java.sc().statusStore().job(job).jobGroup()
            for job in context.statusTracker().getActiveJobsIds()
        ]
        return {group.get() for group in jobs if group.isDefined()}
