"""What no client of the SQL server may change for the others."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from pipelines.mart.shared_session import FixedSettings, OverdueQueries

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
    assert overdue._computing() == set()
