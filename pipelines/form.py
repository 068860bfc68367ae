"""The form family's job: confirmed sets to each user's own way of doing every exercise.

A book of form describes and advises, it decides nothing: there is no rung that it could be worse
than, so it serves as soon as there is a set in it; a template needs three sets of an exercise. Sets
whose counted repetitions contradict what the person said are left out, and so are those that are
too short or too long to be counted: serving counts neither (`models.recognition.counting`).
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from models.form.book import CountedSet, fit_book
from models.form.codec import to_bytes
from models.recognition.counting import repetitions
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.attempts import attempted
from pipelines.engines import MODEL_COLUMNS, kept_on_disk
from pipelines.everybody import KEY
from pipelines.exercise import EngineName
from pipelines.manifest import environment
from pipelines.plans import require_direct_join
from pipelines.promotion import Move, move_pointers, retire
from pipelines.runs import Clock, Run, RunReport, leased_run, server_time
from pipelines.scope import Scope, Users, nothing_new, scope_of
from pipelines.span import Key, keys_once, span_by
from pipelines.spark import spark_session
from pipelines.tables import append, read_keys
from schemas.config import Config
from schemas.layout import owner_of
from schemas.names import one_spelling
from schemas.progress import Progress, Silent
from schemas.times import us_of
from store.credentials import open_as
from store.database import Database
from store.jobs import UserOutcome
from store.models import Models, StoredModel, version_of
from store.sets import Sets

FAMILY = "form"
COLUMNS = ("user_id", "model_id", "set_id", "exercise", "started_at", "reps", "samples")
NEWEST = 30  # sets of an exercise: a millisecond of counting for each of their seconds
CONTRADICTION = 2  # repetitions between what was counted and what was said
LEARNED = pa.schema(
    [(n, pa.string()) for n in ("user_id", "model_id", "status", "reason")]
    + [(n, pa.string()) for n in ("owner", "version", "manifest")]
    + [("bytes", pa.binary()), ("sha256", pa.binary()), ("sets", pa.int32())]
)
HEAVY = ("bytes", "manifest")
Row = dict[str, Any]


def train_form(
    config: Config,
    *,
    users: Users = "all",
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn every user's templates and let them serve.

    Args:
        config: where Cassandra and Spark are.
        users: "all"; "changed" since the last run that went well; or these.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    told = progress or Silent()
    inputs = {"users": users if isinstance(users, str) else len(users), "engine": engine}
    with (
        closing(open_as(config, "spark")) as database,
        leased_run(database, FAMILY, inputs, clock=clock) as run,
    ):
        scope = scope_of(database, FAMILY, users, run.started_at)
        few = _learn(config, database, run, told, scope, engine) if scope.keys else []
        run.require_lease()
        at = server_time()
        run.add_outcomes(retire(database, few, scope.gone, family=FAMILY, run_id=run.run_id, at=at))
        if not scope.keys and not run.outcomes:
            run.status = "nothing-to-do"
        if users == "changed" and nothing_new(database, FAMILY, run.outcomes):
            run.status = "nothing-to-do"  # who failed fails again
        if isinstance(users, str):  # who was named is not everybody who changed
            run.has_read()
    return run.report()


def _learn(
    config: Config,
    database: Database,
    run: Run,
    told: Progress,
    scope: Scope,
    engine: EngineName,
) -> list[UserOutcome]:
    """Learn, keep and let serve; the outcomes of users with too few sets."""
    with run.step("users"):
        if engine == "spark":
            rows = _on_spark(config, run, scope.keys)
        else:
            rows = _here(database, run, scope.keys)
    told.step("form: users learned", len(rows), len(scope.keys))
    run.require_lease()
    _promote(database, run, rows)
    few = [row for row in rows if row["status"] == "not-learned"]
    return [_outcome(row, row["status"], row["reason"]) for row in few]


def learned_row(key: Key, group: pa.Table) -> list[Row]:
    """On an executor: one user's templates, or the reason why there are none."""
    user_id, model_id = str(key[0]), str(key[1])
    row: Row = {"user_id": user_id, "model_id": model_id, "owner": owner_of(UUID(user_id))}
    row["sets"] = group.num_rows
    attempt = attempted(lambda: learn_form(group.select(COLUMNS[2:]).to_pylist()))
    row |= {"status": attempt.status, "reason": attempt.reason}
    return [row | (attempt.value or {})]


