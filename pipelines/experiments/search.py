"""Search: models and settings, trained in parallel on Spark, the best by validation kept.

The people who chose the best candidate cannot judge it: luck flatters the largest of several
shares. Those who judge are not asked here, so that whatever changes after a search can still be
judged by them.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema

from models.exercise.search import CANDIDATES, try_candidate
from pipelines.experiments.job import ExperimentData, RecipeResult
from pipelines.experiments.sample import Examples
from pipelines.lifecycle.threads import one_blas_thread

MOST_WINDOWS = 20_000  # they travel to every task as float16: 20 MB
TRIED = pa.schema([("number", pa.int32()), ("windows_right", pa.float64()), ("model", pa.binary())])


def search(beside: ExperimentData) -> RecipeResult:
    """Try every candidate in a task of its own; the people who choose say which is the best."""
    learn, held = _capped(beside.windows("learn")), beside.windows("choose")
    task = partial(tried, learn=_small(learn), held=_small(held), like=beside.like)
    numbers = beside.spark.range(len(CANDIDATES), numPartitions=len(CANDIDATES))
    found = numbers.mapInArrow(task, from_arrow_schema(TRIED)).collect()
    best = min(found, key=lambda row: (-row["windows_right"], row["number"]))
    table = {
        CANDIDATES[row["number"]].name: round(row["windows_right"], 4)
        for row in sorted(found, key=lambda row: row["number"])
    }
    return RecipeResult(
        {"table": table, "best": CANDIDATES[best["number"]].name}, bytes(best["model"])
    )


def tried(
    batches: Iterable[pa.RecordBatch], *, learn: Examples, held: Examples, like: object
) -> Iterator[pa.RecordBatch]:
    """On an executor: the candidates of a split."""
    for number in [n for batch in batches for n in batch.column(0).to_pylist()]:
        right, content = one_blas_thread()(try_candidate)(
            CANDIDATES[number],
            _wide(learn),
            _wide(held),
            like,  # pyright: ignore[reportArgumentType]
        )
        row = {"number": number, "windows_right": right, "model": content}
        yield pa.RecordBatch.from_pylist([row], schema=TRIED)


def _capped(examples: Examples) -> Examples:
    """Every nth window where there are too many."""
    every = -(-len(examples.y) // MOST_WINDOWS)
    return Examples(examples.x[::every], examples.y[::every])


def _small(examples: Examples) -> Examples:
    return Examples(examples.x.astype(np.float16), examples.y)


def _wide(examples: Examples) -> Examples:
    return Examples(examples.x.astype(np.float32), examples.y)
