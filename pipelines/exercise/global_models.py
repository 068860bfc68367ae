"""The global model in the store: the serving model, and the statistics for users' models.

They are two rows: clients and the service read 17 kB, and only training reads the megabyte of
statistics.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.exercise.codec import (
    from_bytes,
    global_from_bytes,
    global_to_bytes,
    to_bytes,
)
from pipelines.exercise.calibration import Calibrations, calibrations_from_manifest
from pipelines.exercise.global_fit import (
    EarlierMembers,
    VersionedGlobalModel,
    statistics_version,
)
from pipelines.exercise.global_gate import GlobalVerdict
from pipelines.exercise.manifest import golden
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.members import drawn_from
from pipelines.lifecycle.model_rows import too_large
from pipelines.lifecycle.pointers import (
    MoveOutcome,
    global_pointers,
    incumbent_of,
    move_pointer,
)
from schemas.errors import BadModelBytes, NoModel
from schemas.families import EXERCISE
from schemas.inputs import InputLayout
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger
from store.unnamed_versions import delete_unnamed_versions

STATISTICS = "exercise-statistics"
SUMS = "sums"  # recipe: a discriminant of the members' sums
AVERAGED_RECIPE = "iterative-reduce"  # recipe: the average of `exercise-averaged`
WAITS = "promoted for users' models; people without one are served by what is averaged"


class Provenance(NamedTuple):
    """Which run learned a model, and from what.

    Attributes:
        run_id: of the run.
        seed: by which the members were drawn.
        learned_until: when their sets had been read; later ones are not in the model.
        at: when it is stored.
    """

    run_id: UUID
    seed: int
    learned_until: datetime
    at: datetime


def read_global_models(database: Database) -> dict[InputLayout, VersionedGlobalModel]:
    """The serving global models, by layout; of their members only what `EarlierMembers` holds."""
    return asyncio.run(_read(database))


def read_calibrations(database: Database) -> dict[InputLayout, Calibrations]:
    """The calibrations that the last full run learned, by layout."""
    return asyncio.run(_read_calibrations(database))


def store_global(
    database: Database,
    layout: InputLayout,
    model: VersionedGlobalModel,
    verdict: GlobalVerdict,
    provenance: Provenance,
    *,
    served: Mapping[ModelKey, str],
    must_replace: bool,
) -> MoveOutcome:
    """Store a layout's new global model, and promote it where the verdict allows it.

    Args:
        database: where models are.
        layout: of its input.
        model: with its members.
        verdict: on it.
        provenance: of the model.
        served: what served when the run began, of `served_versions`.
        must_replace: whether no model that serves may stay, see `global_retirement`.
    """
    judged = {
        "calibration_next": verdict.calibrations.as_manifest(),
        "drawn": drawn_from(model.members, provenance.seed),
        "metrics": verdict.shares,
        "trained_until": provenance.learned_until.isoformat(),
    }
    rows = _rows(layout, model, judged, provenance)
    if refusal := next(filter(None, (too_large(row.content) for row in rows)), ""):
        return MoveOutcome("refused", refusal)
    if verdict.reason:
        asyncio.run(_store(database, rows, (), served))
        return MoveOutcome("refused", verdict.reason)
    waits = not must_replace and asyncio.run(_averaged_beside(database, layout, model))
    serve = (STATISTICS,) if waits else (EXERCISE, STATISTICS)
    moved = asyncio.run(_store(database, rows, serve, served))
    return MoveOutcome("promoted", WAITS if waits else "") if moved.serves else moved


def _rows(
    layout: InputLayout,
    model: VersionedGlobalModel,
    judged: Mapping[str, object],
    provenance: Provenance,
) -> list[StoredModel]:
    """The two rows of a model; `judged` is added to their manifests."""
    manifest = {
        "level": "global",
        "recipe": SUMS,
        "labels": list(model.learned.model.labels),
        "members": len(model.members),
        "everybody": model.version,
        "calibration": model.calibrations.as_manifest(),
        "environment": environment(),
        **judged,
    }
    answers = to_bytes(model.learned.model)
    contents = (
        (EXERCISE, answers, {**manifest, "golden": golden(answers)}),
        (STATISTICS, global_to_bytes(model.learned), manifest),
    )
    run_id, at = provenance.run_id, provenance.at
    return [
        StoredModel.of(ModelKey.of_global(layout, family), content, entry, run_id, at)
        for family, content, entry in contents
    ]


async def _store(
    database: Database,
    rows: Sequence[StoredModel],
    serve: Collection[str],
    served: Mapping[ModelKey, str],
) -> MoveOutcome:
    """Store a model's rows and promote those of `serve`; why one may not serve, else promoted."""
    for row in rows:
        await Models(database).put(row)
    moved: list[MoveOutcome] = []
    for row in rows:
        overtaken = any(outcome.overtaken for outcome in moved)  # the rows belong together
        if row.key.family in serve and not overtaken:
            expected_version, at = served[row.key], row.created_at
            moved.append(await move_pointer(database, Challenger.of(row), expected_version, at))
        if row.key.family == STATISTICS:
            await delete_unnamed_versions(database, row.key, row.created_at)
    return next((outcome for outcome in moved if not outcome.serves), MoveOutcome("promoted"))


async def _averaged_beside(
    database: Database, layout: InputLayout, sums: VersionedGlobalModel
) -> bool:
    """Whether an averaged model serves that was compared with these sums, and can be decoded.

    An averaged model that was compared with other sums was learned from other sets: new users would
    miss what was learned since, and an erased user would stay in it. It may serve again when both
    have been compared again.
    """
    champion = await Champions(database).serving(ModelKey.of_global(layout, EXERCISE))
    if champion is None:
        return False
    try:
        stored = await Models(database).get(champion.key, champion.version)
        from_bytes(stored.content)
    except (NoModel, BadModelBytes):
        return False
    manifest = stored.manifest
    return manifest.get("recipe") == AVERAGED_RECIPE and manifest.get("everybody") == sums.version


async def _read(database: Database) -> dict[InputLayout, VersionedGlobalModel]:
    """Global models that cannot be decoded, as after a change of features, are left out."""
    models: dict[InputLayout, VersionedGlobalModel] = {}
    for layout, serving in (await global_pointers(database, STATISTICS)).items():
        stored = await Models(database).get(serving.key, serving.version)
        try:
            learned = global_from_bytes(stored.content)
        except BadModelBytes:
            continue
        calibrations = calibrations_from_manifest(stored.manifest.get("calibration"))
        version = statistics_version(learned)
        earlier = EarlierMembers(stored.manifest.get("drawn"), incumbent_of(stored).period)
        models[layout] = VersionedGlobalModel(
            learned, frozenset(), version, calibrations, earlier=earlier
        )
    return models


async def _read_calibrations(database: Database) -> dict[InputLayout, Calibrations]:
    calibrations: dict[InputLayout, Calibrations] = {}
    for layout, serving in (await global_pointers(database, STATISTICS)).items():
        manifest = await Models(database).manifest(serving.key, serving.version)
        entry = (manifest or {}).get("calibration_next")
        calibrations[layout] = calibrations_from_manifest(entry)
    return calibrations
