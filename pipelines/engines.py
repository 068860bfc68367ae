"""Two ways to run the same functions over users' partitions: on Spark, and in this process.

Both call `given_rows` and `learned_row`; the bytes of the models are the same.
"""

import asyncio
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from pipelines.everybody import GIVEN, KEY, given_rows, portions_of, portions_whole
from pipelines.labelled import COLUMNS
from pipelines.learner import Recipe
from pipelines.lesson import LEARNED, Lesson, learned_row
from pipelines.plans import require_direct_join, require_no_shuffle
from pipelines.runs import Run
from pipelines.scope import Scope, UserKey
from pipelines.span import Key, keys_once, span_by
from pipelines.tables import append, read_keys, read_portions, read_table
from pipelines.windows import KEPT_S, keep_s
from schemas.layout import LABELLED_S
from store.database import Database
from store.models import Models, StoredModel
from store.training import KeptWindows, TrainingSet, TrainingSets

FAMILY = "exercise"
HEAVY = ("bytes", "manifest", "fresh")
ROWS_OUT = 8  # a row may carry windows of all of a user's sets
MODEL_COLUMNS = (
    "owner",
    "model_id",
    "family",
    "version",
    "bytes",
    "manifest",
    "sha256",
    "run_id",
    "created_at",
)
Row = dict[str, Any]


class Engine(Protocol):
    """Runs the family's functions over partitions of `labelled_sets`."""

    def given(self, keys: Sequence[UserKey], recipe: Recipe, run: Run) -> list[Row]:
        """What users give to the global model: rows of `GIVEN`, in no particular order."""
        ...

    def learned(self, scope: Scope, lesson: Lesson, run: Run) -> list[Row]:
        """Learn, keep the models, and return the rows without their bytes."""
        ...


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Every partition where Spark reads it; one pass, no shuffle."""

    spark: SparkSession
    keyspace: str

    def given(self, keys: Sequence[UserKey], recipe: Recipe, run: Run) -> list[Row]:
        """What users give to the global model; their windows are there for the next step."""
        portions = portions_of(keys)
        if not portions:
            return []
        with kept_on_disk(self.portions(portions, recipe)) as frame:
            self._keep_windows(frame, run)
            rows = [row.asDict() for row in frame.drop(*HEAVY).collect()]
            keys_once(rows, KEY)
            portions_whole(rows, portions)
        return rows

    def portions(self, portions: Sequence[Sequence[UserKey]], recipe: Recipe) -> DataFrame:
        """One row per member; a portion is a task, so that its sum leaves the worker and no more.

        Raises:
            PlanViolated: the plan reads more than the asked keys.
        """
        table = read_portions(self.spark, self.keyspace, "labelled_sets", portions)
        task = partial(given_rows, recipe=recipe)
        largest = max(map(len, portions))
        spanned = span_by(
            table.columns(*COLUMNS), KEY, task, GIVEN, rows_out=ROWS_OUT, together=largest
        )
        require_direct_join(spanned)
        return spanned

    def learned(self, scope: Scope, lesson: Lesson, run: Run) -> list[Row]:
        """Learn on the executors; models go from there to Cassandra."""
        with kept_on_disk(self.frame(scope, lesson)) as frame:
            rows = [row.asDict() for row in frame.drop(*HEAVY).collect()]
            keys_once(rows, KEY)
            run.require_lease()
            self._keep(frame, run)
            self._keep_windows(frame, run)
        return rows

    def frame(self, scope: Scope, lesson: Lesson) -> DataFrame:
        """One row per user and layout: a model, or the reason why there is none.

        Raises:
            PlanViolated: the plan shuffles, or reads more than the asked keys.
        """
        if scope.whole:
            table = read_table(self.spark, self.keyspace, "labelled_sets")
        else:
            table = read_keys(self.spark, self.keyspace, "labelled_sets", scope.keys)
        task = partial(learned_row, lesson=lesson)
        learned = span_by(table.columns(*COLUMNS), KEY, task, LEARNED, rows_out=ROWS_OUT)
        require_no_shuffle(learned)
        if not scope.whole:
            require_direct_join(learned)
        return learned

    def _keep(self, learned: DataFrame, run: Run) -> None:
        """Write models before any pointer moves: bytes without a pointer harm nobody."""
        kept = learned.where("status = 'learned'").select(
            "owner",
            "model_id",
            "version",
            "bytes",
            "manifest",
            "sha256",
            f.lit(FAMILY).alias("family"),
            f.lit(str(run.run_id)).alias("run_id"),
            f.lit(run.started_at).alias("created_at"),
        )
        append(kept.select(*MODEL_COLUMNS), self.keyspace, "models")

    def _keep_windows(self, learned: DataFrame, run: Run) -> None:
        """Keep windows in the rows of their sets, at the time of the revision they are of.

        A set that is deleted meanwhile takes them along: its deletion is newer.
        """
        fresh = learned.select("user_id", "model_id", f.inline("fresh"))
        fresh = fresh.withColumn("keep_s", keep_s_of(f.col("revision"), run.started_at))
        append(
            fresh.where("keep_s > 0"),
            self.keyspace,
            "labelled_sets",
            writetime="revision",
            ttl="keep_s",
        )


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One partition after the other in this process: for one user, for tests, for comparison."""

    database: Database

    def given(self, keys: Sequence[UserKey], recipe: Recipe, run: Run) -> list[Row]:
        """What users give to the global model."""
        rows: list[Row] = []
        for portion in portions_of(keys):
            rows += given_rows([self._partition(key) for key in portion], recipe=recipe)
        for row in rows:
            self._keep_windows(row, run)
        return rows

    def learned(self, scope: Scope, lesson: Lesson, run: Run) -> list[Row]:
        """Learn here and keep the models."""
        kept: list[Row] = []
        for key in scope.keys:
            for row in learned_row(*self._partition(key), lesson=lesson):
                run.require_lease()
                if row["status"] == "learned":
                    asyncio.run(
                        Models(self.database).put(stored_model(row, run.run_id, run.started_at))
                    )
                    self._keep_windows(row, run)
                kept.append({name: row.get(name) for name in LEARNED.names if name not in HEAVY})
        return kept

    def _partition(self, key: UserKey) -> tuple[Key, pa.Table]:
        """A partition as Spark would hand it over."""
        return key_of(key), partition_of(asyncio.run(TrainingSets(self.database).read(*key)), key)

    def _keep_windows(self, row: Row, run: Run) -> None:
        kept = kept_windows(row, run.started_at)
        key = UUID(row["user_id"]), row["model_id"]
        asyncio.run(TrainingSets(self.database).keep(*key, kept))


