"""Stores the windows that a run has computed in the rows of their sets, for later runs."""

import asyncio
from datetime import datetime
from uuid import UUID

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from pipelines.exercise.windows import ttl_s
from pipelines.keys import Row
from pipelines.lifecycle.runs import Run
from pipelines.spark.tables import append
from schemas.retention import LABELLED_TTL_S, LONGEST_RUN_S, WINDOWS_TTL_S
from store.database import Database
from store.labelled_sets import LabelledSets, StoredWindows


class WindowWriter:
    """Stores windows beside their sets, with the set's revision as the time of the write.

    If the set is deleted meanwhile its windows are deleted as well: the deletion is newer.
    """

    large_columns = ("fresh",)

    def write_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write the windows of a frame from the executors."""
        fresh = learned.select("user_id", "model_id", f.inline("fresh"))
        fresh = fresh.withColumn("ttl_s", keep_s_of(f.col("revision"), run.started_at))
        kept = fresh.where("ttl_s > 0")
        append(kept, keyspace, "labelled_sets", writetime="revision", ttl="ttl_s")

    def write_row(self, row: Row, database: Database, run: Run) -> None:
        """Write the windows of one row."""
        if row.get("fresh"):
            kept = windows_of(row, run.started_at)
            key = UUID(row["user_id"]), row["model_id"]
            asyncio.run(LabelledSets(database).keep_windows(*key, kept))


WINDOW_WRITER = WindowWriter()


def windows_of(row: Row, at: datetime) -> list[StoredWindows]:
    """The windows in a learned row that are to be stored; `at` is the start of the run."""
    return [
        StoredWindows(
            UUID(fresh["set_id"]),
            fresh["revision"],
            fresh["features"],
            ttl_s(fresh["revision"], at),
        )
        for fresh in row["fresh"]
    ]


def keep_s_of(revision: Column, now: datetime) -> Column:
    """`ttl_s` of a column of revisions."""
    age_s = (f.lit(now.timestamp()) - revision / 1e6).cast("int")
    return f.least(f.lit(WINDOWS_TTL_S), f.lit(LABELLED_TTL_S - LONGEST_RUN_S) - age_s)
