"""Users' models on their way from the rows in which they were learned to the table `models`."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from pipelines.keys import Row, UserKey
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import Move, move_pointers, retire
from pipelines.lifecycle.runs import Run, server_time
from pipelines.spark.tables import append
from store.database import Database
from store.jobs import UserOutcome
from store.models import Models, StoredModel

COLUMNS = (
    "owner",
    "model_id",
    "family",
    "version",
    "bytes",
    "manifest",
    "sha256",
    "run_id",
    "created_at",
)


class UserModels:
    """Keeps the model of every row that was learned, before any pointer moves.

    Bytes without a pointer harm nobody.
    """

    heavy = ("bytes", "manifest")

    def from_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write the models of a frame from the executors; the run says family and id."""
        said = {
            "family": f.lit(run.family),
            "run_id": f.lit(str(run.run_id)),
            "created_at": f.lit(run.started_at),
        }
        kept = learned.where("status = 'learned'").withColumns(said)
        append(kept.select(*COLUMNS), keyspace, "models")

    def from_row(self, row: Row, database: Database, run: Run) -> None:
        """Write the model of one row."""
        if row["status"] == "learned":
            model = stored_model(row, run.family, run.run_id, run.started_at)
            asyncio.run(Models(database).put(model))


USER_MODELS = UserModels()


def stored_model(row: Row, family: str, run_id: UUID, at: datetime) -> StoredModel:
    """The stored model of a row that was learned just now."""
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
    """The outcome of a row: its own word, unless something else is known by now.

    Args:
        row: with `said`, where a family keeps more about a user than one word.
        status: what became of it since.
        reason: why.
        metrics: in place of what the row says.
    """
    return UserOutcome(
        UUID(row["user_id"]),
        row["model_id"],
        status or row["status"],
        reason if status else row["reason"],
        row.get("version") or "",
        metrics or row.get("said") or "{}",
    )


def promote_users(job: Job, learned: Sequence[Row]) -> None:
    """Point users to the models that were kept, and note what each came to.

    Raises:
        LeaseHeld: the run's lease was lost; no pointer moves.
    """
    run = job.run
    run.require_lease()
    moves = [
        Move(UUID(row["user_id"]), row["model_id"], row["version"], bytes(row["sha256"]))
        for row in learned
    ]
    moved = move_pointers(
        job.database, moves, family=run.family, run_id=run.run_id, at=server_time()
    )
    run.add_outcomes([outcome_of(row, *said) for row, said in zip(learned, moved, strict=True)])


def retire_users(job: Job, without_model: Sequence[UserOutcome], gone: Sequence[UserKey]) -> None:
    """Retire the models that users' sets do not support any more; see `pointers.retire`.

    Raises:
        LeaseHeld: the run's lease was lost; no pointer moves.
    """
    run = job.run
    run.require_lease()
    retired = retire(
        job.database,
        without_model,
        gone,
        family=run.family,
        run_id=run.run_id,
        at=server_time(),
    )
    run.add_outcomes(retired)
