"""The form family's job: templates of how each user does every exercise, from confirmed sets.

A form model describes and advises but decides nothing. There is no baseline that it could be worse
than, so it serves as soon as it has a set; a template needs three sets of an exercise. Sets whose
counted repetitions contradict the user's number are left out, and so are those that are too short
or too long to be counted: serving does not count them either (`models.recognition.counting`). A set
whose gyroscope was off shows the speed of tilt, not of rotation: it is learned as one without
rotation only.
"""

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from models.exercise.layout import common_layout
from models.form.codec import to_bytes
from models.form.model import CountedSet, fit_form
from models.recognition.counting import repetitions
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.keys import Key, Row, UserKey
from pipelines.lifecycle.attempts import attempted_row
from pipelines.lifecycle.engines import Partitions, Pass, engine_of
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job, finish_run, open_job, recorded_users
from pipelines.lifecycle.labelled_partitions import (
    newest_of_each,
    partition_table,
)
from pipelines.lifecycle.model_rows import MODEL_FIELDS, model_columns
from pipelines.lifecycle.pointers import pointers_in_effect
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import EngineName, Scope, UserSelection, scope_of
from pipelines.lifecycle.user_models import (
    USER_MODEL_WRITER,
    outcome_of,
    promote_users,
    retire_users,
)
from schemas.config import Config
from schemas.families import FORM
from schemas.progress import Progress
from schemas.times import Clock, server_time, us_of
from store.database import Database
from store.jobs import UserOutcome
from store.labelled_sets import LabelledSets

COLUMNS = ("user_id", "model_id", "set_id", "exercise", "started_at", "reps", "samples")
NEWEST_SETS = 30  # of an exercise; counting takes a millisecond for each of their seconds
CONTRADICTION_REPS = 2  # more, or fewer, than the user's number
LEARNED = pa.schema([*MODEL_FIELDS, ("sets", pa.int32())])


def train_form(
    config: Config,
    *,
    users: UserSelection = "all",
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Learn every user's templates and promote them.

    Args:
        config: where Cassandra and Spark are.
        users: "all"; "changed" since the last run that went well; or these.
        engine: spark, or local: the same functions in this process, the same bytes.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
    """
    inputs = {"users": recorded_users(users), "engine": engine}
    with open_job(config, FORM, inputs, engine=engine, progress=progress, clock=clock) as job:
        scope = scope_of(job.database, FORM, users, job.run.started_at)
        too_few = _learn(job, scope) if scope.keys else []
        retire_users(job, too_few, scope.orphaned)
        finish_run(job, users)
    return job.run.report()


def _learn(job: Job, scope: Scope) -> list[UserOutcome]:
    """Learn, store and promote; the outcomes of users with too few sets."""
    run, engine = job.run, engine_of(job)
    serving = pointers_in_effect(job.database, scope.keys, FORM)
    with run.step("users"):
        pass_ = Pass(LABELLED_SETS, learned_row, LEARNED, (USER_MODEL_WRITER,))
        rows = engine.learn(scope, pass_, run)
    job.progress.step("form: user models learned", len(rows), len(scope.keys))
    run.counts["sets"] += sum(row["sets"] for row in rows)
    run.add_outcomes([outcome_of(row) for row in rows if row["status"] == "failed"])
    promote_users(job, [row for row in rows if row["status"] == "learned"], serving)
    return [outcome_of(row) for row in rows if row["status"] == "not-learned"]


def read_form_sets(database: Database, key: UserKey) -> pa.Table:
    """What form learns of a user's labelled sets, in the form in which Spark hands it over."""
    return partition_table(asyncio.run(LabelledSets(database).of_user(*key)), key, COLUMNS)


LABELLED_SETS = Partitions("labelled_sets", COLUMNS, read_form_sets)


def learned_row(key: Key, group: pa.Table) -> list[Row]:
    """On an executor: one user's templates, or the reason why there are none."""
    sets = group.select(COLUMNS[1:])
    row = attempted_row(key, lambda: learn_form(str(key[0]), sets.to_pylist()))
    return [row | {"sets": sets.num_rows}]


def learn_form(user_id: str, rows: Sequence[Row]) -> Row:
    """The columns of a user's form model, from rows of `labelled_sets` in any order.

    Raises:
        NotEnoughLabels: no set has repetitions.
        BadSamples: a stored recording does not decode.
    """
    counted = [counted_set(row) for row in newest_rows(rows)]
    model = fit_form([done for done in counted if done is not None])
    manifest = {
        "level": "user",
        "labels": sorted({exercise for exercise, _ in model.templates}),
        "sets": len(model.sets),
        "templates": {f"{e}, {side}": t.sets for (e, side), t in sorted(model.templates.items())},
        "environment": environment(),
    }
    return model_columns(user_id, to_bytes(model), manifest)


def newest_rows(rows: Sequence[Row]) -> list[Row]:
    """The newest sets of every exercise, oldest first."""
    return newest_of_each(
        rows,
        NEWEST_SETS,
        exercise=lambda row: row["exercise"],
        age=lambda row: (row["started_at"], str(row["set_id"])),
    )


def counted_set(row: Row) -> CountedSet | None:
    """A set with its repetitions.

    None where it cannot be counted, contradicts the user, or lacks its layout's rotation.
    """
    recording = unpack_pieces(bytes(row["samples"]))
    signals = wrist_signals(recording)
    counted = repetitions(signals)
    if counted is None or common_layout(signals) != row["model_id"]:
        return None
    if row["reps"] is not None and abs(row["reps"] - counted.count) > CONTRADICTION_REPS:
        return None
    started_ms = us_of(row["started_at"]) // 1000
    return CountedSet(
        str(row["set_id"]), row["exercise"], recording.side, started_ms, counted.repetitions
    )
