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
from models.intensity.ridge import fit_linear, moments
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


def fitted_by_both(spark, x, y, *, fit_intercept):
    """The weights and the intercept of Muvr's model and of Spark ML's."""
    table = [(Vectors.dense(row), float(label)) for row, label in zip(x, y, strict=True)]
    frame = spark.createDataFrame(table, ["features", "label"]).coalesce(1)
    estimator = LinearRegression(solver="normal", regParam=0.1, fitIntercept=fit_intercept)
    peer = estimator.fit(frame)
    ours = fit_linear(moments(x, y)[None], reg_param=0.1, fit_intercept=fit_intercept)
    return (
        (ours.weights[0], float(ours.intercepts[0])),
        (peer.coefficients.toArray(), peer.intercept),
    )


def test_column_that_is_constant_but_for_rounding_leaves_predictions_equal_to_spark_ml(spark):
    """Of 60 times 0.7 Spark may see a spread: the intercept takes back what its weight adds."""
    random = np.random.default_rng(5)
    x = np.column_stack([random.normal(2, [1, 5], (60, 2)), np.full(60, 0.7)])
    y = x @ [0.3, -0.1, 0.0] + 1.5 + random.normal(0, 0.2, 60)
    (weights, intercept), (peer_weights, peer) = fitted_by_both(spark, x, y, fit_intercept=True)
    assert weights[2] == 0
    assert x @ weights + intercept == pytest.approx(x @ peer_weights + peer, abs=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_labels_that_are_all_zero_give_spark_mls_zeros(spark, fit_intercept):
    x = np.random.default_rng(5).normal(2, 1, (60, 2))
    for weights, intercept in fitted_by_both(spark, x, np.zeros(60), fit_intercept=fit_intercept):
        assert (weights.tolist(), intercept) == ([0, 0], 0)
