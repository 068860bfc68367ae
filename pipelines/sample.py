"""Windows of a sample of people, for the models that stand beside the exercise family's own.

People are drawn and capped, so that none of it grows with the population. A fifth of them is held
out: whoever is judged by them has never seen these people.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from models.exercise.model import ExerciseModel
from pipelines.attempts import attempted
from pipelines.everybody import KEY, Everybody, sample
from pipelines.labelled import COLUMNS, labelled_sets, newest
from pipelines.learner import Recipe
from pipelines.plans import require_direct_join
from pipelines.scope import UserKey
from pipelines.span import Key, span_by
from pipelines.tables import read_keys
from pipelines.windows import windowed
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout
from store.database import Database
from store.training import TrainingKeys

LAYOUT = ACC6
OF_EACH = 6  # sets of an exercise that a person gives
HELD_OUT = 5  # every fifth person
SAMPLED = pa.schema(
    [
        ("user_id", pa.string()),
        ("exercise", pa.string()),
        ("held", pa.bool_()),
        ("windows", pa.int32()),
        ("x", pa.binary()),
    ]
)


class Examples(NamedTuple):
    """Standardised windows and what they are.

    Attributes:
        x: float32 (m, d).
        y: int64 (m,), index of the exercise.
    """

    x: NDArray[np.floating]
    y: NDArray[np.int64]


def members(database: Database, seed: int) -> tuple[list[UserKey], frozenset[str]]:
    """Who is asked, and who of them is held out.

    Raises:
        NotEnoughLabels: two people are needed, one to learn from and one to ask.
    """
    keys = sample(asyncio.run(TrainingKeys(database).every()), LAYOUT, seed)
    if len(keys) < 2:
        raise NotEnoughLabels(f"{len(keys)} people have labelled sets of {LAYOUT}; 2 are needed")
    return keys, frozenset(str(user) for user, _ in keys[::HELD_OUT])


def like_of(everybody: Mapping[InputLayout, Everybody]) -> ExerciseModel:
    """The global model: it gives standardisation and the order of exercises.

    Raises:
        NotEnoughLabels: there is none yet.
    """
    if LAYOUT not in everybody:
        raise NotEnoughLabels("there is no global exercise model yet: `muvr train exercise` first")
    return everybody[LAYOUT].learned.model


def sampled(
    spark: SparkSession,
    keyspace: str,
    keys: Sequence[UserKey],
    held: frozenset[str],
    recipe: Recipe,
    like: ExerciseModel,
) -> DataFrame:
    """A row per set: its windows, standardised, as float16."""
    table = read_keys(spark, keyspace, "labelled_sets", keys).columns(*COLUMNS)
    task = partial(sampled_rows, recipe=recipe, held=held, like=like)
    frame = span_by(table, KEY, task, SAMPLED)
    require_direct_join(frame)
    return frame


def sampled_rows(
    key: Key, group: pa.Table, *, recipe: Recipe, held: frozenset[str], like: ExerciseModel
) -> list[dict[str, Any]]:
    """On an executor: a person's sets; nothing of a person whose data is broken."""
    used = [one for one in newest(labelled_sets(group), OF_EACH) if one.exercise in like.labels]
    found = attempted(lambda: windowed(used, LAYOUT, recipe.windows)).value
    if found is None:
        return []
    asked = [(one, found.of[one.set_id]) for one in used]
    return [
        {
            "user_id": key[0],
            "exercise": one.exercise,
            "held": key[0] in held,
            "windows": windows.asked,
            "x": like.standardised(windows.x[: windows.asked]).astype("<f2").tobytes(),
        }
        for one, windows in asked
        if windows.asked
    ]


def examples_of(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Examples:
    """Rows of `SAMPLED` as arrays, in an order that is theirs whoever brought them.

    Raises:
        NotEnoughLabels: there is none.
    """
    if not rows:
        raise NotEnoughLabels("no sampled set is as long as a window")
    ordered = sorted(rows, key=lambda row: (row["user_id"], row["exercise"], row["x"]))
    x = [
        np.frombuffer(row["x"], "<f2").reshape(row["windows"], -1).astype(np.float32)
        for row in ordered
    ]
    y = [labels.index(row["exercise"]) for row in ordered]
    return Examples(np.concatenate(x), np.repeat(y, [len(each) for each in x]))


def batch_rows(batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    """All rows of a split."""
    return [row for batch in batches for row in batch.to_pylist()]
