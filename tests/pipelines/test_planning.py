"""Queries that compute while they are planned, where no job of theirs can be cancelled."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipelines.mart.planning import _STATEMENT, GRACE_S, OverdueStatements
from pipelines.mart.query import query_spark
from schemas.config import Sql
from schemas.errors import QueryTooLong
from tests.store.made_mart import ONE, made

ENDLESS_MATCH = f"regexp_like('{'a' * 40}', '{'a?' * 40 + 'a' * 40}')"  # 2^40 ways
PLANNED = (
    f"SELECT {ENDLESS_MATCH}",
    f"SELECT * FROM VALUES ({ENDLESS_MATCH})",
    f"SELECT 1 LIMIT if({ENDLESS_MATCH}, 1, 2)",
)
LIMIT_S = 40.0


def test_time_limit_holds_while_a_query_is_planned(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.mart.planning.GRACE_S", 1.0)
    folder = made(tmp_path, ONE, 2)
    harmless = (
        "SELECT regexp_like('a', '(a+)+$') FROM VALUES (regexp_like('a', 'a')) "
        "LIMIT if(regexp_like('a', 'a'), 1, 2)"
    )
    warmed_up = query_spark(spark, folder, harmless, Sql(seconds=120)).rows
    assert warmed_up == [(True,)]
    for query in PLANNED:
        with pytest.raises(QueryTooLong, match=r"sql\.seconds = 2 "):
            query_spark(spark, folder, query, Sql(seconds=2))  # would go on for days
        assert query_spark(spark, folder, harmless, Sql(seconds=120)).rows == warmed_up


class FakeThread:
    """One of Java's, in a statement or waiting for the next."""

    def __init__(self) -> None:
        self.ended, self.place = threading.Event(), f"{_STATEMENT}$$anon$2"

    def getId(self) -> int:
        return 7

    def getStackTrace(self) -> list[Any]:
        return [SimpleNamespace(getClassName=lambda: self.place)]

    def stop(self) -> None:
        self.ended.set()


def test_statement_over_the_limit_is_ended_in_its_thread() -> None:
    now_s = 1000.0
    statements, thread = OverdueStatements(LIMIT_S, clock=lambda: now_s), FakeThread()
    statements.begin(thread)
    now_s += LIMIT_S + GRACE_S
    statements.end()
    assert not thread.ended.is_set(), "it was cancelled a moment ago"
    now_s += 1
    statements.end()
    assert thread.ended.is_set()


def test_thread_that_begins_another_statement_has_its_time_again() -> None:
    now_s = 1000.0
    statements, thread = OverdueStatements(LIMIT_S, clock=lambda: now_s), FakeThread()
    statements.begin(thread)
    now_s += LIMIT_S
    statements.begin(thread)
    now_s += LIMIT_S
    statements.end()
    thread.place = "java.util.concurrent.LinkedBlockingQueue"
    statements.end()
    now_s += LIMIT_S
    thread.place = _STATEMENT
    statements.end()
    assert not thread.ended.is_set(), "nobody is known to have begun"


def test_statement_that_begins_while_its_thread_is_looked_at_is_not_ended() -> None:
    now_s = 1000.0
    statements = OverdueStatements(LIMIT_S, clock=lambda: now_s)

    class BusyThread(FakeThread):
        """It ends one statement and begins the next between the look at it and its end."""

        def getStackTrace(self) -> list[Any]:
            frames = super().getStackTrace()
            statements.begin(self)
            return frames

    thread = BusyThread()
    statements.begin(thread)
    now_s += LIMIT_S + GRACE_S + 1
    statements.end()
    assert not thread.ended.is_set()
