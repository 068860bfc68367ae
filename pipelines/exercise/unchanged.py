"""Skips users whose serving model was learned from the sets that they have now."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from pipelines.exercise.labelled import LabelledRow, digest, newest
from pipelines.exercise.prepared import Recipe
from pipelines.keys import UserKey
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.pointers import serving_manifest
from pipelines.lifecycle.scope import Scope
from schemas.families import EXERCISE
from store.database import Database
from store.labelled_sets import LabelledSets, TrainingRevision
from store.models import ModelKey


def drop_unchanged(database: Database, scope: Scope, recipe: Recipe) -> Scope:
    """Skip users who are served by a model of the same sets and the same recipe."""
    serving = gather(partial(_serving_digest, database), scope.keys)
    digests = gather(partial(_digest_now, database, recipe), scope.keys)
    changed = [
        key for key, before, now in zip(scope.keys, serving, digests, strict=True) if before != now
    ]
    return replace(scope, keys=tuple(changed))


async def _serving_digest(database: Database, key: UserKey) -> object:
    """The digest of the sets that a user's serving model was learned from; None without a model."""
    manifest = await serving_manifest(database, ModelKey.of_user(*key, EXERCISE))
    return manifest.get("data_digest")


async def _digest_now(database: Database, recipe: Recipe, key: UserKey) -> str:
    """The digest of the sets that a user has now: the rows, thousands a user, are let go here."""
    sets = await LabelledSets(database).training_revisions(*key)
    return sets_digest(sets, recipe.newest_sets, recipe.name)


def sets_digest(sets: Iterable[TrainingRevision], newest_sets: int, recipe: str) -> str:
    """The digest that a model learned from these sets would have, without reading a sample."""
    rows = [
        LabelledRow(str(row.set_id), row.revision, row.exercise, row.started_at, "", b"")
        for row in sets
    ]
    return digest(newest(rows, newest_sets), recipe)
