"""Models that stand beside the exercise family's own, on the same windows, judged by other people.

Each is a function from a sample to metrics and, where it may serve, the bytes of a model. The run
is leased and recorded as every other; nothing of it goes live by itself.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from models.exercise.model import ExerciseModel
from pipelines.exercise import recipe_of
from pipelines.global_models import read_everybody
from pipelines.manifest import environment
from pipelines.runs import Run, RunReport, leased_run
from pipelines.sample import LAYOUT, Examples, examples_of, like_of, members, sampled
from pipelines.spark import spark_session
from schemas.config import Config
from schemas.errors import CannotLearn
from schemas.layout import GLOBAL_OWNER
from store.credentials import open_as
from store.database import Database
from store.models import Models, StoredModel, version_of


@dataclass(frozen=True, slots=True)
class Beside:
    """What a recipe learns from.

    Attributes:
        spark: the session.
        frame: rows of `pipelines.sample.SAMPLED`, computed once.
        like: the global model: standardisation, exercises and their order.
    """

    spark: SparkSession
    frame: DataFrame
    like: ExerciseModel

    @property
    def labels(self) -> tuple[str, ...]:
        """The exercises, in the order of every output."""
        return self.like.labels

    def learning(self) -> DataFrame:
        """Rows of the people who are learned from."""
        return self.frame.where("not held")

    def held(self) -> Examples:
        """Windows of the people who are held out, on the driver."""
        return examples_of([r.asDict() for r in self.frame.where("held").collect()], self.labels)


@dataclass(frozen=True, slots=True)
class Found:
    """What a recipe found: metrics, and the bytes of an exercise model, b"" where there is none."""

    metrics: Mapping[str, object]
    content: bytes = b""


def train_beside(name: str, recipe: Callable[[Beside], Found], config: Config) -> RunReport:
    """Run one recipe on a sample of people.

    Args:
        name: of the run, "exercise-..."; and of the family under which its model is kept.
        recipe: what it does.
        config: where Cassandra and Spark are.

    Raises:
        LeaseHeld: another run of this name is under way.
    """
    with (
        closing(open_as(config, "spark")) as database,
        leased_run(database, name, {}) as run,
    ):
        try:
            _learn(config, database, run, recipe)
        except CannotLearn as problem:  # too little data is an answer
            run.status = "not-learned"
            run.reasons[str(problem)] += 1
    return run.report()


def _learn(config: Config, database: Database, run: Run, recipe: Callable[[Beside], Found]) -> None:
    keys, held = members(database, config.training.seed)
    like = like_of(read_everybody(database))
    with run.step("engine"):
        spark = spark_session(config)
    frame = sampled(spark, config.cassandra.keyspace, keys, held, recipe_of(config), like)
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        with run.step("sample"):
            run.counts["sets"] = frame.count()
        run.counts |= {"people": len(keys), "held_out": len(held)}
        with run.step("learn"):
            found = recipe(Beside(spark, frame, like))
    finally:
        frame.unpersist()
    run.metrics |= found.metrics
    run.require_lease()
    if found.content:
        _keep(database, run, found)


def _keep(database: Database, run: Run, found: Found) -> None:
    sha256 = hashlib.sha256(found.content).digest()
    said = {"level": "global", "environment": environment(), "sha256": sha256.hex()}
    model = StoredModel(
        GLOBAL_OWNER,
        LAYOUT,
        run.family,
        version_of(sha256),
        found.content,
        {**said, "metrics": found.metrics},
        sha256,
        run.run_id,
        run.started_at,
    )
    asyncio.run(Models(database).put(model))
