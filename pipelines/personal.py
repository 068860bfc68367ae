"""Models per user from the journal's sets: intensity, load, next. One recipe, three learners.

A learner says per user how far off it was on later sets and how far off "the same as last time"
would have been; the recipe is judged on the sums over all users, and each user has a veto.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from models.history import DAY_S, SetLog
from pipelines.attempts import attempted
from pipelines.engines import MODEL_COLUMNS
from pipelines.history import COLUMNS, KEY, REVISIONS, log_digest, log_of, newest_set_at
from pipelines.manifest import environment
from pipelines.plans import require_direct_join, require_no_shuffle
from pipelines.promotion import RETIRED, Move, move_pointers, retire
from pipelines.runs import Clock, Run, RunReport, leased_run, server_time
from pipelines.scope import Users, left_over, split_known, users_of
from pipelines.span import Key, keys_once, span_by
from pipelines.spark import spark_session
from pipelines.tables import append, read_keys, read_table
from schemas.config import Config
from schemas.errors import NotEnoughLabels
from schemas.inputs import SETS
from schemas.layout import owner_of
from schemas.progress import Progress, Silent
from store.credentials import open_as
from store.database import Database
from store.jobs import UserOutcome
from store.models import version_of

LATER_DAYS = 28
TOGETHER = 64
LEAST_TO_VETO = 20  # later sets; with fewer, a user's own error says little
VETO = 1.1  # times the error of "the same as last time"
LEARNED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "status", "reason", "owner", "version")]
    + [(n, pa.string()) for n in ("manifest", "data_digest")]
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
    users: Users = "all",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn, judge and promote a family's models.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    told = progress or Silent()
    inputs = {"users": users if isinstance(users, str) else len(users)}
    with (
        closing(open_as(config, "spark")) as database,
        leased_run(database, family.name, inputs, clock=clock) as run,
    ):
        asked = chosen = users_of(database, family.name, users, run.started_at)
        known: list[UserOutcome] = []
        if users == "changed" and chosen is not None:
            chosen, known = split_known(database, family.name, SETS, chosen)
            run.add_outcomes(known)
        learns = chosen is None or bool(chosen)
        rows = _learn(family, config, database, run, chosen) if learns else []
        told.step(f"{family.name}: users", sum(run.counts.values()))
        _retire(family, database, run, asked, rows, known)
        idle = not (run.counts["promoted"] or run.counts[RETIRED])
        if idle and run.status == "done" and (users == "changed" or not learns):
            run.status = "nothing-to-do"  # what changed had been read by the last run already
        if isinstance(users, str):  # who was named is not everybody who changed
            run.has_read()
    return run.report()


def learned_rows(
    portion: Sequence[tuple[Key, pa.Table]], *, learn: Learn, cutoff_s: float
) -> list[dict[str, Any]]:
    """On an executor: many users at once; if that fails, one by one, so that only one is lost."""
    logs = [attempted(lambda group=group: log_of(group)) for _, group in portion]
    good = [log.value for log in logs if log.value is not None]
    together = attempted(lambda: learn(good, cutoff_s)) if good else None
    answers = iter(together.value or []) if together else iter(())
    rows: list[dict[str, Any]] = []
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


def _row(user_id: str, sets: int, data: str, attempt: Any) -> dict[str, Any]:
    found = attempt.value
    row = {"user_id": user_id, "sets": sets, "owner": owner_of(UUID(user_id)), "data_digest": data}
    if isinstance(found, str):
        return row | {"status": "not-learned", "reason": found}
    if found is None:
        return row | {"status": attempt.status, "reason": attempt.reason}
    sha256 = hashlib.sha256(found.content).digest()
    metrics = {"asked": found.asked, "off": found.off, "last_off": found.last_off}
    said = {"level": "user", "sets": sets, "metrics": metrics, "environment": environment()}
    said["data_digest"] = data
    return row | {
        "status": "learned",
        "reason": "",
        "version": version_of(sha256),
        "manifest": json.dumps({**said, "sha256": sha256.hex()}, sort_keys=True),
        "bytes": found.content,
        "sha256": sha256,
        **metrics,
    }


def _learn(
    family: PersonalFamily,
    config: Config,
    database: Database,
    run: Run,
    chosen: Sequence[UUID] | None,
) -> list[dict[str, Any]]:
    """Learn, judge and let serve; the rows of all who have sets, without their models."""
    keyspace = config.cassandra.keyspace
    with run.step("engine"):
        spark = spark_session(config)
    try:
        cutoff_s = newest_set_at(spark, keyspace).timestamp() - LATER_DAYS * DAY_S
    except NotEnoughLabels as problem:
        run.status = "not-learned"
        run.reasons[str(problem)] += 1
        return []
    with run.step("users"):
        learned = _frame(family, spark, keyspace, chosen, cutoff_s).persist(StorageLevel.DISK_ONLY)
        rows = [row.asDict() for row in learned.drop("bytes", "manifest").collect()]
        keys_once(rows, KEY)
        run.require_lease()
        _keep(family, learned, keyspace, run)
        learned.unpersist()
    run.counts["sets"] += sum(row["sets"] for row in rows)
    _promote(family, database, run, rows)
    return rows


def _frame(
    family: PersonalFamily,
    spark: SparkSession,
    keyspace: str,
    chosen: Sequence[UUID] | None,
    cutoff_s: float,
) -> DataFrame:
    if chosen is None:
        table = read_table(spark, keyspace, "sets")
    else:
        table = read_keys(spark, keyspace, "sets", [(user,) for user in chosen])
    task = partial(learned_rows, learn=family.learn, cutoff_s=cutoff_s)
    learned = span_by(table.columns(*COLUMNS, *REVISIONS), KEY, task, LEARNED, together=TOGETHER)
    require_no_shuffle(learned)
    if chosen is not None:
        require_direct_join(learned)
    return learned


def _keep(family: PersonalFamily, learned: DataFrame, keyspace: str, run: Run) -> None:
    kept = learned.where("status = 'learned'").select(
        "owner",
        "version",
        "bytes",
        "manifest",
        "sha256",
        f.lit(SETS).alias("model_id"),
        f.lit(family.name).alias("family"),
        f.lit(str(run.run_id)).alias("run_id"),
        f.lit(run.started_at).alias("created_at"),
    )
    append(kept.select(*MODEL_COLUMNS), keyspace, "models")


def _promote(
    family: PersonalFamily, database: Database, run: Run, rows: Sequence[dict[str, Any]]
) -> None:
    learned = [row for row in rows if row["status"] == "learned"]
    failed = [row for row in rows if row["status"] == "failed"]
    run.add_outcomes([_outcome(row, row["status"], row["reason"]) for row in failed])
    asked, off, last = (sum(row[name] for row in learned) for name in ("asked", "off", "last_off"))
    if asked:
        run.metrics |= {"later_sets": asked, "error": off / asked, "last_error": last / asked}
    if learned and not off < last:
        run.status = "refused"
        reason = "not better than the same as last time" if asked else "no later set to judge by"
        run.add_outcomes([_outcome(row, "refused", reason) for row in learned])
        return
    kept_back = [row for row in learned if _worse(row)]
    run.add_outcomes(
        [_outcome(row, "vetoed", "worse than the same as last time") for row in kept_back]
    )
    run.require_lease()
    moving = [row for row in learned if not _worse(row)]
    moved = move_pointers(
        database,
        [Move(UUID(row["user_id"]), SETS, row["version"], bytes(row["sha256"])) for row in moving],
        family=family.name,
        run_id=run.run_id,
        at=server_time(),
    )
    run.add_outcomes([_outcome(row, *said) for row, said in zip(moving, moved, strict=True)])


def _retire(
    family: PersonalFamily,
    database: Database,
    run: Run,
    asked: Sequence[UUID] | None,
    rows: Sequence[dict[str, Any]],
    known: Sequence[UserOutcome],
) -> None:
    """Let nothing serve any more that users' sets do not carry now."""
    read = {UUID(row["user_id"]) for row in rows} | {one.user_id for one in known}
    gone = left_over(database, family.name, asked, [(user, SETS) for user in read])
    few = [row for row in rows if row["status"] == "not-learned"]
    outcomes = [_outcome(row, row["status"], row["reason"]) for row in few]
    run.require_lease()
    at = server_time()
    run.add_outcomes(retire(database, outcomes, gone, family=family.name, run_id=run.run_id, at=at))


def _worse(row: dict[str, Any]) -> bool:
    return row["asked"] >= LEAST_TO_VETO and row["off"] > VETO * row["last_off"]


def _outcome(row: dict[str, Any], status: str, reason: str) -> UserOutcome:
    data = json.dumps({"data_digest": row["data_digest"]})
    return UserOutcome(UUID(row["user_id"]), SETS, status, reason, row["version"] or "", data)
