"""Global models of a few people, and what runs and experiments promote of them."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pipelines.exercise.evaluation import Hits, Rungs
from pipelines.exercise.global_fit import PortionSums
from pipelines.exercise.global_gate import judge_global
from pipelines.exercise.global_models import STATISTICS, Provenance, store_global
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.promotion import ModelCandidate
from pipelines.lifecycle.pointers import served_versions
from store.champions import Champions
from store.models import ModelKey, Models
from tests.pipelines.people import LAYOUT, user_id

RECIPE = Recipe("test")
STRANGER = str(user_id(2))
AT = datetime(2026, 11, 2, tzinfo=UTC)
FAMILIES = ("exercise", STATISTICS)


def each(statistics):
    """One portion per user."""
    return [PortionSums((user,), one) for user, one in statistics.items()]


def serving(database, family="exercise"):
    """The recipe and the version of the serving model."""
    pointer = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, family)))
    stored = asyncio.run(Models(database).get(pointer.key, pointer.version))
    return stored.manifest["recipe"], pointer.version


def trained(store, model, members, run_id=None, served=None):
    """What a run says that judges and stores a global model."""
    moved = store_global(
        store,
        LAYOUT,
        model,
        judge_global(LAYOUT, model, members, 0.01),
        Provenance(run_id or uuid4(), 1, AT, AT),
        served=served or served_versions(store, FAMILIES),
        must_replace=False,
    )
    return moved.reason or moved.status


def judging(store, run_id=None):
    """What an experiment promotes with: compared with what serves now."""
    served = served_versions(store, FAMILIES)
    return {"run_id": run_id or uuid4(), "at": AT, "served": served}


def passing_members(statistics):
    """Members with one late set each that the global model names right and a constant does not."""
    rungs = made_rungs(everybody={"s": True}, majority={"s": False})
    return [ModelCandidate(UUID(user), LAYOUT, "v", b"", 16, rungs) for user in statistics]


def made_rungs(**sets: dict[str, bool]) -> Rungs:
    """Rungs with these hits of sets, of one window each, all of which are named right.

    Every set is of another exercise.
    """
    counted = {rung: Hits(of_rung, len(of_rung), len(of_rung)) for rung, of_rung in sets.items()}
    exercises = {name: f"exercise {name}" for of_rung in sets.values() for name in of_rung}
    nothing = dict.fromkeys(Rungs._fields, Hits({}, 0, 0))
    return Rungs(**nothing | counted | {"exercises": exercises})
