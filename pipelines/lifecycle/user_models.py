"""Storing, promoting and retiring users' models: rows of a pass to `models` and `champions`."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from pipelines.keys import Row, UserKey
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import move_pointers
from pipelines.lifecycle.runs import Run
from pipelines.spark.tables import append
from schemas.errors import LostChampionRace
from schemas.statuses import UserStatus
from schemas.times import server_time
from store.champions import Champions
from store.database import Database
from store.jobs import UserOutcome
from store.models import MODEL_COLUMNS, ModelKey, Models, StoredModel
from store.pointers import Challenger, ServingVersion

RETIRED: UserStatus = "retired"

NO_SETS = "no labelled set is left"


class UserModelWriter:
    """Stores the model of every learned row. No pointer leads to it yet."""

    large_columns = ("bytes", "manifest")

    def write_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write the models of a frame, which has been computed, from the executors."""
        run_columns = {
            "family": f.lit(run.family),
            "run_id": f.lit(str(run.run_id)),
            "created_at": f.lit(run.clock()),
        }
        models = learned.where("status = 'learned'").withColumns(run_columns)
        append(models.select(*MODEL_COLUMNS), keyspace, "models")

    def write_row(self, row: Row, database: Database, run: Run) -> None:
        """Write the model of one row."""
        if row["status"] == "learned":
            model = stored_model(row, run.family, run.run_id, run.clock())
            asyncio.run(Models(database).put(model))


USER_MODEL_WRITER = UserModelWriter()


def stored_model(row: Row, family: str, run_id: UUID, at: datetime) -> StoredModel:
    """The model of a learned row, in the form in which it is stored at a time."""
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
    row: Row, status: UserStatus | None = None, reason: str = "", *, metrics: str | None = None
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
        LeaseLost: the run's lease was lost; no pointer moves.
    """
    run = job.run
    run.require_lease()
    moved = move_pointers(job.database, [_move(row, serving, run) for row in learned])
    run.add_outcomes([outcome_of(row, *move) for row, move in zip(learned, moved, strict=True)])


def _move(row: Row, serving: Mapping[UserKey, ServingVersion], run: Run) -> tuple[Challenger, str]:
    """The model of a row, with the version that served its user."""
    user, layout = UUID(row["user_id"]), row["model_id"]
    key = ModelKey.of_user(user, layout, run.family)
    challenger = Challenger(*key, row["version"], bytes(row["sha256"]), run.run_id)
    return challenger, serving[user, layout].version if (user, layout) in serving else ""


def retire_users(
    job: Job, without_model: Sequence[UserOutcome], orphaned: Sequence[UserKey]
) -> None:
    """Retire the models of users whose sets do not suffice for one any more; record the outcomes.

    They deleted sets, or the samples of old sets have expired. From then on the global model
    serves them. Recorded are: retired, with the version that had served; as given where none had;
    overtaken where the pointer moved meanwhile. Users without sets are recorded only where a model
    had served.

    Args:
        job: the job that read the sets.
        without_model: outcomes of users with too few sets, with reasons.
        orphaned: pointers of users without any set, see
            `pipelines.lifecycle.scope.orphaned_pointers`.

    Raises:
        LeaseLost: the run's lease was lost; no pointer moves.
    """
    run, champions, at = job.run, Champions(job.database), server_time()
    run.require_lease()

    async def retired(outcome: UserOutcome) -> UserOutcome:
        """Retire the model that serves one user, if there is one."""
        key = ModelKey.of_user(outcome.user_id, outcome.model_id, run.family)
        try:
            version = await champions.retire(key, run.run_id, at)
        except LostChampionRace:
            return outcome._replace(status="overtaken")
        return outcome._replace(status=RETIRED, version=version) if version else outcome

    without_sets = [UserOutcome(*key, "not-learned", NO_SETS, "", "{}") for key in orphaned]
    outcomes = gather(retired, (*without_model, *without_sets))
    nothing_served = set(without_sets)
    run.add_outcomes([outcome for outcome in outcomes if outcome not in nothing_served])
