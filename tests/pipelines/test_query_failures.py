"""A query that fails for want of memory or disk, or for a damaged mart, is not called wrong."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from pipelines.mart import query
from pipelines.mart.frames import Refresh
from pipelines.mart.job import damage_told
from schemas.config import Sql
from schemas.errors import BadMart, BadQuery, Exhausted, MuvrError
from tests.store.made_mart import ONE, made

TRACE = """An error occurred while calling o72.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure
\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:2898)
Caused by: {}
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
"""
NOT_PARQUET = f"java.lang.RuntimeException: file:/mart/{ONE}/sets/x.parquet is not a Parquet file"


class JavaError(Py4JJavaError):
    """An error of Java without a Java."""

    def __init__(self, cause: str) -> None:
        self.text = TRACE.format(cause)

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    ("cause", "kind", "says"),
    [
        ("java.io.IOException: No space left on device", Exhausted, "spark.local.dir"),
        ("java.lang.OutOfMemoryError: Java heap space", Exhausted, r"sql\.memory_mb"),
        (
            NOT_PARQUET,
            BadMart,
            r"x.parquet is not a Parquet file\). Make all of it again: `muvr mart",
        ),
        ("java.io.IOException: can not read class org.apache.parquet.format.X", BadMart, "--all"),
        (f"java.io.FileNotFoundException: /mart/{ONE}/x (Permission denied)", BadQuery, "denied"),
        ("SparkDateTimeException: [CAST_INVALID] no date", BadQuery, r"Spark: .*no date `muvr"),
    ],
)
def test_a_failure_is_told_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str, kind: type[MuvrError], says: str
) -> None:
    def failing(*_: object) -> None:
        raise JavaError(cause)

    monkeypatch.setattr(query, "make_views", failing)
    nobody = cast(SparkSession, None)
    with pytest.raises(kind, match=says):
        query.query_spark(nobody, made(tmp_path, ONE, 1), "SELECT 1", Sql())


def test_a_refresh_that_cannot_read_the_version_before_says_to_read_everybody(
    tmp_path: Path,
) -> None:
    folder = made(tmp_path, ONE, 1)
    of = cast(Refresh, SimpleNamespace(folder=folder, before=folder.manifest()))
    with pytest.raises(BadMart, match="muvr mart refresh --all"), damage_told(of):
        raise JavaError(NOT_PARQUET)
    anew = cast(Refresh, SimpleNamespace(folder=folder, before=None))
    with pytest.raises(JavaError), damage_told(anew):
        raise JavaError(NOT_PARQUET)
