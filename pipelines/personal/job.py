"""Models per user from confirmed sets: intensity, load, next. One job for three families.

Each family returns, per user, the error of a model of the earlier sets on the later ones, and the
error of the baseline "the same as last time". The recipe is judged on the sums over users, and a
model that is clearly worse than the baseline for its user is vetoed (`pipelines.personal.gate`).
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from models.history import DAY_S, SetLog
from pipelines.keys import Key, Row, UserKey
from pipelines.lifecycle.attempts import Attempt, attempted
from pipelines.lifecycle.engines import written_rows
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job, finish_run, open_job, recorded_users
from pipelines.lifecycle.model_rows import MODEL_FIELDS, model_columns
from pipelines.lifecycle.pointers import pointers_in_effect
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import (
    UserSelection,
    orphaned_pointers,
    pointer_keys,
    selected_users,
)
from pipelines.lifecycle.user_models import (
    USER_MODEL_WRITER,
    outcome_of,
    promote_users,
    retire_users,
)
from pipelines.personal.evidence import (
    JUDGED,
    RECIPE,
    RUNS_BACK,
    earlier_evidence,
    serving_evidence,
)
from pipelines.personal.gate import Evidence
from pipelines.personal.history import (
    COLUMNS,
    REVISIONS,
    USER_KEY,
    latest_start,
    log_digest,
    log_of,
    newest_set_at,
    sets_of,
)
from pipelines.personal.unchanged import split_unchanged
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import PortionFunction, span_by
from schemas.config import Config
from schemas.errors import BadSets, NotEnoughLabels
from schemas.inputs import SETS
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.jobs import JobRuns, UserOutcome
from store.pointers import ServingVersion

LATER_DAYS = 28
USERS_PER_CALL = 64
EVIDENCE = ("later_sets", "error", "baseline_error")  # columns: the fields of `Evidence`
NEWEST_SET = "newest_set"  # key of a run's metrics: start of the newest set that it knows
LEARNED = pa.schema(
    [*MODEL_FIELDS, ("outcome_metrics", pa.string()), ("sets", pa.int64())]
    + [(name, pa.float64()) for name in EVIDENCE]
)


@dataclass(frozen=True, slots=True)
class PersonalModel:
    """A user's model and its evaluation.

    Attributes:
        content: bytes of the model learned from all sets.
        later_sets: sets on which a model of the earlier ones was evaluated.
        error, baseline_error: summed over them, of that model and of "the same as last time".
    """

    content: bytes
    later_sets: int = 0
    error: float = 0.0
    baseline_error: float = 0.0


Learn = Callable[[Sequence[SetLog], float], Sequence[PersonalModel | str]]


@dataclass(frozen=True, slots=True)
class PersonalFamily:
    """A family of models per user.

    Attributes:
        name: of the family.
        learn: from the logs of many users and the cut-off (seconds since the epoch), for each user
            a model, or the reason why there is none.
        recipe: names what decides an evaluation besides the sets. A release that changes how the
            family learns or evaluates changes it: evidence of another recipe does not count.
    """

    name: str
    learn: Learn
    recipe: str


def train_personal(
    family: PersonalFamily,
    config: Config,
    *,
    users: UserSelection = "all",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote a family's models.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    inputs = {"users": recorded_users(users)}
    with open_job(config, family.name, inputs, progress=progress, clock=clock) as job:
        selected = selected_users(job.database, family.name, users, job.run.started_at)
        to_learn, unchanged = selected, list[UserOutcome]()
        if users == "changed" and selected is not None:
            to_learn, unchanged = split_unchanged(job.database, family.name, SETS, selected)
            job.run.add_outcomes(unchanged)
        rows = _learn(job, family, to_learn) if to_learn is None or to_learn else []
        with_sets = {UUID(row["user_id"]) for row in rows} | {row.user_id for row in unchanged}
        read = [(user, SETS) for user in with_sets]
        orphaned = orphaned_pointers(job.database, family.name, selected, read)
        too_few = [outcome_of(row) for row in rows if row["status"] == "not-learned"]
        retire_users(job, too_few, orphaned)
        finish_run(job, users)
    return job.run.report()


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
    evidence = Evidence(result.later_sets, result.error, result.baseline_error)
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


def _learn(job: Job, family: PersonalFamily, users: Sequence[UUID] | None) -> list[Row]:
    """Learn, judge and promote; the rows of all users with sets, without their models."""
    run, spark = job.run, job.spark()
    try:
        with run.step("newest set"):
            newest = _newest_set_at(job, spark, users)
    except NotEnoughLabels as problem:
        run.status = "not-learned"
        run.reasons[str(problem)] += 1
        return []
    run.metrics |= {NEWEST_SET: newest.isoformat(), RECIPE: family.recipe}
    cutoff_s = newest.timestamp() - LATER_DAYS * DAY_S
    pointers = sorted(pointer_keys(job.database, family.name, users))
    serving = pointers_in_effect(job.database, pointers, family.name)
    task = partial(
        learned_rows, learn=family.learn, cutoff_s=cutoff_s, latest=latest_start(run.started_at)
    )
    frame = _frame(spark, job.keyspace, users, task)
    with run.step("users"):
        rows = written_rows(frame, USER_KEY, (USER_MODEL_WRITER,), job.keyspace, run)
    job.progress.step(f"{family.name}: users learned", len(rows), len(rows))
    run.counts["sets"] += sum(row["sets"] for row in rows)
    with run.step("promote"):
        _promote(job, family, rows, serving)
    return rows


def _newest_set_at(job: Job, spark: SparkSession, users: Sequence[UUID] | None) -> datetime:
    """The start of the newest set of all users; a run over some users reads only theirs.

    That of the others is in the record of the run before: users with newer sets are among those who
    changed. If the newest set of all was deleted, the next run over everybody notices. The time
    decides on which days models are evaluated, not what they learn. A record that lies in the
    future, as one from before such sets were left out, says nothing.

    Raises:
        NotEnoughLabels: nobody has confirmed a set.
        BadSets: all sets lie in the future.
    """
    latest = latest_start(job.run.started_at)
    recorded = [metrics[NEWEST_SET] for metrics in _recorded_metrics(job) if NEWEST_SET in metrics]
    before = datetime.fromisoformat(str(recorded[0])) if recorded else None
    if users is None or before is None or before > latest:
        return newest_set_at(spark, job.keyspace, latest)
    try:
        return max(before, newest_set_at(spark, job.keyspace, latest, users))
    except (NotEnoughLabels, BadSets):  # they have deleted all their sets, or each has a wrong time
        return before


def _frame(
    spark: SparkSession, keyspace: str, users: Sequence[UUID] | None, task: PortionFunction
) -> DataFrame:
    table = sets_of(spark, keyspace, users).columns(*COLUMNS, *REVISIONS)
    learned = span_by(table, USER_KEY, task, LEARNED, groups_per_call=USERS_PER_CALL)
    require_no_shuffle(learned)
    if users is not None:
        require_direct_join(learned)
    return learned


def _promote(
    job: Job,
    family: PersonalFamily,
    rows: Sequence[Row],
    serving: Mapping[UserKey, ServingVersion],
) -> None:
    """Judge the recipe, apply users' vetoes, move the pointers.

    `serving` is what served before they were learned.
    """
    run = job.run
    learned = [row for row in rows if row["status"] == "learned"]
    run.add_outcomes([outcome_of(row) for row in rows if row["status"] == "failed"])
    of_users = {row["user_id"]: Evidence(*(row[name] for name in EVIDENCE)) for row in learned}
    evidence = Evidence.total(of_users.values())
    run.metrics |= evidence.as_metrics()
    known = [UUID(user_id) for user_id, own in of_users.items() if own.sets]
    known += [UUID(row["user_id"]) for row in rows if row["status"] == "failed"]
    judged = evidence.topped_up(earlier_evidence(job.database, family.name, family.recipe, known))
    if judged != evidence:
        run.metrics[JUDGED] = judged.as_metrics()
    refusal = judged.refusal(serving_evidence(job.database, family.name, family.recipe))
    if learned and refusal:
        run.status = "refused"
        run.add_outcomes([outcome_of(row, "refused", refusal) for row in learned])
        return
    reason = "worse than the same as last time"
    vetoed = {user_id for user_id, own in of_users.items() if own.vetoes}
    of_vetoed = [row for row in learned if row["user_id"] in vetoed]
    run.add_outcomes([outcome_of(row, "vetoed", reason) for row in of_vetoed])
    promote_users(job, [row for row in learned if row["user_id"] not in vetoed], serving)


def _recorded_metrics(job: Job) -> list[Mapping[str, Any]]:
    """The metrics of the family's runs before this one, newest first."""
    runs = asyncio.run(JobRuns(job.database).newest(job.run.family, limit=RUNS_BACK))
    return [run.metrics for run in runs]
