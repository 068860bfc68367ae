"""Iterative Reduce: workers train on their partitions, and their average starts the next round.

The average may serve new users: without hidden layers it has the same linear form as the global
model. Whether it does is decided on the test split, from which it neither learned nor was stopped
by it (pipelines/experiments/cold_start.py).
"""

from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from models.exercise.codec import to_bytes
from models.exercise.perceptron import (
    Perceptron,
    PerceptronSettings,
    as_global,
    epoch,
    error,
    iterative_reduce,
    loss,
    perceptron_from_bytes,
    perceptron_to_bytes,
    start,
)
from pipelines.experiments.job import ExperimentData, RecipeResult
from pipelines.experiments.sample import batch_rows, examples_of
from pipelines.lifecycle.threads import one_blas_thread

SETTINGS = PerceptronSettings()
TRAINED = pa.schema([("windows", pa.int64()), ("model", pa.binary())])


def averaged(data: ExperimentData) -> RecipeResult:
    """Train on Spark's partitions until the validation loss does not fall any more.

    `loss` holds the validation loss of every round, `windows_right` the share of the test split.

    Raises:
        NotEnoughLabels: a split has no window.
    """
    data.require_windows("train", "test")  # before the rounds, not after them
    best, losses = _reduced(data)
    metrics = {
        "rounds": len(losses),
        "loss": [round(each, 4) for each in losses],
        "windows_right": round(1 - error(best, *data.windows("test")), 4),
    }
    return RecipeResult(metrics, to_bytes(as_global(best, data.reference)), promotable=True)


def _reduced(data: ExperimentData) -> tuple[Perceptron, tuple[float, ...]]:
    """The model of the round with the least validation loss, and all losses.

    The validation windows are in memory during this call only.
    """
    validation = data.windows("validation")
    first = start(validation.x.shape[1], len(data.labels), SETTINGS)
    train_round = partial(_round, data.rows("train"), data.labels)
    return iterative_reduce(first, train_round, lambda model: loss(model, *validation))


def _round(
    frame: DataFrame, labels: tuple[str, ...], model: Perceptron, round_number: int
) -> list[tuple[Perceptron, float]]:
    task = partial(
        trained_split, labels=labels, content=perceptron_to_bytes(model), round_number=round_number
    )
    rows = frame.mapInArrow(task, from_arrow_schema(TRAINED)).collect()
    return [(perceptron_from_bytes(bytes(row["model"])), row["windows"]) for row in rows]


@one_blas_thread()
def _trained(
    rows: list[dict[str, object]], labels: tuple[str, ...], content: bytes, round_number: int
) -> dict[str, object]:
    examples = examples_of(rows, labels)
    model = epoch(perceptron_from_bytes(content), *examples, SETTINGS, round_number)
    return {"windows": len(examples.y), "model": perceptron_to_bytes(model)}


def trained_split(
    batches: Iterable[pa.RecordBatch], *, labels: tuple[str, ...], content: bytes, round_number: int
) -> Iterator[pa.RecordBatch]:
    """On an executor: one epoch on a Spark partition, from the average of the last round."""
    rows = batch_rows(batches)
    if rows:
        trained = _trained(rows, labels, content, round_number)
        yield pa.RecordBatch.from_pylist([trained], schema=TRAINED)
