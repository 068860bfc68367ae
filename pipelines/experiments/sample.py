"""Windows of a sample of people, for the models that stand beside the exercise family's own.

People are drawn and capped, so that none of it grows with the population. They are parted three
ways: most are learned from; a tenth choose, by whose error rounds end and candidates are compared;
a fifth judge, and nothing has been learned from them or chosen by them.
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
from pipelines.exercise.everybody import Everybody
from pipelines.exercise.labelled import COLUMNS, labelled_sets, newest
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import windowed
from pipelines.keys import KEY, Key, UserKey
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.members import sample
from pipelines.spark.plans import require_direct_join
from pipelines.spark.span import span_by
from pipelines.spark.tables import read_keys
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout
from store.database import Database
from store.training import TrainingKeys

LAYOUT = ACC6
OF_EACH = 6  # sets of an exercise that a person gives
JUDGE_OF, CHOOSER_OF = 5, 10  # people: the first of so many judges, the second of so many chooses
LEAST_PEOPLE: Final = 3  # one for each part
Part = Literal["learn", "choose", "judge"]
"""What a person of the sample is there for."""
SAMPLED = pa.schema(
    [
        ("user_id", pa.string()),
        ("exercise", pa.string()),
        ("part", pa.string()),
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


def members(database: Database, seed: int) -> dict[UserKey, Part]:
    """The people of the sample, each with the part that they have in it.

    Raises:
        NotEnoughLabels: fewer than three people.
    """
    return parted(sample(asyncio.run(TrainingKeys(database).all()), LAYOUT, seed))


def parted(lot: Sequence[UserKey]) -> dict[UserKey, Part]:
    """People by what they are there for: of three one each, of ten two judge and one chooses.

    Args:
        lot: people in the order of `pipelines.lifecycle.members.sample`.

    >>> list(parted([(str(n), ACC6) for n in range(6)]).values())
    ['judge', 'choose', 'learn', 'learn', 'learn', 'judge']

    Raises:
        NotEnoughLabels: fewer than three people: nobody would be left for one of the parts.
    """
    if len(lot) < LEAST_PEOPLE:
        raise NotEnoughLabels(
            f"{len(lot)} people have labelled sets of {LAYOUT}; {LEAST_PEOPLE} are needed: one to "
            "learn from, one to choose by, one to judge"
        )
    return {key: _part_of(place) for place, key in enumerate(lot)}


def _part_of(place: int) -> Part:
    if place % JUDGE_OF == 0:
        return "judge"
    return "choose" if place % CHOOSER_OF == 1 else "learn"


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
    people: Mapping[UserKey, Part],
    recipe: Recipe,
    like: ExerciseModel,
) -> DataFrame:
    """A row per set: its windows, standardised, as float16."""
    table = read_keys(spark, keyspace, "labelled_sets", list(people)).columns(*COLUMNS)
    parts: dict[str, Part] = {str(user): part for (user, _), part in people.items()}
    task = partial(sampled_rows, recipe=recipe, parts=parts, like=like)
    frame = span_by(table, KEY, task, SAMPLED)
    require_direct_join(frame)
    return frame


def sampled_rows(
    key: Key, group: pa.Table, *, recipe: Recipe, parts: Mapping[str, Part], like: ExerciseModel
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
            "part": parts[str(key[0])],
            "windows": windows.evaluation_rows,
            "x": like.standardised(windows.x[: windows.evaluation_rows]).astype("<f2").tobytes(),
        }
        for one, windows in asked
        if windows.evaluation_rows
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
