"""Recommend: exercises that people with the same habits do. Implicit ALS on counts of sets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from models.history import DAY_S, SetLog
from models.recommend.evaluate import evaluate_recommender
from models.recommend.explain import Recommendation, recommend_user
from models.recommend.features import Counts, counts_of
from models.recommend.fit import fit_recommender
from models.recommend.model import AlsSettings
from pipelines.batch import BatchFamily, BatchResult
from pipelines.personal.history import look_at_logs, newest_set_at
from schemas.config import Config
from schemas.errors import NotEnoughLabels

LATER_DAYS = 28  # the last four weeks judge what was learned before them
SHOWN = 10
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


def learn_recommend(spark: SparkSession, config: Config) -> BatchResult:
    """Count on the executors; factorise on the driver; judge on the last weeks."""
    keyspace = config.cassandra.keyspace
    cutoff_s = newest_set_at(spark, keyspace).timestamp() - LATER_DAYS * DAY_S
    rows, broken = look_at_logs(spark, keyspace, partial(count_rows, cutoff_s=cutoff_s), COUNTED)
    if not any(row["early"] for row in rows):
        raise NotEnoughLabels(
            f"no set is {LATER_DAYS} days older than the newest: the last {LATER_DAYS} days judge "
            "what is learned from those before"
        )
    users = sorted({row["user_id"] for row in rows})
    exercises = tuple(sorted({row["exercise"] for row in rows}))
    early, late = (counted(rows, users, exercises, part) for part in ("early", "late"))
    settings = AlsSettings(seed=config.training.seed, threads=config.spark.cores)
    judged = fit_recommender(early, exercises, settings)
    score = evaluate_recommender(judged, early, late, n=SHOWN, new_only=False)
    every = counted(rows, users, exercises, "all")
    model = fit_recommender(every, exercises, settings)
    found = [
        (user, one.position, one.exercise, one.score, sentence(one))
        for number, user in enumerate(users)
        for one in recommend_user(every, number, model, n=SHOWN, new_only=False)
    ]
    refused = "" if score.wins else "no better than popularity or repeating the last exercises"
    metrics = {
        name: asdict(getattr(score, name)) for name in ("model", "popularity", "repeat_last")
    }
    counts = {"users": len(users), "entries": len(rows)}
    return BatchResult(found, metrics, refused, counts, broken)


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


def counted(rows: CountRows, users: Sequence[str], exercises: Sequence[str], part: str) -> Counts:
    """Users × exercises of one part: early, late or all."""
    user_number = {user: n for n, user in enumerate(users)}
    exercise_number = {name: n for n, name in enumerate(exercises)}

    def value(row: Mapping[str, Any]) -> float:
        """How many sets a row counts in this part."""
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


def sentence(one: Recommendation) -> str:
    """Why, for people."""
    reasons = ", ".join(f"{each.exercise} ({each.share:.0%})" for each in one.because)
    return f"because of {reasons}" if reasons else "liked by many"


RECOMMEND = BatchFamily(
    name="recommend",
    table="recommendations",
    columns="user_id string, position int, exercise string, score double, why string",
    topics=("sets", "erased"),
    learn=learn_recommend,
)
