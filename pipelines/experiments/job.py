"""Trains other models on the windows of the exercise family, and has other people judge them.

Each is a function from a sample to metrics and, where it may serve, the bytes of a model. The run
is leased and recorded as every other. Only a model that asks for it may go live, to people who have
none of their own, and only when held-out people are better served by it.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from models.exercise.codec import from_bytes
from models.exercise.model import ExerciseModel
from pipelines.exercise.everybody import Everybody
from pipelines.exercise.gate import Contest
from pipelines.exercise.global_models import (
    REDUCED,
    SUMS,
    promote_global,
    promote_sums,
    read_everybody,
    recipe_that_serves,
)
from pipelines.exercise.job import recipe_of
from pipelines.exercise.passes import global_sums
from pipelines.exercise.users import named_recipe
from pipelines.experiments.cold_start import judged, strangers_of, sums_of
from pipelines.experiments.sample import (
    LAYOUT,
    Examples,
    Part,
    examples_of,
    like_of,
    members,
    sampled,
)
from pipelines.lifecycle.engines import engine_of
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job, opened_job
from pipelines.lifecycle.runs import RunReport
from pipelines.spark.persist import kept_on_disk
from schemas.config import Config
from schemas.errors import CannotLearn, NotEnoughLabels
from schemas.ids import version_of
from schemas.inputs import InputLayout
from schemas.layout import GLOBAL_OWNER
from schemas.progress import Progress
from store.database import Database
from store.jobs import JobRuns
from store.models import Models, StoredModel
from store.training import TrainingKeys

Everybodies = Mapping[InputLayout, Everybody]


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """What a recipe learns from.

    Attributes:
        spark: the session.
        frame: rows of `pipelines.experiments.sample.SAMPLED`, computed once; each says which part
            its person has.
        like: the global model: standardisation, exercises and their order.
    """

    spark: SparkSession
    frame: DataFrame
    like: ExerciseModel

    @property
    def labels(self) -> tuple[str, ...]:
        """The exercises, in the order of every output."""
        return self.like.labels

    def rows(self, part: Part) -> DataFrame:
        """Rows of the people of one part."""
        return self.frame.where(f.col("part") == part)

    def windows(self, part: Part) -> Examples:
        """Their windows, on the driver.

        Raises:
            NotEnoughLabels: there is none.
        """
        rows = [row.asDict() for row in self.rows(part).collect()]
        if not rows:
            raise NotEnoughLabels(f"no set of the people who {part} is as long as a window")
        return examples_of(rows, self.labels)


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """What a recipe found.

    Attributes:
        metrics: of what it learned.
        content: bytes of an exercise model, b"" where there is none.
        asks_to_serve: whether it may serve people who have no model of their own.
    """

    metrics: Mapping[str, object]
    content: bytes = b""
    asks_to_serve: bool = False


def train_experiment(
    name: str,
    recipe: Callable[[ExperimentData], RecipeResult],
    config: Config,
    *,
    only_changed: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """Run one recipe on a sample of people.

    Args:
        name: of the run, "exercise-..."; and of the family under which its model is kept.
        recipe: what it does.
        config: where Cassandra and Spark are.
        only_changed: do nothing when the global model is the same as at the run before.
        progress: is told of Spark's start and of its tasks.

    Raises:
        LeaseHeld: another run of this name is under way.
    """
    with opened_job(config, name, {}, progress=progress) as job:
        try:
            everybody = read_everybody(job.database)
            learned_from = named_recipe(recipe_of(config), everybody).name
            if not asyncio.run(TrainingKeys(job.database).all()) or (
                only_changed and learned_from == _learned_from(job.database, name)
            ):
                job.run.status = "nothing-to-do"
            else:
                _learn(job, everybody, recipe)
            job.run.metrics["learned_from"] = learned_from
        except CannotLearn as problem:  # too little data is an answer
            job.run.status = "not-learned"
            job.run.reasons[str(problem)] += 1
    return job.run.report()


def _learned_from(database: Database, name: str) -> object:
    """The global model beside which the newest finished run was made; None before there is one."""
    runs = asyncio.run(JobRuns(database).newest(name))
    said = (run.metrics.get("learned_from") for run in runs)
    return next((one for one in said if one), None)


def _learn(
    job: Job, everybody: Everybodies, recipe: Callable[[ExperimentData], RecipeResult]
) -> None:
    run = job.run
    people = members(job.database, job.config.training.seed)
    like = like_of(everybody)
    spark = job.spark()
    with kept_on_disk(sampled(spark, job.keyspace, people, recipe_of(job.config), like)) as frame:
        with run.step("sample"):
            run.counts["sets"] = frame.count()
        of = Counter(people.values())
        run.counts |= {"people": len(people), "choosing": of["choose"], "judging": of["judge"]}
        with run.step("learn"):
            found = recipe(ExperimentData(spark, frame, like))
    run.metrics |= found.metrics
    run.require_lease()
    if found.content:
        _keep(job, found)
    if found.asks_to_serve:
        with run.step("judge"):
            others = [key for key, part in people.items() if part != "judge"]
            rival = sums_of(global_sums(engine_of(job), others, recipe_of(job.config), run))
            judges = [key for key, part in people.items() if part == "judge"]
            strangers = strangers_of(job.database, judges, recipe_of(job.config))
        said = judged(from_bytes(found.content), rival, strangers)
        _choose(job, everybody[LAYOUT], found, said)


def _choose(job: Job, sums: Everybody, found: RecipeResult, said: Contest) -> None:
    """Let the better recipe serve, and say by how much it is the better one."""
    run, serves = job.run, REDUCED if said.takes_over else SUMS
    run.metrics["cold_start"] = {"serves": serves, **asdict(said)}
    run.require_lease()
    if said.takes_over:
        manifest = {"recipe": REDUCED, "everybody": sums.version, "metrics": asdict(said)}
        kept_back = promote_global(
            job.database, LAYOUT, found.content, manifest, run_id=run.run_id, at=run.started_at
        )
    else:
        kept_back = promote_sums(job.database, LAYOUT, sums, run_id=run.run_id, at=run.started_at)
    if kept_back:
        run.status = "refused"
        run.reasons[kept_back] += 1
        serves = asyncio.run(recipe_that_serves(job.database, LAYOUT))
        run.metrics["cold_start"] = {"serves": serves, **asdict(said)}


def _keep(job: Job, found: RecipeResult) -> None:
    run = job.run
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
    asyncio.run(Models(job.database).put(model))
