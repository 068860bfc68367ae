"""The exercise job's two passes over labelled sets: sums for everybody, then each user's model."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pyarrow as pa

from pipelines.exercise.everybody import GIVEN, portion_rows, portions_of, portions_whole
from pipelines.exercise.kept_windows import KEPT_WINDOWS
from pipelines.exercise.labelled import COLUMNS
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.rows import LEARNED, FitContext, learned_row
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import Engine, Partitions, Pass
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.user_models import USER_MODELS
from store.database import Database
from store.training import TrainingSet, TrainingSets


def read_partition(database: Database, key: UserKey) -> pa.Table:
    """A user's labelled sets as Spark would hand them over."""
    return partition_of(asyncio.run(TrainingSets(database).read(*key)), key)


def partition_of(sets: Sequence[TrainingSet], key: UserKey) -> pa.Table:
    """Rows of a partition as Spark would hand them over."""
    rows = [
        {"user_id": str(key[0]), "model_id": key[1], **one._asdict(), "set_id": str(one.set_id)}
        for one in sets
    ]
    return pa.table({name: [row[name] for row in rows] for name in COLUMNS})


LABELLED_SETS = Partitions("labelled_sets", COLUMNS, read_partition)


def global_sums(engine: Engine, keys: Sequence[UserKey], recipe: Recipe, run: Run) -> list[Row]:
    """What users give to the global model; their windows are there for the next pass.

    Returns:
        rows of `GIVEN` without their windows, in no particular order.

    Raises:
        SpanBroken: Spark summed up something else than portions.
    """
    portions = portions_of(keys)
    rows = engine.portions(portions, sums_pass(recipe), run)
    portions_whole(rows, portions)
    return rows


def sums_pass(recipe: Recipe) -> Pass:
    """Portions of users to their sums."""
    return Pass(LABELLED_SETS, partial(portion_rows, recipe=recipe), GIVEN, (KEPT_WINDOWS,))


def learning_pass(lesson: FitContext) -> Pass:
    """A user and layout to a model, or to the reason why there is none."""
    task = partial(learned_row, lesson=lesson)
    return Pass(LABELLED_SETS, task, LEARNED, (USER_MODELS, KEPT_WINDOWS))
