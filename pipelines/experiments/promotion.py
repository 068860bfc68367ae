"""Which global model serves users without one of their own: the averaged or the summed one."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from models.exercise.codec import from_bytes, to_bytes
from pipelines.exercise.gate import Comparison
from pipelines.exercise.global_fit import VersionedGlobalModel
from pipelines.exercise.global_models import AVERAGED_RECIPE, SUMS, read_global_models
from pipelines.exercise.manifest import golden
from pipelines.experiments.sample import LAYOUT
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import OVERTAKEN, MoveOutcome, move_pointer, serving_manifest
from schemas.families import EXERCISE
from schemas.ids import version_of
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger

KEY = ModelKey.of_global(LAYOUT, EXERCISE)


def promote_winner(
    job: Job,
    sums: VersionedGlobalModel,
    averaged: bytes,
    comparison: Comparison,
    drawn: Mapping[str, int],
    served: Mapping[ModelKey, str],
) -> MoveOutcome:
    """Promote the better of the two models, and record the comparison.

    Neither is promoted if the sums were replaced meanwhile, or if another model serves than
    `served` says: the comparison is out of date. `drawn` goes into the averaged model's manifest.
    """
    run, serves = job.run, AVERAGED_RECIPE if comparison.takes_over else SUMS
    run.metrics["cold_start"] = {"serves": serves, **asdict(comparison)}
    run.require_lease()
    statistics = read_global_models(job.database).get(LAYOUT)
    if statistics is None or statistics.version != sums.version:
        outcome = MoveOutcome("overtaken", OVERTAKEN)
    elif comparison.takes_over:
        details = {
            "recipe": AVERAGED_RECIPE,
            "everybody": sums.version,
            "drawn": drawn,
            "metrics": asdict(comparison),
        }
        outcome = promote_averaged(
            job.database, averaged, details, run_id=run.run_id, at=run.clock(), served=served
        )
    else:
        outcome = promote_summed(
            job.database, sums, run_id=run.run_id, at=run.clock(), served=served
        )
    if not outcome.serves:
        run.status = "refused"
        run.reasons[outcome.reason] += 1
        serves = asyncio.run(_serving_recipe(job.database))
        run.metrics["cold_start"] = {"serves": serves, **asdict(comparison)}
    return outcome


def promote_averaged(
    database: Database,
    content: bytes,
    details: Mapping[str, object],
    *,
    run_id: UUID,
    at: datetime,
    served: Mapping[ModelKey, str],
) -> MoveOutcome:
    """Let an averaged model serve users without one of their own; no change where it does already.

    Args:
        database: where models are.
        content: of `models.exercise.codec`.
        details: more entries of its manifest.
        run_id: of the run that judged it.
        at: now.
        served: what served before it was judged, of `served_versions`.

    Returns:
        as `move_pointer`.
    """
    manifest = {
        "level": "global",
        "labels": list(from_bytes(content).labels),
        "trained_until": at.isoformat(),
        "environment": environment(),
        "golden": golden(content),
        **details,
    }
    model = StoredModel.of(KEY, content, manifest, run_id, at)
    asyncio.run(Models(database).put(model))
    return asyncio.run(move_pointer(database, Challenger.of(model), served[KEY], at))


def promote_summed(
    database: Database,
    model: VersionedGlobalModel,
    *,
    run_id: UUID,
    at: datetime,
    served: Mapping[ModelKey, str],
) -> MoveOutcome:
    """Let the stored model of the members' sums serve again; returns as `promote_averaged`."""
    sha256 = hashlib.sha256(to_bytes(model.learned.model)).digest()
    challenger = Challenger(*KEY, version_of(sha256), sha256, run_id)
    return asyncio.run(move_pointer(database, challenger, served[KEY], at))


async def _serving_recipe(database: Database) -> object:
    """The recipe of the model that serves users without one of their own."""
    return (await serving_manifest(database, KEY)).get("recipe", SUMS)
