"""The batched grid search of intensity against Spark ML's `TrainValidationSplit`, on one user."""

import numpy as np
import pytest
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.linalg import Vectors
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import ParamGridBuilder, TrainValidationSplit
from pyspark.sql import functions as f

from models.history import SetLog
from models.intensity.fit import IntensitySettings, fit_grid, training_rows
from models.intensity.ridge import moments
from models.population.simulate import simulate_user

SETTINGS = IntensitySettings()
RATIO, SEED = 0.75, 11


# Spark ML leaves the pool of threads in which it fits the grid to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning")
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function Pool:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("person", [0, 3])
def test_grid_search_equals_spark_ml_on_the_same_split(spark, person):
    """Spark ML splits at random, Muvr by time: here both use Spark's split."""
    log = SetLog.of(simulate_user(person, 16, 14, 6).sets())
    rows = training_rows(log, SETTINGS)
    table = [(Vectors.dense(x), float(y)) for x, y in zip(rows.x, rows.y, strict=True)]
    frame = spark.createDataFrame(table, ["features", "label"]).coalesce(1).cache()
    estimator = LinearRegression(solver="normal")
    grid = (
        ParamGridBuilder()
        .addGrid(estimator.regParam, list(SETTINGS.reg_params))
        .addGrid(estimator.fitIntercept, list(SETTINGS.fit_intercepts))
        .build()
    )
    search = TrainValidationSplit(
        estimator=estimator,
        estimatorParamMaps=grid,
        evaluator=RegressionEvaluator(metricName="rmse"),
        trainRatio=RATIO,
        seed=SEED,
    ).fit(frame)
    drawn = [row[0] for row in frame.select(f.rand(SEED)).collect()]
    frame.unpersist()

    early = np.array(drawn) < RATIO
    ours = fit_grid(
        moments(rows.x[early], rows.y[early])[None],
        moments(rows.x[~early], rows.y[~early])[None],
        SETTINGS.grid,
    )
    assert ours.errors[0] == pytest.approx(search.validationMetrics, abs=1e-6)
    best = search.bestModel
    chosen = SETTINGS.grid[int(ours.chosen[0])]
    assert chosen == (best.getRegParam(), best.getFitIntercept())
    assert ours.linear.weights[0] == pytest.approx(best.coefficients.toArray(), abs=1e-6)
    assert ours.linear.intercepts[0] == pytest.approx(best.intercept, abs=1e-6)
