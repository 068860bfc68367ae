"""Recommend: exercises that similar users do. Implicit-feedback ALS on counts of sets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from models.history import SetLog
from models.recommend.evaluate import RecommendScore, evaluate_recommender
from models.recommend.explain import Recommendation, recommend_user
from models.recommend.features import Counts, counts_of
from models.recommend.fit import fit_recommender
from models.recommend.model import AlsSettings
from pipelines.batch.family import BatchFamily, BatchResult
from pipelines.lifecycle.log_partitions import map_logs, newest_set_at
from pipelines.lifecycle.set_logs import LATER_DAYS, evaluation_cutoff_s, latest_start
from schemas.config import Config
from schemas.errors import NotEnoughLabels
from schemas.topics import ERASURES, SETS

TOP_N = 10
COUNTED = pa.schema(
    [
        ("user_id", pa.string()),
        ("exercise", pa.string()),
        ("early", pa.float64()),
        ("late", pa.float64()),
        ("last_early_s", pa.float64()),
        ("last_s", pa.float64()),
    ]
)
CountRows = Sequence[Mapping[str, Any]]


def learn_recommend(spark: SparkSession, config: Config, now: datetime) -> BatchResult:
    """Count on the executors; factorise on the driver; evaluate on the last weeks."""
    keyspace, latest = config.cassandra.keyspace, latest_start(now)
    cutoff_s = evaluation_cutoff_s(newest_set_at(spark, keyspace, latest))
    count = partial(count_rows, cutoff_s=cutoff_s)
    rows, broken = map_logs(spark, keyspace, count, COUNTED, latest)
    if not any(row["early"] for row in rows):
        raise NotEnoughLabels(
            f"no set is {LATER_DAYS} days older than the newest: the last {LATER_DAYS} days judge "
            "what is learned from those before"
        )
    users = sorted({row["user_id"] for row in rows})
    exercises = tuple(sorted({row["exercise"] for row in rows}))
    early, late = (count_matrix(rows, users, exercises, part) for part in ("early", "late"))
    settings = AlsSettings(seed=config.training.seed, threads=config.spark.cores)
    early_model = fit_recommender(early, exercises, settings)
    score = evaluate_recommender(early_model, early, late, n=TOP_N, new_only=False)
    counts = count_matrix(rows, users, exercises, "all")
    model = fit_recommender(counts, exercises, settings)
    recommendations = [
        (user, item.position, item.exercise, item.score, explanation(item))
        for number, user in enumerate(users)
        for item in recommend_user(counts, number, model, n=TOP_N, new_only=False)
    ]
    metrics = {
        name: asdict(getattr(score, name)) for name in ("model", "popularity", "repeat_last")
    }
    sizes = {"users": len(users), "entries": len(rows)}
    return BatchResult(recommendations, metrics, refusal_reason(score), sizes, broken)


def refusal_reason(score: RecommendScore) -> str:
    """Why recommendations do not go live; "" where they do.

    >>> from models.recommend.evaluate import Ranking
    >>> refusal_reason(RecommendScore(*[Ranking(float("nan"), float("nan"), 0)] * 3))
    'nobody has sets both before and in the last 28 days, which judge'
    """
    if not score.model.users:
        return f"nobody has sets both before and in the last {LATER_DAYS} days, which judge"
    return "" if score.wins else "no better than popularity or repeating the last exercises"


def count_rows(log: SetLog, *, cutoff_s: float) -> CountRows:
    """On an executor: how often a user did each exercise, before and after the cut-off."""
    rows: list[dict[str, Any]] = []
    for name in np.unique(log.exercise).tolist():
        starts = log.started_s[log.exercise == name]
        before = starts[starts < cutoff_s]
        rows.append(
            {
                "exercise": name,
                "early": float(len(before)),
                "late": float(len(starts) - len(before)),
                "last_early_s": float(before[-1]) if len(before) else 0.0,
                "last_s": float(starts[-1]),
            }
        )
    return rows


def count_matrix(
    rows: CountRows, users: Sequence[str], exercises: Sequence[str], part: str
) -> Counts:
    """Numbers of sets, users × exercises, of one part: early, late or all."""
    user_number = {user: n for n, user in enumerate(users)}
    exercise_number = {name: n for n, name in enumerate(exercises)}

    def value(row: Mapping[str, Any]) -> float:
        """The number of sets in this part."""
        return row["early"] + row["late"] if part == "all" else row[part]

    kept = [row for row in rows if value(row) > 0]
    last = "last_early_s" if part == "early" else "last_s"
    return counts_of(
        np.array([user_number[row["user_id"]] for row in kept], np.int64),
        np.array([exercise_number[row["exercise"]] for row in kept], np.int64),
        np.array([value(row) for row in kept]),
        np.array([row[last] for row in kept]),
        len(users),
        len(exercises),
    )


def explanation(recommendation: Recommendation) -> str:
    """The reason for a recommendation, as users read it."""
    reasons = ", ".join(f"{each.exercise} ({each.share:.0%})" for each in recommendation.because)
    return f"because of {reasons}" if reasons else "liked by many"


RECOMMEND = BatchFamily(
    name="recommend",
    table="recommendations",
    columns="user_id string, position int, exercise string, score double, why string",
    topics=(SETS, *ERASURES),
    learn=learn_recommend,
)
