"""On executors: the sets of many users in, a model and its evaluation per user out. Pure."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

import pyarrow as pa

from models.history import SetLog
from pipelines.keys import Key, Row
from pipelines.lifecycle.attempts import Attempt, attempted
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.model_rows import MODEL_FIELDS, model_columns
from pipelines.lifecycle.set_logs import REVISIONS, log_digest, log_of
from pipelines.personal.family import Learn, PersonalModel
from pipelines.personal.gate import Evidence
from schemas.inputs import SETS

EVIDENCE = ("later_sets", "error", "baseline_error")  # columns: the fields of `Evidence`
LEARNED = pa.schema(
    [*MODEL_FIELDS, ("outcome_metrics", pa.string()), ("sets", pa.int64())]
    + [(name, pa.float64()) for name in EVIDENCE]
)


def learned_rows(
    portion: Sequence[tuple[Key, pa.Table]], *, learn: Learn, cutoff_s: float, latest: datetime
) -> list[Row]:
    """On an executor: a row for each user of a portion."""
    logs = [attempted(lambda group=group: log_of(group, latest)) for _, group in portion]
    readable = [log.value for log in logs if log.value is not None]
    learned = iter(_learned(readable, learn, cutoff_s))
    return [
        _row(
            str(key[0]), group.num_rows, _digest(group), log if log.value is None else next(learned)
        )
        for (key, group), log in zip(portion, logs, strict=True)
    ]


def _learned(
    logs: Sequence[SetLog], learn: Learn, cutoff_s: float
) -> list[Attempt[PersonalModel | str]]:
    """Learn many users at once; if that fails, one by one, so that one is lost."""
    batch = attempted(lambda: learn(logs, cutoff_s))
    if batch.value is None:
        return [attempted(lambda log=log: learn([log], cutoff_s)[0]) for log in logs]
    return [Attempt(result, "learned", "") for result in batch.value]


def _digest(group: pa.Table) -> str:
    return log_digest(zip(*(group[name].to_pylist() for name in REVISIONS), strict=True))


def _row(user_id: str, sets: int, data_digest: str, attempt: Attempt[Any]) -> Row:
    """A row of `LEARNED`."""
    result = attempt.value
    data = {"data_digest": data_digest}
    row: Row = {"user_id": user_id, "model_id": SETS, "sets": sets}
    row["outcome_metrics"] = json.dumps(data)
    if isinstance(result, str):
        return row | {"status": "not-learned", "reason": result}
    if result is None:
        return row | {"status": attempt.status, "reason": attempt.reason}
    evidence = result.evidence
    if not evidence.is_finite:
        reason = f"on later sets its errors are {evidence.error:g}, {evidence.baseline_error:g}"
        return row | {"status": "failed", "reason": reason}
    metrics = evidence.as_json()
    manifest = {
        "level": "user",
        "sets": sets,
        "metrics": metrics,
        "environment": environment(),
        **data,
    }
    model = attempted(lambda: model_columns(user_id, result.content, manifest))
    if model.value is None:
        return row | {"status": model.status, "reason": model.reason}
    row["outcome_metrics"] = json.dumps(data | metrics)
    sums = dict(zip(EVIDENCE, astuple(evidence), strict=True))
    return row | {"status": "learned", "reason": "", **sums} | model.value


def evidence_of(row: Row) -> Evidence:
    """The evaluation of a learned row of `LEARNED`."""
    return Evidence(*(row[name] for name in EVIDENCE))
