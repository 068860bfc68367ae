"""Iterative Reduce: workers train on their split, one average goes back, until it helps no more.

The average can serve people who were never seen: without hidden layers it is the same linear form
as the global model. It asks to serve, and the decision is made on people whom it neither learned
from nor was stopped by (pipelines/experiments/cold_start.py).
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


def averaged(beside: ExperimentData) -> RecipeResult:
    """Train on Spark's splits until those who choose say that it helps no more.

    `loss` is theirs after every round; `windows_right` is of those who judge.
    """
    best, errors = _reduced(beside)
    metrics = {
        "rounds": len(errors),
        "loss": [round(each, 4) for each in errors],
        "windows_right": round(1 - error(best, *beside.windows("judge")), 4),
    }
    return RecipeResult(metrics, to_bytes(as_global(best, beside.like)), asks_to_serve=True)


def _reduced(beside: ExperimentData) -> tuple[Perceptron, tuple[float, ...]]:
    """The best round's model by those who choose; their windows are gone with this call."""
    choosing = beside.windows("choose")
    first = start(choosing.x.shape[1], len(beside.labels), SETTINGS)
    work = partial(_round, beside.rows("learn"), beside.labels)
    return iterative_reduce(first, work, lambda one: loss(one, *choosing))


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
    """On an executor: one pass over a split, from the average that came in."""
    rows = batch_rows(batches)
    if rows:
        trained = _trained(rows, labels, content, round_number)
        yield pa.RecordBatch.from_pylist([trained], schema=TRAINED)
