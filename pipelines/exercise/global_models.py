"""The global model in the store: what serves, and the statistics that users' models are mixed with.

It has two rows: phones and the service read 17 kB, and only training reads the megabyte of
statistics.
"""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from models.exercise.codec import (
    from_bytes,
    global_from_bytes,
    global_to_bytes,
    to_bytes,
)
from pipelines.exercise.calibration import (
    Calibrations,
    calibrations_from_manifest,
    learned_calibrations,
)
from pipelines.exercise.everybody import Everybody, statistics_version
from pipelines.exercise.gate import Trial, setback
from pipelines.exercise.manifest import golden
from pipelines.exercise.promotion import ModelCandidate, rung_shares
from pipelines.lifecycle.environment import environment
from pipelines.lifecycle.pointers import TAKEN_BACK, global_pointers, move_pointer
from schemas.errors import BadModelBytes, NoModel
from schemas.ids import version_of
from schemas.inputs import InputLayout
from schemas.layout import GLOBAL_OWNER
from store.champions import Challenger, Champions
from store.database import Database
from store.models import Models, StoredModel

FAMILY = "exercise"
STATISTICS = "exercise-statistics"
SUMS = "sums"  # the discriminant of everybody's sums
LEAST_MEMBERS = 2  # one alone, taken out, leaves nothing to ask
REDUCED = "iterative-reduce"  # what `exercise-averaged` averages
WAITS = "promoted for users' models; people without one are served by what is averaged"


def read_everybody(database: Database) -> dict[InputLayout, Everybody]:
    """The global models that serve now; their members are not taken out again."""
    return asyncio.run(_read(database))


def read_calibrations(database: Database) -> dict[InputLayout, Calibrations]:
    """What the last whole run learned about how far models are trusted, by layout."""
    return asyncio.run(_read_calibrations(database))


def objection(
    shares: Mapping[str, Mapping[str, float | int]],
    strangers: Sequence[Trial],
    margin: float,
    members: int,
) -> str:
    """Why a global model may not serve, "" when it may.

    On late sets of people who were taken out of it, it must beat always naming the exercise that
    the person did most often. On later sets of people who are in neither model, it must not be
    worse than what serves now.

    Args:
        shares: of the members' rungs.
        strangers: trials of people who are in neither.
        margin: how much worse it may be, as a share of sets.
        members: how many people it was learned from.
    """
    if members < LEAST_MEMBERS:
        return f"{members} of {LEAST_MEMBERS} people: each is asked about without what he gave"
    if "everybody" not in shares:
        return "no later set of a member to judge by"
    right, most = shares["everybody"]["sets_right"], shares["majority"]["sets_right"]
    if right <= most:
        return f"right in {right} of sets, the most frequent in {most}"
    worse = setback(strangers, margin)
    return f"of people in neither {worse}" if worse else ""


def strangers_of(challengers: Iterable[ModelCandidate], layout: InputLayout) -> list[Trial]:
    """What the new global model and the one that serves answered about people in neither."""
    asked = (one for one in challengers if one.model_id == layout and one.hits.get("former"))
    return [
        Trial(str(one.user_id), one.labelled_sets, one.hits["everybody"], one.hits["former"], {})
        for one in asked
    ]


def store_everybody(
    database: Database,
    everybody: Mapping[InputLayout, Everybody],
    challengers: list[ModelCandidate],
    *,
    margin: float,
    run_id: UUID,
    at: datetime,
) -> dict[str, str]:
    """Keep the global models of a run and let those serve that may; layout to what became of it."""
    outcome: dict[str, str] = {}
    for layout, one in everybody.items():
        members = [c for c in challengers if c.model_id == layout and str(c.user_id) in one.members]
        shares = rung_shares(members)
        strangers = strangers_of(challengers, layout)
        reason = objection(shares, strangers, margin, len(one.members))
        held = [c.held for c in sorted(members, key=lambda c: str(c.user_id)) if c.held]
        later = learned_calibrations(held, one.calibrations)
        serve = () if reason else (FAMILY, STATISTICS)
        if not reason and asyncio.run(_averaged_beside(database, layout, one)):
            serve, reason = (STATISTICS,), WAITS  # held-out people have judged both
        kept_back = asyncio.run(_store(database, layout, one, shares, later, run_id, at, serve))
        outcome[layout] = kept_back or reason or "promoted"
    return outcome


def promote_global(
    database: Database,
    layout: InputLayout,
    content: bytes,
    said: Mapping[str, object],
    *,
    run_id: UUID,
    at: datetime,
) -> str:
    """Let a global model serve people without one of their own; no change where it does already.

    Args:
        database: where models are.
        layout: of its input.
        content: of `models.exercise.codec`.
        said: what its manifest says beside what every one does.
        run_id: of the run that judged it.
        at: now.

    Returns:
        why it does not serve, "" where it does: somebody took it back (see `move_pointer`).
    """
    labels = list(from_bytes(content).labels)
    manifest = {
        "level": "global",
        "labels": labels,
        "trained_until": at.isoformat(),
        "environment": environment(),
        **said,
    }
    return asyncio.run(_keep(database, layout, FAMILY, content, manifest, run_id, at, serve=True))


