"""A multilayer perceptron of MLlib on the same windows, hidden layers of 250 and 50."""

from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa
from pyspark.ml.classification import MultilayerPerceptronClassifier
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from models.exercise.model import ExerciseModel
from pipelines.experiments.job import ExperimentData, RecipeResult
from pipelines.experiments.sample import batch_rows, examples_of

HIDDEN = (250, 50)
STEPS = 60
WINDOWS = pa.schema([("label", pa.float64()), ("x", pa.list_(pa.float64()))])
ROWS_PER_BATCH = 512


def perceptron(data: ExperimentData) -> RecipeResult:
    """Train MLlib's perceptron, and evaluate it on the test split.

    Raises:
        NotEnoughLabels: the training or the test split has no window.
    """
    data.require_windows("train", "test")
    train = _vectors(data.rows("train"), data.reference)
    test = _vectors(data.rows("test"), data.reference)
    size = len(data.reference.mean)
    trainer = MultilayerPerceptronClassifier(
        layers=[size, *HIDDEN, len(data.labels)], maxIter=STEPS, seed=1, blockSize=128
    )
    model = trainer.fit(train)
    predicted = model.transform(test)
    right = (f.col("prediction") == f.col("label")).cast("double")
    [row] = predicted.agg(f.avg(right).alias("right")).collect()
    return RecipeResult(
        {
            "layers": [size, *HIDDEN, len(data.labels)],
            "windows_right": round(float(row["right"]), 4),
        }
    )


def _vectors(frame: DataFrame, reference: ExerciseModel) -> DataFrame:
    task = partial(windows_of, labels=reference.labels)
    rows = frame.mapInArrow(task, from_arrow_schema(WINDOWS))
    return rows.select("label", array_to_vector(f.col("x")).alias("features"))


def windows_of(
    batches: Iterable[pa.RecordBatch], *, labels: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """On an executor: one row per window."""
    for batch in batches:
        rows = batch_rows([batch])
        if not rows:
            continue
        x, y = examples_of(rows, labels)
        for first in range(0, len(y), ROWS_PER_BATCH):
            part = slice(first, first + ROWS_PER_BATCH)
            columns = {"label": y[part].astype(float), "x": x[part].astype(float).tolist()}
            yield pa.RecordBatch.from_pydict(columns, schema=WINDOWS)
