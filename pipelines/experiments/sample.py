"""Windows of a sample of users, split into training, validation and test, for experiments.

Users are sampled and capped, so that the cost does not grow with the population. A tenth are for
validation: their error stops rounds and chooses between candidates. A fifth are for testing:
nothing has been learned from them or chosen by them. The others are for training.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from models.exercise.model import ExerciseModel
from pipelines.exercise.global_fit import GlobalModels
from pipelines.exercise.labelled import COLUMNS, labelled_sets, newest
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import find_windows
from pipelines.keys import KEY, Key, Row, UserKey
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.members import sample
from pipelines.spark.plans import require_direct_join
from pipelines.spark.span import span_by
from pipelines.spark.tables import read_keys
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6
from store.database import Database
from store.labelled_sets import LabelledSets

LAYOUT = ACC6
SETS_PER_EXERCISE = 6  # of a user
TEST_EVERY, VALIDATION_EVERY = 5, 10  # users: the first of 5 tests, the second of 10 validates
MIN_PEOPLE: Final = 3  # one for each split
Split = Literal["train", "validation", "test"]
"""The part of the sample that a user belongs to."""
SPLIT_VERBS: Mapping[Split, str] = {"train": "learn", "validation": "choose", "test": "judge"}
"""What the users of a split are for, in the words of error messages."""
SAMPLED = pa.schema(
    [
        ("user_id", pa.string()),
        ("exercise", pa.string()),
        ("split", pa.string()),
        ("windows", pa.int32()),
        ("x", pa.binary()),
    ]
)


class Examples(NamedTuple):
    """Standardised windows and their labels.

    Attributes:
        x: float32 (m, d).
        y: int64 (m,), index of the exercise.
    """

    x: NDArray[np.floating]
    y: NDArray[np.int64]


def members(database: Database, seed: int) -> dict[UserKey, Split]:
    """The users of the sample, each with its split.

    Raises:
        NotEnoughLabels: fewer than three users.
    """
    return split_people(sample(asyncio.run(LabelledSets(database).keys()), LAYOUT, seed))


def split_people(people: Sequence[UserKey]) -> dict[UserKey, Split]:
    """Split users: of three one each, of ten two for testing and one for validation.

    Args:
        people: users in the order of `pipelines.lifecycle.members.sample`.

    >>> list(split_people([(str(n), ACC6) for n in range(6)]).values())
    ['test', 'validation', 'train', 'train', 'train', 'test']

    Raises:
        NotEnoughLabels: fewer than three users: one of the splits would be empty.
    """
    if len(people) < MIN_PEOPLE:
        raise NotEnoughLabels(
            f"{len(people)} people have labelled sets of {LAYOUT}; {MIN_PEOPLE} are needed: one to "
            "learn from, one to choose by, one to judge"
        )
    return {key: _split_of(index) for index, key in enumerate(people)}


def _split_of(index: int) -> Split:
    if index % TEST_EVERY == 0:
        return "test"
    return "validation" if index % VALIDATION_EVERY == 1 else "train"


def reference_model(global_models: GlobalModels) -> ExerciseModel:
    """The serving global model: it gives standardisation and the order of exercises.

    Raises:
        NotEnoughLabels: there is none yet.
    """
    if LAYOUT not in global_models:
        raise NotEnoughLabels("there is no global exercise model yet: `muvr train exercise` first")
    return global_models[LAYOUT].learned.model


def sampled(
    spark: SparkSession,
    keyspace: str,
    people: Mapping[UserKey, Split],
    recipe: Recipe,
    reference: ExerciseModel,
) -> DataFrame:
    """One row per set: its windows, standardised, as float16."""
    table = read_keys(spark, keyspace, "labelled_sets", list(people)).columns(*COLUMNS)
    splits: dict[str, Split] = {str(user): split for (user, _), split in people.items()}
    task = partial(sampled_rows, recipe=recipe, splits=splits, reference=reference)
    frame = span_by(table, KEY, task, SAMPLED)
    require_direct_join(frame)
    return frame


def sampled_rows(
    key: Key,
    group: pa.Table,
    *,
    recipe: Recipe,
    splits: Mapping[str, Split],
    reference: ExerciseModel,
) -> list[Row]:
    """On an executor: one user's sets; none of a user whose data is broken."""
    sets = newest(labelled_sets(group), SETS_PER_EXERCISE)
    used = [row for row in sets if row.exercise in reference.labels]
    found = attempted(lambda: find_windows(used, LAYOUT, recipe.windows)).value
    if found is None:
        return []
    return [
        {
            "user_id": key[0],
            "exercise": row.exercise,
            "split": splits[str(key[0])],
            "windows": windows.evaluation_rows,
            "x": reference.standardised(windows.x[: windows.evaluation_rows])
            .astype("<f2")
            .tobytes(),
        }
        for row, windows in ((row, found.by_set[row.set_id]) for row in used)
        if windows.evaluation_rows
    ]


def examples_of(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Examples:
    """Rows of `SAMPLED` as arrays, in an order that does not depend on that of the rows.

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
    return Examples(np.concatenate(x), np.repeat(y, [len(windows) for windows in x]))


def batch_rows(batches: Iterable[pa.RecordBatch]) -> list[Row]:
    """All rows of a Spark partition."""
    return [row for batch in batches for row in batch.to_pylist()]