def promote_sums(
    database: Database, layout: InputLayout, one: Everybody, *, run_id: UUID, at: datetime
) -> str:
    """Let the stored discriminant of everybody's sums serve again; returns as `promote_global`."""
    sha256 = hashlib.sha256(to_bytes(one.learned.model)).digest()
    return asyncio.run(_point(database, layout, FAMILY, sha256, run_id, at))


async def _store(
    database: Database,
    layout: InputLayout,
    one: Everybody,
    shares: Mapping[str, object],
    later: Calibrations,
    run_id: UUID,
    at: datetime,
    serve: Collection[str],
) -> str:
    manifest = {
        "level": "global",
        "recipe": SUMS,
        "labels": list(one.learned.model.labels),
        "members": len(one.members),
        "everybody": one.version,
        "calibration": one.calibrations.as_manifest(),
        "calibration_next": later.as_manifest(),
        "trained_until": at.isoformat(),
        "environment": environment(),
        "metrics": shares,
    }
    contents = {
        FAMILY: to_bytes(one.learned.model),
        STATISTICS: global_to_bytes(one.learned),
    }
    kept_back = ""
    for family, content in contents.items():
        served = family in serve
        why = await _keep(database, layout, family, content, manifest, run_id, at, serve=served)
        kept_back = kept_back or why
    return kept_back


async def _keep(
    database: Database,
    layout: InputLayout,
    family: str,
    content: bytes,
    manifest: Mapping[str, object],
    run_id: UUID,
    at: datetime,
    *,
    serve: bool,
) -> str:
    """Write a model, then let it serve if asked: bytes without a pointer harm nobody."""
    sha256 = hashlib.sha256(content).digest()
    said = {**manifest, "sha256": sha256.hex()}
    if family == FAMILY:
        said["golden"] = golden(content)
    version = version_of(sha256)
    model = StoredModel(GLOBAL_OWNER, layout, family, version, content, said, sha256, run_id, at)
    await Models(database).put(model)
    return await _point(database, layout, family, sha256, run_id, at) if serve else ""


async def _point(
    database: Database, layout: InputLayout, family: str, sha256: bytes, run_id: UUID, at: datetime
) -> str:
    """Move the pointer; why it must stay, "" where it need not."""
    version = version_of(sha256)
    challenger = Challenger(GLOBAL_OWNER, layout, family, version, sha256, run_id)
    status, reason = await move_pointer(Champions(database), challenger, at)
    return reason if status == TAKEN_BACK else ""


async def recipe_that_serves(database: Database, layout: InputLayout) -> object:
    """The recipe of the model that serves people without one of their own."""
    champion = await Champions(database).serving(GLOBAL_OWNER, layout, FAMILY)
    if champion is None:
        return SUMS
    models = Models(database)
    manifest = await models.manifest(GLOBAL_OWNER, layout, FAMILY, champion.version)
    return (manifest or {}).get("recipe", SUMS)


async def _averaged_beside(database: Database, layout: InputLayout, sums: Everybody) -> bool:
    """Whether an averaged model serves that was judged beside these very sums, and can be read.

    An averaged model that was judged beside other sums was learned from other sets: newcomers would
    miss what was learned since, and an erased person would stay in it. It serves again when both
    have been judged anew.
    """
    champion = await Champions(database).serving(GLOBAL_OWNER, layout, FAMILY)
    if champion is None:
        return False
    try:
        stored = await Models(database).get(*champion.model_key)
        from_bytes(stored.content)
    except (NoModel, BadModelBytes):
        return False
    said = stored.manifest
    return said.get("recipe") == REDUCED and said.get("everybody") == sums.version


async def _read(database: Database) -> dict[InputLayout, Everybody]:
    """Global models that cannot be decoded, as after a change of features, are left out."""
    found: dict[InputLayout, Everybody] = {}
    for layout, serving in (await global_pointers(database, STATISTICS)).items():
        stored = await Models(database).get(*serving.model_key)
        try:
            learned = global_from_bytes(stored.content)
        except BadModelBytes:
            continue
        calibrations = calibrations_from_manifest(stored.manifest.get("calibration"))
        found[layout] = Everybody(learned, frozenset(), statistics_version(learned), calibrations)
    return found


async def _read_calibrations(database: Database) -> dict[InputLayout, Calibrations]:
    found: dict[InputLayout, Calibrations] = {}
    for layout, serving in (await global_pointers(database, STATISTICS)).items():
        manifest = await Models(database).manifest(*serving.model_key)
        found[layout] = calibrations_from_manifest((manifest or {}).get("calibration_next"))
    return found
