"""The global model in the store: what serves, and the statistics that users' models are mixed with.

Two rows: phones and the service read 17 kB, only training reads the megabyte of statistics.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from models.exercise.codec import global_from_bytes, global_to_bytes, model_to_bytes
from models.exercise.layout import ModelId
from pipelines.calibration import (
    Calibrations,
    calibrations_from_manifest,
    learned_calibrations,
)
from pipelines.everybody import LAYOUTS, Everybody, version_of
from pipelines.manifest import environment, golden
from pipelines.promotion import Candidate, rung_shares
from schemas.layout import GLOBAL_OWNER
from store.database import Database
from store.models import Challenger, Champions, Models, StoredModel
from store.models import version_of as stored_version

FAMILY = "exercise"
STATISTICS = "exercise-statistics"


def read_everybody(database: Database) -> dict[ModelId, Everybody]:
    """The global models that serve now; their members are not taken out again."""
    return asyncio.run(_read(database))


def read_calibrations(database: Database) -> dict[ModelId, Calibrations]:
    """What the last whole run learned about how far models are trusted, by layout."""
    return asyncio.run(_read_calibrations(database))


def may_serve(shares: Mapping[str, Mapping[str, float | int]]) -> str:
    """Why a global model may not serve, "" when it may.

    Asked about late sets of people who were taken out of it, it must beat always naming the
    exercise that the person did most often.
    """
    if "everybody" not in shares:
        return "no later set of a member to judge by"
    right, most = shares["everybody"]["sets_right"], shares["majority"]["sets_right"]
    return "" if right > most else f"right in {right} of sets, the most frequent in {most}"


def store_everybody(
    database: Database,
    everybody: Mapping[ModelId, Everybody],
    challengers: list[Candidate],
    *,
    run_id: UUID,
    at: datetime,
) -> dict[str, str]:
    """Keep the global models of a run and let those serve that may; layout to what became of it."""
    outcome: dict[str, str] = {}
    for layout, one in everybody.items():
        members = [c for c in challengers if c.model_id == layout and str(c.user_id) in one.members]
        shares = rung_shares(members)
        reason = may_serve(shares)
        held = [c.held for c in sorted(members, key=lambda c: str(c.user_id)) if c.held]
        later = learned_calibrations(held, one.calibrations)
        asyncio.run(_store(database, layout, one, shares, later, run_id, at, serve=not reason))
        outcome[layout] = reason or "promoted"
    return outcome


async def _store(
    database: Database,
    layout: ModelId,
    one: Everybody,
    shares: Mapping[str, object],
    later: Calibrations,
    run_id: UUID,
    at: datetime,
    *,
    serve: bool,
) -> None:
    manifest = {
        "level": "global",
        "labels": list(one.learned.model.labels),
        "members": len(one.members),
        "everybody": one.version,
        "calibration": one.calibrations.as_manifest(),
        "calibration_next": later.as_manifest(),
        "trained_until": at.isoformat(),
        "environment": environment(),
        "metrics": shares,
    }
    champions, models = Champions(database), Models(database)
    contents = {
        FAMILY: model_to_bytes(one.learned.model),
        STATISTICS: global_to_bytes(one.learned),
    }
    for family, content in contents.items():
        sha256 = hashlib.sha256(content).digest()
        said = {**manifest, "sha256": sha256.hex()}
        if family == FAMILY:
            said["golden"] = golden(content)
        version = stored_version(sha256)
        model = StoredModel(
            GLOBAL_OWNER, layout, family, version, content, said, sha256, run_id, at
        )
        await models.put(model)
        incumbent = await champions.read(GLOBAL_OWNER, layout, family)
        if serve and (incumbent is None or incumbent.version != version):
            challenger = Challenger(GLOBAL_OWNER, layout, family, version, sha256, run_id)
            await champions.promote(challenger, incumbent, at)


async def _read(database: Database) -> dict[ModelId, Everybody]:
    found: dict[ModelId, Everybody] = {}
    for layout in LAYOUTS:
        champion = await Champions(database).serving(GLOBAL_OWNER, layout, STATISTICS)
        if champion is not None:
            stored = await Models(database).get(GLOBAL_OWNER, layout, STATISTICS, champion.version)
            learned = global_from_bytes(stored.content)
            calibrations = calibrations_from_manifest(stored.manifest.get("calibration"))
            found[layout] = Everybody(learned, frozenset(), version_of(learned), calibrations)
    return found


async def _read_calibrations(database: Database) -> dict[ModelId, Calibrations]:
    found: dict[ModelId, Calibrations] = {}
    for layout in LAYOUTS:
        champion = await Champions(database).serving(GLOBAL_OWNER, layout, STATISTICS)
        if champion is not None:
            manifest = await Models(database).manifest(
                GLOBAL_OWNER, layout, STATISTICS, champion.version
            )
            found[layout] = calibrations_from_manifest((manifest or {}).get("calibration_next"))
    return found
