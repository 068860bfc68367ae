"""What no client of the SQL server may change for the others."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from pipelines.mart.shared_session import FORGOTTEN_AFTER_S, FixedSettings, OverdueQueries
from pipelines.mart.stopped_tasks import EVERY_S
from tests.waiting import answer_when

LIMIT_S = 40.0


def test_settings_that_a_client_changed_or_added_are_put_back(spark: SparkSession) -> None:
    own, settings = spark.newSession(), FixedSettings()
    own.conf.set("spark.sql.session.timeZone", "UTC")
    settings.restore(own)
    own.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    own.conf.set("spark.sql.thriftServer.queryTimeout", "7s")
    settings.restore(own)
    assert own.conf.get("spark.sql.session.timeZone") == "UTC"
    assert own.conf.get("spark.sql.thriftServer.queryTimeout") == "0ms"  # Spark's default


def test_query_over_the_limit_is_cancelled(spark: SparkSession) -> None:
    now_s = 1000.0
    overdue = OverdueQueries(spark, LIMIT_S, clock=lambda: now_s)

    def compute() -> None:
        spark.sparkContext.setJobGroup("a query", "of a client", interruptOnCancel=True)
        spark.sparkContext.parallelize([60.0], 1).foreach(time.sleep)

    with ThreadPoolExecutor(1) as pool:
        query = pool.submit(compute)
        while "a query" not in overdue._computing():
            assert not query.done()
            time.sleep(0.05)
        overdue.cancel()
        now_s += LIMIT_S
        overdue.cancel()
        time.sleep(0.2)
        assert not query.done(), "it is not over the limit yet"
        now_s += 1
        overdue.cancel()
        with pytest.raises(Py4JJavaError, match="cancelled"):
            query.result(timeout=30)
    overdue.cancel()
    # Spark tells the query first that it has ended, and forgets its job afterwards
    assert not answer_when(lambda computing: not computing, overdue._computing)


class ScriptedQueries(OverdueQueries):
    """Queries that compute at the moments of a script, two seconds apart."""

    def __init__(self, *computing: set[str]) -> None:
        self.cancelled: list[tuple[float, str]] = []
        self.now_s, self.computing = 0.0, iter(computing)
        context = SimpleNamespace(
            cancelJobGroup=lambda name: self.cancelled.append((self.now_s, name))
        )
        super().__init__(
            cast("SparkSession", SimpleNamespace(sparkContext=context)), LIMIT_S, lambda: self.now_s
        )

    def _computing(self) -> set[str]:
        return next(self.computing)

    def follow(self, rounds: int) -> None:
        for _ in range(rounds):
            self.cancel()
            self.now_s += EVERY_S


def test_query_of_many_short_jobs_keeps_its_clock_while_it_plans_the_next() -> None:
    rounds = 24
    queries = ScriptedQueries(*({"short"} if n % 2 == 0 else set() for n in range(rounds)))
    queries.follow(rounds)
    assert queries.cancelled == [(44.0, "short")]


def test_query_that_computes_no_more_is_forgotten() -> None:
    silent = [set[str]()] * int(FORGOTTEN_AFTER_S / EVERY_S)
    queries = ScriptedQueries({"ended"}, *silent)
    queries.follow(len(silent))
    assert queries._seen_s.keys() == {"ended"}
    queries.follow(1)
    assert queries._seen_s == {}
