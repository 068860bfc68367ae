"""A run's rows in their table: written by Spark, then counted before anybody reads them."""

import asyncio
from collections.abc import Sequence

from pyspark.sql import functions as f

from pipelines.batch.family import BatchFamily
from pipelines.lifecycle.job import Job
from pipelines.spark.tables import append, read_table
from schemas.errors import IncompleteRun
from schemas.topics import ERASURES
from store.watermarks import Watermarks


def write_rows(job: Job, family: BatchFamily, rows: Sequence[tuple[object, ...]]) -> None:
    """Write a run's rows, and count what was stored.

    Raises:
        IncompleteRun: fewer rows were stored than written.
    """
    spark, run_id = job.spark(), str(job.run.run_id)
    frame = spark.createDataFrame(list(rows), family.columns).withColumn("run_id", f.lit(run_id))
    append(frame, job.keyspace, family.table)
    stored = read_table(spark, job.keyspace, family.table).frame.where(f.col("run_id") == run_id)
    count = stored.count()
    if count != len(rows):
        users = [row.user_id for row in stored.select("user_id").collect()]
        count = _count_without_erased(job, family.table, rows, users)
    job.run.counts["rows"] = count


def _count_without_erased(
    job: Job, table: str, rows: Sequence[tuple[object, ...]], stored_users: Sequence[str]
) -> int:
    """How many rows are stored where only those of users are missing who were erased meanwhile.

    An erasure deletes a run's rows of the user for good, also those that are written after it.

    Args:
        job: whose run counts these users as `erased`.
        table: of the rows.
        rows: that were written.
        stored_users: of each stored row its user.

    Raises:
        IncompleteRun: others' rows are missing as well.
    """
    run = job.run
    missing = {str(row[0]) for row in rows} - {*stored_users}
    since, now = run.all_read_until, run.lease.clock()
    announced = asyncio.run(Watermarks(job.database).changed_users(ERASURES, since, now))
    erased = missing & {str(user) for user in announced}
    expected = sum(str(row[0]) not in erased for row in rows)
    if len(stored_users) != expected:
        raise IncompleteRun(
            f"{table} holds {len(stored_users)} rows of this run, not {expected}; "
            f"{len(erased)} users were erased meanwhile."
        )
    run.counts["erased"] += len(erased)
    return expected
