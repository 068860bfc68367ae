"""Experiments: trains other models on the windows of the exercise family, and evaluates them.

Each is a function from a sample to metrics and, where it may serve, the bytes of a model. The run
is leased and recorded like any other. Only a recipe that wants to be promoted may go live, for
users without a model of their own, and only when it is better for the test users.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from models.exercise.codec import from_bytes
from models.exercise.model import ExerciseModel
from pipelines.exercise.global_fit import GlobalModels
from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.passes import global_sums
from pipelines.exercise.recipes import named_recipe, recipe_of
from pipelines.experiments.cold_start import (
    compare_models,
    held_out_users,
    model_of_sums,
)
from pipelines.experiments.promotion import promote_winner
from pipelines.experiments.sample import (
    LAYOUT,
    SPLIT_VERBS,
    Examples,
    Split,
    examples_of,
    members,
    reference_model,
    sampled,
)
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job, open_job
from pipelines.lifecycle.members import drawn_from
from pipelines.lifecycle.pointers import served_versions
from pipelines.lifecycle.runs import RunReport
from pipelines.spark.persist import persisted
from schemas.config import Config
from schemas.errors import CannotLearn, NotEnoughLabels
from schemas.families import EXERCISE
from schemas.progress import Progress
from store.database import Database
from store.jobs import JobRuns
from store.labelled_sets import LabelledSets
from store.models import ModelKey, Models, StoredModel


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """The data that a recipe learns from.

    Attributes:
        spark: the session.
        frame: rows of `pipelines.experiments.sample.SAMPLED`, computed once.
        reference: the global model: standardisation, exercises and their order.
    """

    spark: SparkSession
    frame: DataFrame
    reference: ExerciseModel

    @property
    def labels(self) -> tuple[str, ...]:
        """The exercises, in the order of every output."""
        return self.reference.labels

    def rows(self, split: Split) -> DataFrame:
        """The rows of one split."""
        return self.frame.where(f.col("split") == split)

    def windows(self, split: Split) -> Examples:
        """The windows of one split, on the driver.

        Raises:
            NotEnoughLabels: there is none.
        """
        self.require_windows(split)
        return examples_of([row.asDict() for row in self.rows(split).collect()], self.labels)

    def require_windows(self, *splits: Split) -> None:
        """Refuse to go on without a window in each of these splits.

        Raises:
            NotEnoughLabels: a split has none.
        """
        for split in splits:
            if self.rows(split).isEmpty():
                sentence = f"no set of the people who {SPLIT_VERBS[split]} is as long as a window"
                raise NotEnoughLabels(sentence)


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """The result of a recipe.

    Attributes:
        metrics: of the model.
        content: bytes of an exercise model, b"" where there is none.
        promotable: whether the model may serve users who have none of their own.
    """

    metrics: Mapping[str, object]
    content: bytes = b""
    promotable: bool = False


def train_experiment(
    name: str,
    recipe: Callable[[ExperimentData], RecipeResult],
    config: Config,
    *,
    only_changed: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """Run one recipe on a sample of users.

    Args:
        name: of the run, "exercise-..."; and of the family under which its model is stored.
        recipe: the function to run.
        config: where Cassandra and Spark are.
        only_changed: do nothing when the global model is the same as in the last run.
        progress: is told about Spark's start and its tasks.

    Raises:
        LeaseHeld: another run of this name is under way.
    """
    with open_job(config, name, {}, progress=progress) as job:
        try:
            served = served_versions(job.database, (EXERCISE,))
            global_models = read_global_models(job.database)
            learned_from = named_recipe(recipe_of(config), global_models).name
            if not asyncio.run(LabelledSets(job.database).keys()) or (
                only_changed and learned_from == _learned_from(job.database, name)
            ):
                job.run.status, overtaken = "nothing-to-do", False
            else:
                overtaken = _learn(job, global_models, served, recipe)
            if not overtaken:  # or the next run would have nothing to do
                job.run.metrics["learned_from"] = learned_from
        except CannotLearn as problem:  # too little data is not a failure
            job.run.status = "not-learned"
            job.run.reasons[str(problem)] += 1
    return job.run.report()


def _learned_from(database: Database, name: str) -> object:
    """The recipe name, with the global models' versions, of the newest finished run; else None."""
    runs = asyncio.run(JobRuns(database).newest(name))
    names = (run.metrics.get("learned_from") for run in runs)
    return next((name for name in names if name), None)


def _learn(
    job: Job,
    global_models: GlobalModels,
    served: Mapping[ModelKey, str],
    recipe: Callable[[ExperimentData], RecipeResult],
) -> bool:
    """Sample users, run the recipe, store its model, and promote it if it wins.

    Returns:
        whether the comparison was overtaken.
    """
    run, settings = job.run, recipe_of(job.config)
    users = members(job.database, job.config.training.seed)
    reference = reference_model(global_models)
    spark = job.spark()
    with persisted(sampled(spark, job.keyspace, users, settings, reference)) as frame:
        with run.step("sample"):
            run.counts["sets"] = frame.count()
        sizes = Counter(users.values())
        run.counts |= {
            "people": len(users),
            "choosing": sizes["validation"],
            "judging": sizes["test"],
        }
        with run.step("learn"):
            result = recipe(ExperimentData(spark, frame, reference))
    run.metrics |= result.metrics
    run.require_lease()
    if result.content:
        _store(job, result)
    if not result.promotable:
        return False
    with run.step("judge"):
        others = [key for key, split in users.items() if split != "test"]
        sums = model_of_sums(global_sums(engine_of(job), others, settings, run))
        test_keys = [key for key, split in users.items() if split == "test"]
        test_users = held_out_users(job.database, test_keys, settings)
    comparison = compare_models(from_bytes(result.content), sums, test_users)
    drawn = drawn_from((user_id for user_id, _ in users), job.config.training.seed)
    stored = global_models[LAYOUT]
    return promote_winner(job, stored, result.content, comparison, drawn, served).overtaken


def _store(job: Job, result: RecipeResult) -> None:
    """Store the recipe's model under the run's name; no pointer leads to it."""
    run, key = job.run, ModelKey.of_global(LAYOUT, job.run.family)
    manifest = {"level": "global", "environment": environment(), "metrics": result.metrics}
    model = StoredModel.of(key, result.content, manifest, run.run_id, run.clock())
    asyncio.run(Models(job.database).put(model))
