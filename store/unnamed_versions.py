"""Removes stored models that no pointer names any more and that were last learned 90 days ago."""

from datetime import datetime

from schemas.retention import UNNAMED_VERSIONS_KEPT
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models

EMPTIED_AT_ONCE = 32
"""Versions of an owner that are emptied by one call, which is one batch: nightly runs add fewer
between two calls, and where years of them are stored the next calls go on."""


async def delete_unnamed_versions(database: Database, key: ModelKey, at: datetime) -> list[str]:
    """Delete old versions of statistics of a global model; which ones.

    They are megabytes that every full run adds, also a refused one, and only training reads them,
    by the pointer.

    Args:
        database: where models are.
        key: of the statistics.
        at: now.
    """
    models, unnamed = Models(database), await _old_unnamed(database, key, at)
    for version in unnamed:
        await models.delete(key, version)
    return unnamed


async def empty_unnamed_versions(database: Database, key: ModelKey, at: datetime) -> list[str]:
    """Delete bytes and manifests of old versions of a user's model; of which ones.

    When each was learned stays: live accuracy counts answers of models older than the set.

    Args:
        database: where models are.
        key: of the user's model.
        at: now.
    """
    unnamed = (await _old_unnamed(database, key, at))[:EMPTIED_AT_ONCE]
    if unnamed:
        await Models(database).empty(key, unnamed)
    return unnamed


async def _old_unnamed(database: Database, key: ModelKey, at: datetime) -> list[str]:
    """The stored versions that are old enough, and that the pointer does not name."""
    old = await Models(database).learned_before(key, at - UNNAMED_VERSIONS_KEPT)
    if not old:
        return []
    champion = await Champions(database).read(key)  # after that: it may have moved to an old one
    named = frozenset[str]() if champion is None else champion.named_versions
    return [version for version in old if version not in named]
