"""What goes wrong on Spark's executors is told as what it is."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession
from pyspark.sql.types import IntegerType

from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.job import open_job
from pipelines.mart.frames import file_url
from pipelines.mart.tables import FUNCTIONS
from schemas.config import Config
from schemas.errors import NoKernel, OtherRules
from store.jobs import JobRuns
from tests.spark_session import emptied


def without_kernel() -> None:
    """The work of one user, on an executor whose archive is of an earlier release."""
    raise NoKernel("muvr_features.so is of another release: 6.")


def learned(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Work of users, as a job's pass does it."""
    for batch in batches:
        attempted(without_kernel)
        yield batch


def broken(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Work that fails of itself."""
    for _ in batches:
        raise RuntimeError("worn out")
    yield from ()


def test_run_ends_with_the_reason_of_an_executor_without_compiled_code(
    spark: SparkSession, spark_config: Config
):
    with emptied(spark_config.cassandra) as database:
        with (
            pytest.raises(NoKernel, match=r"On a Spark executor: .*6\. Build spark.archive again"),
            open_job(spark_config, "slow", {}) as job,
        ):
            job.spark().range(2).mapInArrow(learned, "id long").collect()
        [run] = asyncio.run(JobRuns(database).newest("slow"))
    assert run.status == "failed"
    assert any("Build spark.archive again" in reason for reason in run.reasons)


def test_rows_are_not_written_by_rules_of_time_zones_that_are_not_the_drivers(
    spark: SparkSession, spark_config: Config, tmp_path: Path
):
    """An archive that was built before an update of tzdata has the old ones."""
    spark.udf.register("utc_offset_s", FUNCTIONS["utc_offset_s"], IntegerType())
    frame = spark.range(2).selectExpr("utc_offset_s(id, 'UTC', '2199a') AS offset_s")
    said = r"On a Spark executor: .* and 2199a at the driver\. Build spark.archive again"
    with pytest.raises(OtherRules, match=said), open_job(spark_config, "slow", {}):
        frame.write.parquet(file_url(tmp_path / "rows"))


def test_other_failures_of_executors_stay_as_they_are(spark: SparkSession, spark_config: Config):
    with (
        pytest.raises(PythonException, match="worn out"),
        open_job(spark_config, "slow", {}) as job,
    ):
        job.spark().range(2).mapInArrow(broken, "id long").collect()
