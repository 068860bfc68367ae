"""The exercise job's two passes over labelled sets: sums for the global model, users' models."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pyarrow as pa

from pipelines.exercise.global_fit import (
    MEMBER_SUMS,
    portion_rows,
    portions_of,
    require_whole_portions,
)
from pipelines.exercise.kept_windows import WINDOW_WRITER
from pipelines.exercise.labelled import COLUMNS
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.rows import LEARNED, FitContext, learned_row
from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import Engine, Partitions, Pass
from pipelines.lifecycle.labelled_partitions import partition_table
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.user_models import USER_MODEL_WRITER
from store.database import Database
from store.labelled_sets import LabelledSets


def read_training_sets(database: Database, key: UserKey) -> pa.Table:
    """A user's labelled sets, in the form in which Spark hands them over."""
    return partition_table(asyncio.run(LabelledSets(database).training_sets(*key)), key, COLUMNS)


LABELLED_SETS = Partitions("labelled_sets", COLUMNS, read_training_sets)


def global_sums(engine: Engine, keys: Sequence[UserKey], recipe: Recipe, run: Run) -> list[Row]:
    """Sum the members' statistics, and store their windows for the next pass.

    Returns:
        rows of `MEMBER_SUMS` without the windows, in no particular order.

    Raises:
        SpanBroken: Spark summed something else than whole portions.
    """
    portions = portions_of(keys)
    rows = engine.learn_portions(portions, sums_pass(recipe), run)
    require_whole_portions(rows, portions)
    return rows


def sums_pass(recipe: Recipe) -> Pass:
    """The pass from portions of members to their sums."""
    return Pass(LABELLED_SETS, partial(portion_rows, recipe=recipe), MEMBER_SUMS, (WINDOW_WRITER,))


def learning_pass(context: FitContext) -> Pass:
    """The pass from a user's sets in a layout to a model, or the reason why there is none."""
    task = partial(learned_row, context=context)
    return Pass(LABELLED_SETS, task, LEARNED, (USER_MODEL_WRITER, WINDOW_WRITER))
