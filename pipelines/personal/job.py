"""Models per user from the journal's sets: intensity, load, next. One recipe, three learners.

For each user a learner says how far off its model was on later sets, and how far off "the same as
last time" would have been. The recipe is judged on the sums over all users, and each user has a
veto.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from models.history import DAY_S, SetLog
from pipelines.keys import Key, Row
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job, opened_job, recorded_users, settle
from pipelines.lifecycle.runs import Clock, RunReport, server_time
from pipelines.lifecycle.scope import AskedUsers, left_over, users_of
from pipelines.lifecycle.user_models import USER_MODELS, outcome_of, promote_users, retire_users
from pipelines.personal.history import (
    COLUMNS,
    KEY,
    REVISIONS,
    log_digest,
    log_of,
    newest_set_at,
    sets_of,
)
from pipelines.personal.unchanged import split_known
from pipelines.spark.persist import kept_on_disk
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import keys_once, span_by
from schemas.config import Config
from schemas.errors import NotEnoughLabels
from schemas.ids import version_of
from schemas.inputs import SETS
from schemas.layout import owner_of
from schemas.progress import Progress
from store.jobs import JobRuns, UserOutcome

LATER_DAYS = 28
TOGETHER = 64
LEAST_TO_VETO = 20  # later sets; with fewer, a user's own error says little
NEWEST_SET = "newest_set"  # among a run's metrics: begin of the newest set it knows of
RUNS_BACK = 100  # most of which found nothing to do
VETO = 1.1  # times the error of "the same as last time"
LEARNED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason", "owner", "version")]
    + [(n, pa.string()) for n in ("manifest", "said")]
    + [("bytes", pa.binary()), ("sha256", pa.binary()), ("sets", pa.int64())]
    + [(n, pa.float64()) for n in ("asked", "off", "last_off")]
)


@dataclass(frozen=True, slots=True)
class Personal:
    """A user's model and how it was judged.

    Attributes:
        content: bytes of the model learned from all sets.
        asked: later sets on which a model of the earlier ones was judged.
        off, last_off: summed errors on them, of the model and of "the same as last time".
    """

    content: bytes
    asked: int = 0
    off: float = 0.0
    last_off: float = 0.0


Learn = Callable[[Sequence[SetLog], float], Sequence[Personal | str]]


@dataclass(frozen=True, slots=True)
class PersonalFamily:
    """A family of models per user.

    Attributes:
        name: of the family.
        learn: logs of many users and the cut-off in seconds to a model or a reason for each.
    """

    name: str
    learn: Learn


def train_personal(
    family: PersonalFamily,
    config: Config,
    *,
    users: AskedUsers = "all",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote a family's models.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    inputs = {"users": recorded_users(users)}
    with opened_job(config, family.name, inputs, progress=progress, clock=clock) as job:
        asked = chosen = users_of(job.database, family.name, users, job.run.started_at)
        known: list[UserOutcome] = []
        if users == "changed" and chosen is not None:
            chosen, known = split_known(job.database, family.name, SETS, chosen)
            job.run.add_outcomes(known)
        rows = _learn(job, family, chosen) if chosen is None or chosen else []
        read = {UUID(row["user_id"]) for row in rows} | {one.user_id for one in known}
        gone = left_over(job.database, family.name, asked, [(user, SETS) for user in read])
        few = [outcome_of(row) for row in rows if row["status"] == "not-learned"]
        retire_users(job, few, gone)
        settle(job, users)
    return job.run.report()


def learned_rows(
    portion: Sequence[tuple[Key, pa.Table]], *, learn: Learn, cutoff_s: float
) -> list[Row]:
    """On an executor: many users at once; if that fails, one by one, so that only one is lost."""
    logs = [attempted(lambda group=group: log_of(group)) for _, group in portion]
    good = [log.value for log in logs if log.value is not None]
    together = attempted(lambda: learn(good, cutoff_s)) if good else None
    answers = iter(together.value or []) if together else iter(())
    rows: list[Row] = []
    for (key, group), log in zip(portion, logs, strict=True):
        attempt: Any = log
        if log.value is not None:
            alone = together is None or together.value is None
            attempt = (
                _one(learn, log.value, cutoff_s) if alone else attempted(partial(next, answers))
            )
        rows.append(_row(str(key[0]), group.num_rows, _digest(group), attempt))
    return rows


def _digest(group: pa.Table) -> str:
    return log_digest(zip(*(group[name].to_pylist() for name in REVISIONS), strict=True))


def _one(learn: Learn, log: SetLog, cutoff_s: float) -> Any:
    return attempted(lambda: learn([log], cutoff_s)[0])


def _row(user_id: str, sets: int, data_digest: str, attempt: Any) -> Row:
    found = attempt.value
    data = {"data_digest": data_digest}
    row: Row = {"user_id": user_id, "model_id": SETS, "sets": sets, "said": json.dumps(data)}
    if isinstance(found, str):
        return row | {"status": "not-learned", "reason": found}
    if found is None:
        return row | {"status": attempt.status, "reason": attempt.reason}
    sha256 = hashlib.sha256(found.content).digest()
    metrics = {"asked": found.asked, "off": found.off, "last_off": found.last_off}
    said = {"level": "user", "sets": sets, "metrics": metrics, "environment": environment()}
    return row | {
        "status": "learned",
        "reason": "",
        "owner": owner_of(UUID(user_id)),
        "version": version_of(sha256),
        "manifest": json.dumps({**said, **data, "sha256": sha256.hex()}, sort_keys=True),
        "bytes": found.content,
        "sha256": sha256,
        **metrics,
    }


def _learn(job: Job, family: PersonalFamily, chosen: Sequence[UUID] | None) -> list[Row]:
    """Learn, judge and promote; the rows of all who have sets, without their models."""
    run, spark = job.run, job.spark()
    try:
        with run.step("newest set"):
            newest = _as_of(job, spark, chosen)
    except NotEnoughLabels as problem:
        run.status = "not-learned"
        run.reasons[str(problem)] += 1
        return []
    run.metrics[NEWEST_SET] = newest.isoformat()
    cutoff_s = newest.timestamp() - LATER_DAYS * DAY_S
    frame = _frame(family, spark, job.keyspace, chosen, cutoff_s)
    with run.step("users"), kept_on_disk(frame) as learned:
        rows = [row.asDict() for row in learned.drop(*USER_MODELS.heavy).collect()]
        keys_once(rows, KEY)
        run.require_lease()
        USER_MODELS.from_frame(learned, job.keyspace, run)
    job.progress.step(f"{family.name}: users learned", len(rows), len(rows))
    run.counts["sets"] += sum(row["sets"] for row in rows)
    with run.step("promote"):
        _promote(job, rows)
    return rows


def _as_of(job: Job, spark: SparkSession, chosen: Sequence[UUID] | None) -> datetime:
    """When the newest set of all users began; a run over some users reads only theirs.

    That of the others was recorded by the run before: whoever changed since is among the changed.
    If the newest set of all was deleted, the next run over everybody notices. It moves the days on
    which models are judged, not what they learn.

    Raises:
        NotEnoughLabels: nobody has confirmed a set.
    """
    runs = asyncio.run(JobRuns(job.database).newest(job.run.family, limit=RUNS_BACK))
    recorded = [run.metrics[NEWEST_SET] for run in runs if NEWEST_SET in run.metrics]
    if chosen is None or not recorded:
        return newest_set_at(spark, job.keyspace)
    before = datetime.fromisoformat(str(recorded[0]))
    try:
        return max(before, newest_set_at(spark, job.keyspace, chosen))
    except NotEnoughLabels:  # they have deleted theirs
        return before


def _frame(
    family: PersonalFamily,
    spark: SparkSession,
    keyspace: str,
    chosen: Sequence[UUID] | None,
    cutoff_s: float,
) -> DataFrame:
    table = sets_of(spark, keyspace, chosen)
    task = partial(learned_rows, learn=family.learn, cutoff_s=cutoff_s)
    learned = span_by(table.columns(*COLUMNS, *REVISIONS), KEY, task, LEARNED, together=TOGETHER)
    require_no_shuffle(learned)
    if chosen is not None:
        require_direct_join(learned)
    return learned


def _promote(job: Job, rows: Sequence[Row]) -> None:
    """Judge the recipe on all users, hear each user's veto, move the pointers."""
    run = job.run
    learned = [row for row in rows if row["status"] == "learned"]
    run.add_outcomes([outcome_of(row) for row in rows if row["status"] == "failed"])
    asked, off, last = (sum(row[name] for row in learned) for name in ("asked", "off", "last_off"))
    if asked:
        run.metrics |= {"later_sets": asked, "error": off / asked, "last_error": last / asked}
    if learned and not off < last:
        run.status = "refused"
        reason = "not better than the same as last time" if asked else "no later set to judge by"
        run.add_outcomes([outcome_of(row, "refused", reason) for row in learned])
        return
    reason = "worse than the same as last time"
    run.add_outcomes([outcome_of(row, "vetoed", reason) for row in learned if _worse(row)])
    promote_users(job, [row for row in learned if not _worse(row)])


def _worse(row: Row) -> bool:
    return row["asked"] >= LEAST_TO_VETO and row["off"] > VETO * row["last_off"]