def keep_s_of(revision: Column, now: datetime) -> Column:
    """`keep_s` of a column of revisions."""
    age_s = (f.lit(now.timestamp()) - revision / 1e6).cast("int")
    return f.least(f.lit(KEPT_S), f.lit(LABELLED_S) - age_s)


def key_of(key: UserKey) -> Key:
    """A partition's key as Spark would hand it over."""
    return str(key[0]), key[1]


def partition_of(sets: Sequence[TrainingSet], key: UserKey) -> pa.Table:
    """A partition's rows as Spark would hand them over."""
    rows = [
        {"user_id": str(key[0]), "model_id": key[1], **one._asdict(), "set_id": str(one.set_id)}
        for one in sets
    ]
    return pa.table({name: [row[name] for row in rows] for name in COLUMNS})


def kept_windows(row: Row, at: datetime) -> list[KeptWindows]:
    """What a row that was learned just now leaves for the next time."""
    return [
        KeptWindows(
            UUID(one["set_id"]), one["revision"], one["features"], keep_s(one["revision"], at)
        )
        for one in row["fresh"]
    ]


@contextmanager
def kept_on_disk(frame: DataFrame) -> Generator[DataFrame]:
    """A frame that is computed once however often it is asked."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        yield frame
    finally:
        frame.unpersist()


def stored_model(row: Row, run_id: UUID, at: datetime) -> StoredModel:
    """A row that was learned just now, as it is kept."""
    return StoredModel(
        row["owner"],
        row["model_id"],
        FAMILY,
        row["version"],
        row["bytes"],
        json.loads(row["manifest"]),
        row["sha256"],
        run_id,
        at,
    )
