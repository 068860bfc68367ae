"""Search: candidate models and settings, trained in parallel on Spark; the best by validation.

The validation split that chose the best candidate cannot test it: the maximum of several shares is
biased upwards. The test split is not used here, so that it can test later changes.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema

from models.exercise.model import ExerciseModel
from models.exercise.search import CANDIDATES, try_candidate
from pipelines.experiments.job import ExperimentData, RecipeResult
from pipelines.experiments.sample import Examples
from pipelines.lifecycle.threads import one_blas_thread

MAX_WINDOWS = 20_000  # sent to every task as float16: 20 MB
TRIED = pa.schema([("number", pa.int32()), ("windows_right", pa.float64()), ("model", pa.binary())])


def search(data: ExperimentData) -> RecipeResult:
    """Train every candidate in a task of its own; the best on the validation split is returned."""
    train, validation = _capped(data.windows("train")), data.windows("validation")
    task = partial(
        tried, train=_small(train), validation=_small(validation), reference=data.reference
    )
    numbers = data.spark.range(len(CANDIDATES), numPartitions=len(CANDIDATES))
    results = numbers.mapInArrow(task, from_arrow_schema(TRIED)).collect()
    best = min(results, key=lambda row: (-row["windows_right"], row["number"]))
    table = {
        CANDIDATES[row["number"]].name: round(row["windows_right"], 4)
        for row in sorted(results, key=lambda row: row["number"])
    }
    return RecipeResult(
        {"table": table, "best": CANDIDATES[best["number"]].name}, bytes(best["model"])
    )


def tried(
    batches: Iterable[pa.RecordBatch],
    *,
    train: Examples,
    validation: Examples,
    reference: ExerciseModel,
) -> Iterator[pa.RecordBatch]:
    """On an executor: train the candidates of a Spark partition."""
    for number in [n for batch in batches for n in batch.column(0).to_pylist()]:
        with one_blas_thread():
            right, content = try_candidate(
                CANDIDATES[number], _wide(train), _wide(validation), reference
            )
        row = {"number": number, "windows_right": right, "model": content}
        yield pa.RecordBatch.from_pylist([row], schema=TRIED)


def _capped(examples: Examples) -> Examples:
    """Every nth window where there are too many."""
    every = -(-len(examples.y) // MAX_WINDOWS)
    return Examples(examples.x[::every], examples.y[::every])


def _small(examples: Examples) -> Examples:
    return Examples(examples.x.astype(np.float16), examples.y)


def _wide(examples: Examples) -> Examples:
    return Examples(examples.x.astype(np.float32), examples.y)
