"""Clusters: groups of users who train alike. k-means on (frequency, performance, improvement)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from models.clusters.evaluate import evaluate_clusters
from models.clusters.features import FEATURES, Measure, Summary, summarise
from models.clusters.fit import ClusterSettings, fit_clusters
from models.history import SetLog
from pipelines.batch.family import BatchFamily, BatchResult
from pipelines.lifecycle.log_partitions import map_logs, newest_set_at
from pipelines.lifecycle.set_logs import USER_KEY, latest_start
from pipelines.spark.span import require_unique_keys
from schemas.config import Config
from schemas.topics import ERASURES, SETS

SUMMARY = pa.schema(
    [
        ("user_id", pa.string()),
        ("sessions_per_week", pa.float64()),
        ("log_capacity", pa.string()),
        ("improvement", pa.float64()),
        ("sets", pa.int64()),
    ]
)
MIN_RESEED = 0.8  # adjusted Rand index with other seeds; below it clusters depend on the seed


def learn_clusters(spark: SparkSession, config: Config, now: datetime) -> BatchResult:
    """Summarise every user on the executors; cluster the summaries on the driver."""
    keyspace, latest = config.cassandra.keyspace, latest_start(now)
    until = newest_set_at(spark, keyspace, latest).timestamp() + 1
    summarise_log = partial(summary_row, until_s=until)
    rows, broken = map_logs(spark, keyspace, summarise_log, SUMMARY, latest)
    require_unique_keys(rows, USER_KEY)
    summaries = [summary_of(row) for row in rows]
    settings = ClusterSettings(seed=config.training.seed)
    model = fit_clusters(summaries, settings)
    features = model.features(summaries)
    score = evaluate_clusters(model, summaries, settings)
    assignments = [
        (row["user_id"], int(k), model.names[k], json.dumps(dict(zip(FEATURES, x, strict=True))))
        for row, k, x in zip(rows, model.assign(features), features.tolist(), strict=True)
    ]
    metrics = {"reseed": score.reseed, "explained": score.explained, "same_names": score.same_names}
    refusal = ""
    if score.reseed < MIN_RESEED:
        refusal = f"another seed gives other clusters (adjusted Rand index {score.reseed:.2f})"
    counts = {"users": len(rows), "sets": sum(s.sets for s in summaries)}
    return BatchResult(assignments, metrics, refusal, counts, broken)


def summary_row(log: SetLog, *, until_s: float) -> Sequence[Mapping[str, Any]]:
    """On an executor: one user's summary."""
    summary = summarise(log, until_s)
    capacities = summary.log_capacity.items()
    return [
        {
            "sessions_per_week": summary.sessions_per_week,
            "log_capacity": json.dumps([[*key, value] for key, value in capacities]),
            "improvement": summary.improvement,
            "sets": summary.sets,
        }
    ]


def summary_of(row: Mapping[str, Any]) -> Summary:
    """The summary in a row."""
    capacities = json.loads(row["log_capacity"])
    log_capacity = {Measure(exercise, unit): value for exercise, unit, value in capacities}
    return Summary(row["sessions_per_week"], log_capacity, row["improvement"], row["sets"])


CLUSTERS = BatchFamily(
    name="clusters",
    table="clusters",
    columns="user_id string, cluster int, name string, features string",
    topics=(SETS, *ERASURES),
    learn=learn_clusters,
)
