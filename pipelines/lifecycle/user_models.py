"""Storing and promoting users' models: from the rows of a pass to `models` and `champions`."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from pipelines.keys import Row, UserKey
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import Move, move_pointers, retire
from pipelines.lifecycle.runs import Run
from pipelines.spark.tables import append
from schemas.times import server_time
from store.database import Database
from store.jobs import UserOutcome
from store.models import MODEL_COLUMNS, Models, StoredModel
from store.pointers import ServingVersion


class UserModelWriter:
    """Stores the model of every learned row. No pointer leads to it yet."""

    large_columns = ("bytes", "manifest")

    def write_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write the models of a frame from the executors."""
        run_columns = {
            "family": f.lit(run.family),
            "run_id": f.lit(str(run.run_id)),
            "created_at": f.lit(run.started_at),
        }
        models = learned.where("status = 'learned'").withColumns(run_columns)
        append(models.select(*MODEL_COLUMNS), keyspace, "models")

    def write_row(self, row: Row, database: Database, run: Run) -> None:
        """Write the model of one row."""
        if row["status"] == "learned":
            model = stored_model(row, run.family, run.run_id, run.started_at)
            asyncio.run(Models(database).put(model))


USER_MODEL_WRITER = UserModelWriter()


def stored_model(row: Row, family: str, run_id: UUID, at: datetime) -> StoredModel:
    """The model of a learned row, in the form in which it is stored."""
    return StoredModel(
        row["owner"],
        row["model_id"],
        family,
        row["version"],
        row["bytes"],
        json.loads(row["manifest"]),
        row["sha256"],
        run_id,
        at,
    )


def outcome_of(
    row: Row, status: str = "", reason: str = "", *, metrics: str | None = None
) -> UserOutcome:
    """The outcome of a user's row.

    Args:
        row: with its status and reason, and where a family has them its `outcome_metrics`.
        status: replaces the row's, such as "refused" for a learned model.
        reason: of that status.
        metrics: replaces the row's, as JSON.
    """
    return UserOutcome(
        UUID(row["user_id"]),
        row["model_id"],
        status or row["status"],
        reason if status else row["reason"],
        row.get("version") or "",
        metrics or row.get("outcome_metrics") or "{}",
    )


def promote_users(
    job: Job, learned: Sequence[Row], serving: Mapping[UserKey, ServingVersion]
) -> None:
    """Point users to the models that were stored, and record the outcomes.

    Args:
        job: the job.
        learned: the rows of users whose models may serve.
        serving: what served before the run learned. Users whom something else serves by now are
            overtaken: an operator moved the pointer, and the next run learns them again.

    Raises:
        LeaseHeld: the run's lease was lost; no pointer moves.
    """
    run = job.run
    run.require_lease()
    moves = [_move(row, serving) for row in learned]
    moved = move_pointers(
        job.database, moves, family=run.family, run_id=run.run_id, at=server_time()
    )
    run.add_outcomes([outcome_of(row, *move) for row, move in zip(learned, moved, strict=True)])


def _move(row: Row, serving: Mapping[UserKey, ServingVersion]) -> Move:
    key = UUID(row["user_id"]), row["model_id"]
    expected = serving[key].version if key in serving else ""
    return Move(*key, row["version"], bytes(row["sha256"]), expected)


def retire_users(
    job: Job, without_model: Sequence[UserOutcome], orphaned: Sequence[UserKey]
) -> None:
    """Retire the models of users whose sets do not suffice any more; see `pointers.retire`.

    Raises:
        LeaseHeld: the run's lease was lost; no pointer moves.
    """
    run = job.run
    run.require_lease()
    retired = retire(
        job.database,
        without_model,
        orphaned,
        family=run.family,
        run_id=run.run_id,
        at=server_time(),
    )
    run.add_outcomes(retired)
