"""Deletes stored models that no pointer names any more."""

from datetime import datetime

from schemas.retention import UNNAMED_STATISTICS_KEPT
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models


async def delete_unnamed_versions(database: Database, key: ModelKey, at: datetime) -> list[str]:
    """Delete the versions that the pointer does not name and that were last learned 90 days ago.

    Only for statistics of a global model: megabytes that every full run adds, also a refused one,
    and that only training reads, by the pointer. Other versions are kept for `muvr models promote`.

    Args:
        database: where models are.
        key: of the statistics.
        at: now.

    Returns:
        the versions that were deleted.
    """
    models = Models(database)
    old = await models.learned_before(key, at - UNNAMED_STATISTICS_KEPT)
    champion = await Champions(database).read(key)  # after that: it may have moved to an old one
    named = frozenset[str]() if champion is None else champion.named_versions
    unnamed = [version for version in old if version not in named]
    for version in unnamed:
        await models.delete(key, version)
    return unnamed