def learn_form(rows: Sequence[Row]) -> Row:
    """A user's book as bytes, from rows of `labelled_sets` in any order.

    Raises:
        NotEnoughLabels: no set has repetitions.
        BadSamples: a stored recording does not decode.
    """
    named = [{**row, "exercise": one_spelling(row["exercise"])} for row in rows]
    done = [counted_set(row) for row in newest_rows(named)]
    book = fit_book([one for one in done if one is not None])
    content = to_bytes(book)
    sha256 = hashlib.sha256(content).digest()
    manifest = {
        "level": "user",
        "labels": sorted({exercise for exercise, _ in book.templates}),
        "sets": len(book.sets),
        "templates": {f"{e}, {side}": t.sets for (e, side), t in sorted(book.templates.items())},
        "environment": environment(),
        "sha256": sha256.hex(),
    }
    return {
        "version": version_of(sha256),
        "manifest": json.dumps(manifest, sort_keys=True),
        "bytes": content,
        "sha256": sha256,
    }


def newest_rows(rows: Sequence[Row]) -> list[Row]:
    """The newest sets of every exercise, oldest first."""
    ordered = sorted(rows, key=lambda row: (row["started_at"], str(row["set_id"])), reverse=True)
    kept: list[Row] = []
    seen: dict[str, int] = {}
    for row in ordered:
        seen[row["exercise"]] = seen.get(row["exercise"], 0) + 1
        if seen[row["exercise"]] <= NEWEST:
            kept.append(row)
    return kept[::-1]


def counted_set(row: Row) -> CountedSet | None:
    """A set with its repetitions; None where it cannot be counted or the person says otherwise."""
    recording = unpack_pieces(bytes(row["samples"]))
    counted = repetitions(wrist_signals(recording))
    if counted is None:
        return None
    if row["reps"] is not None and abs(row["reps"] - counted.count) > CONTRADICTION:
        return None
    started_ms = us_of(row["started_at"]) // 1000
    return CountedSet(
        str(row["set_id"]), row["exercise"], recording.side, started_ms, counted.repetitions
    )


def _on_spark(config: Config, run: Run, keys: Sequence[tuple[UUID, str]]) -> list[Row]:
    """Learn on the executors; models go from there to Cassandra, the rest of a row comes here."""
    spark, keyspace = spark_session(config), config.cassandra.keyspace
    table = read_keys(spark, keyspace, "labelled_sets", keys).columns(*COLUMNS)
    spanned = span_by(table, KEY, learned_row, LEARNED)
    require_direct_join(spanned)
    with kept_on_disk(spanned) as learned:
        rows = [row.asDict() for row in learned.drop(*HEAVY).collect()]
        keys_once(rows, KEY)
        run.require_lease()
        _keep(learned, keyspace, run)
    return rows


def _keep(learned: DataFrame, keyspace: str, run: Run) -> None:
    kept = learned.where("status = 'learned'").select(
        "owner",
        "model_id",
        "version",
        "bytes",
        "manifest",
        "sha256",
        f.lit(FAMILY).alias("family"),
        f.lit(str(run.run_id)).alias("run_id"),
        f.lit(run.started_at).alias("created_at"),
    )
    append(kept.select(*MODEL_COLUMNS), keyspace, "models")


def _here(database: Database, run: Run, keys: Sequence[tuple[UUID, str]]) -> list[Row]:
    found: list[Row] = []
    for user_id, model_id in keys:
        sets = asyncio.run(Sets(database).labelled(user_id, model_id))
        rows = [
            {**one._asdict(), "user_id": str(user_id), "set_id": str(one.set_id)} for one in sets
        ]
        columns = {name: [row[name] for row in rows] for name in COLUMNS}
        for row in learned_row((str(user_id), model_id), pa.table(columns)):
            run.require_lease()
            if row["status"] == "learned":
                asyncio.run(Models(database).put(_stored(row, run)))
            found.append({name: row.get(name) for name in LEARNED.names if name not in HEAVY})
    return found


def _stored(row: Row, run: Run) -> StoredModel:
    names = (row["owner"], row["model_id"], FAMILY, row["version"])
    said = json.loads(row["manifest"])
    return StoredModel(*names, row["bytes"], said, row["sha256"], run.run_id, run.started_at)


def _promote(database: Database, run: Run, rows: Sequence[Row]) -> None:
    """Move the pointers to the models that were kept, note who failed."""
    run.counts["sets"] += sum(row["sets"] for row in rows)
    learned = [row for row in rows if row["status"] == "learned"]
    failed = [row for row in rows if row["status"] == "failed"]
    run.add_outcomes([_outcome(row, row["status"], row["reason"]) for row in failed])
    moved = move_pointers(
        database,
        [
            Move(UUID(row["user_id"]), row["model_id"], row["version"], bytes(row["sha256"]))
            for row in learned
        ],
        family=FAMILY,
        run_id=run.run_id,
        at=server_time(),
    )
    run.add_outcomes([_outcome(row, *said) for row, said in zip(learned, moved, strict=True)])


def _outcome(row: Row, status: str, reason: str) -> UserOutcome:
    return UserOutcome(
        UUID(row["user_id"]), row["model_id"], status, reason, row.get("version") or "", "{}"
    )
