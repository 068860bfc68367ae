"""Training as others would write it: applyInPandas with scikit-learn, or joblib with our functions.

Both do all that our job does for a user: read raw sets from Cassandra, take the same windows,
learn from the early sets, ask about the late ones, learn from all, store the model.
"""

import asyncio
import hashlib
import io
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import joblib
import numpy as np
from pyspark.sql import SparkSession
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.exercise.discriminant import FitSettings
from models.exercise.examples import ExampleSettings, set_windows
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.kept_windows import windows_of
from pipelines.exercise.labelled import LabelledRow, known_before, split_judged
from pipelines.exercise.passes import read_training_sets
from pipelines.exercise.rows import FitContext, learned_row
from pipelines.keys import UserKey
from pipelines.lifecycle.engines import spark_key
from pipelines.lifecycle.user_models import stored_model
from pipelines.spark.tables import append, read_table
from schemas.config import Cassandra
from schemas.ids import version_of
from schemas.layout import owner_of
from store.connection import connect
from store.database import Database
from store.labelled_sets import LabelledSets
from store.models import Models

RUN = UUID(int=1)
MODELS = (
    "owner string, model_id string, family string, version string, bytes binary, manifest string, "
    "sha256 binary, run_id string, created_at timestamp"
)
NEEDED = ("user_id", "model_id", "set_id", "revision", "exercise", "started_at", "label_source")


def pandas_seconds(
    spark: SparkSession, keyspace: str, settings: ExampleSettings, share: float, solver: str
) -> float:
    """Seconds of a whole table's users with groupBy, applyInPandas and scikit-learn."""
    began = time.perf_counter()
    table = read_table(spark, keyspace, "labelled_sets").columns(*NEEDED, "samples")
    task = partial(pandas_user, settings=settings, share=share, solver=solver)
    learned = table.frame.groupBy("user_id", "model_id").applyInPandas(task, MODELS)
    append(learned, keyspace, "models")
    return time.perf_counter() - began


def pandas_user(frame: Any, settings: ExampleSettings, share: float, solver: str) -> Any:
    """One user of `applyInPandas`: a pandas frame in, a pandas frame out."""
    sets = [
        LabelledRow(r.set_id, r.revision, r.exercise, r.started_at, r.label_source, r.samples)
        for r in frame.itertuples()
    ]
    x_of = {
        row.set_id: set_windows(
            wrist_signals(unpack_pieces(row.samples)),
            seed=UUID(row.set_id).int % 2**63,
            settings=settings,
        ).x
        for row in sets
    }
    early, late = split_judged(sets, share)
    late = known_before(early, late)
    judged = scikit_model(solver).fit(*_stacked(early, x_of))
    right = [bool(np.mean(judged.predict(x_of[row.set_id]) == row.exercise) > 0.5) for row in late]
    model = scikit_model(solver).fit(*_stacked(sets, x_of))
    content = _content(model)
    sha256 = hashlib.sha256(content).digest()
    row = {
        "owner": owner_of(UUID(frame.user_id.iloc[0])),
        "model_id": frame.model_id.iloc[0],
        "family": "scikit",
        "version": version_of(sha256),
        "bytes": content,
        "manifest": json.dumps({"sets_right": sum(right), "sets": len(right)}),
        "sha256": sha256,
        "run_id": str(RUN),
        "created_at": datetime.now(UTC).replace(tzinfo=None),
    }
    return type(frame)([row])


def scikit_model(solver: str) -> Pipeline:
    """The discriminant as scikit-learn has it: ours without the mixing with others."""
    shrunk = LinearDiscriminantAnalysis(solver=solver, shrinkage=FitSettings().shrink)  # pyrefly: ignore[bad-argument-type] one of SOLVERS
    return make_pipeline(StandardScaler(), shrunk)


def joblib_seconds(
    settings: Cassandra, keys: Sequence[UserKey], context_path: Path, processes: int
) -> float:
    """Seconds of users in joblib's processes, each with its own connection and context."""
    began = time.perf_counter()
    work = joblib.Parallel(n_jobs=processes)
    rows: Any = work(joblib.delayed(joblib_user)(settings, key, context_path) for key in keys)
    failed = [row["reason"] for row in rows if row["status"] != "learned"]
    if failed:
        raise RuntimeError(f"joblib: {failed[0]}")
    return time.perf_counter() - began


def joblib_user(settings: Cassandra, key: UserKey, context_path: Path) -> dict[str, Any]:
    """One user of joblib: our job's very functions, the driver's connection instead of Spark."""
    database = _connection(settings)
    [row] = learned_row(
        spark_key(key), read_training_sets(database, key), context=_fit_context(context_path)
    )

    async def keep() -> None:
        """Store the model, and the windows for the next run."""
        now = datetime.now(UTC)
        await Models(database).put(stored_model(row, "exercise", RUN, now))
        await LabelledSets(database).keep_windows(*key, windows_of(row, now))

    if row["status"] == "learned":
        asyncio.run(keep())
    return {"status": row["status"], "reason": row["reason"], "rungs": row.get("rungs")}


@lru_cache(maxsize=4)
def _connection(settings: Cassandra) -> Database:
    return connect(settings, keyspace=settings.keyspace)


@lru_cache(maxsize=1)
def _fit_context(path: Path) -> FitContext:
    return joblib.load(path)


def _stacked(sets: Sequence[LabelledRow], x_of: dict[str, Any]) -> tuple[Any, list[str]]:
    labels = [row.exercise for row in sets for _ in range(len(x_of[row.set_id]))]
    return np.concatenate([x_of[row.set_id] for row in sets]), labels


def _content(model: Pipeline) -> bytes:
    """What answers need, as arrays; nobody stores pickles."""
    scaler: Any = model[0]
    discriminant: Any = model[1]
    out = io.BytesIO()
    np.savez(
        out,
        mean=scaler.mean_.astype(np.float32),
        scale=scaler.scale_.astype(np.float32),
        weights=discriminant.coef_.astype(np.float32),
        bias=discriminant.intercept_.astype(np.float32),
    )
    return out.getvalue()
