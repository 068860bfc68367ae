"""Fits the model of each layout to what the passes gave, stores it, and lets it serve if it may."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.activity.codec import to_bytes
from models.activity.examples import EXERCISE, IDLE
from models.activity.features import ACTIVITY_VERSION
from models.activity.settings import SETTINGS
from pipelines.activity.fits import fit_layout
from pipelines.activity.gate import UNCOMPARED, pooled_seconds, refusal_reason
from pipelines.activity.seconds import f1
from pipelines.keys import Row
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.members import drawn_from
from pipelines.lifecycle.pointers import MoveOutcome, move_pointer
from schemas.errors import CannotLearn
from schemas.families import ACTIVITY
from schemas.inputs import InputLayout
from schemas.times import server_time
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger


@dataclass(frozen=True, slots=True)
class PassRows:
    """What the three passes gave, each in the order of its users.

    Attributes:
        sums, borders: of users with stretches.
        evaluated: of those whose borders were read, with reasons where a user failed.
    """

    sums: Sequence[Row]
    borders: Sequence[Row]
    evaluated: Sequence[Row]

    def of_layout(self, layout: InputLayout) -> "PassRows":
        """The rows of one layout."""
        passes = (self.sums, self.borders, self.evaluated)
        return PassRows(*([row for row in rows if row["model_id"] == layout] for rows in passes))


def promote_layout(
    job: Job,
    layout: InputLayout,
    rows: PassRows,
    served: Mapping[ModelKey, str],
    *,
    replaces: bool,
) -> MoveOutcome:
    """Fit, store and promote one layout's model; the outcome, which is in the run's metrics too.

    Args:
        job: the job.
        layout: of the model.
        rows: those of the layout.
        served: what served before the comparison, of `served_versions`.
        replaces: whether what served could be compared.
    """
    run, seconds = job.run, pooled_seconds(rows.evaluated)
    metrics: dict[str, Any] = {"members": len(rows.sums), "seconds": seconds}
    metrics["f1"] = {rung: round(f1(s), 4) for rung, s in seconds.items() if sum(s)}
    try:
        content = to_bytes(fit_layout(rows.sums, rows.borders, layout))
    except CannotLearn as problem:
        run.metrics[layout] = metrics | {"outcome": "not-learned"}
        run.reasons[f"{layout}: {problem}"] += 1
        return MoveOutcome("not-learned", str(problem))
    reason = refusal_reason(seconds, job.config.training.gate_margin)
    stored = _stored_model(job, layout, content, rows.sums, metrics)
    outcome = asyncio.run(_store_and_promote(job.database, stored, reason, served))
    uncompared = outcome.status == "promoted" and replaces and not sum(seconds["incumbent"])
    sentences = (outcome.reason, UNCOMPARED if uncompared else "")
    run.reasons.update(f"{layout}: {sentence}" for sentence in sentences if sentence)
    run.metrics[layout] = metrics | {"outcome": outcome.status}
    return outcome


def _stored_model(
    job: Job,
    layout: InputLayout,
    content: bytes,
    sums_rows: Sequence[Row],
    metrics: Mapping[str, Any],
) -> StoredModel:
    """A model with its provenance."""
    digests = "\n".join(row["digest"] for row in sums_rows)
    manifest = {
        "level": "global",
        "labels": [EXERCISE, IDLE],
        "features": ACTIVITY_VERSION,
        "settings": asdict(SETTINGS),
        "drawn": drawn_from((row["user_id"] for row in sums_rows), job.config.training.seed),
        "trained_until": max(row["until"] for row in sums_rows),
        "data_digest": hashlib.sha256(digests.encode()).hexdigest(),
        "environment": environment(),
        "metrics": dict(metrics),
    }
    key = ModelKey.of_global(layout, ACTIVITY)
    return StoredModel.of(key, content, manifest, job.run.run_id, job.run.clock())


async def _store_and_promote(
    database: Database, stored: StoredModel, reason: str, served: Mapping[ModelKey, str]
) -> MoveOutcome:
    """Store a model, and promote it unless there is a reason to refuse it.

    Returns:
        as of `move_pointer`; or refused, with that reason.
    """
    await Models(database).put(stored)
    if reason:
        return MoveOutcome("refused", reason)
    return await move_pointer(database, Challenger.of(stored), served[stored.key], server_time())
