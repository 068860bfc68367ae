"""Versions that no pointer names are removed when they are old."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from schemas.errors import NoModel
from schemas.retention import UNNAMED_VERSIONS_KEPT
from schemas.times import aware
from store.champions import MAX_EARLIER, Champions
from store.database import Database
from store.models import Models, StoredModel
from store.pointers import Challenger
from store.unnamed_versions import (
    EMPTIED_AT_ONCE,
    delete_unnamed_versions,
    empty_unnamed_versions,
)
from tests.store.stored_models import NOW, a_model, an_owner

LATER = NOW + UNNAMED_VERSIONS_KEPT + timedelta(seconds=1)


@pytest.mark.parametrize("remove", [delete_unnamed_versions, empty_unnamed_versions])
async def test_old_versions_stay_as_long_as_the_pointer_names_them(database: Database, remove: Any):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(MAX_EARLIER + 3)]
    key, versions = nights[0].key, [night.version for night in nights]

    async def kept() -> set[str]:
        return {model.version for model in await models.versions(key)}

    for night in nights:
        await models.put(night)
        await champions.promote(Challenger.of(night), await champions.read(key), NOW)
    await champions.rollback(key, NOW)  # the last one may be promoted again, by an operator
    named = set(versions[1:])
    assert await remove(database, key, LATER) == versions[:1]
    assert await remove(database, key, LATER) == []
    assert await kept() == named

    await champions.withdraw(nights[-2].run_id, "a bad night", NOW)
    await remove(database, key, LATER)
    serving = await champions.serving(key)
    assert serving is not None
    assert (await models.get(key, serving.version)).content == nights[-3].content
    assert await kept() == named


async def test_unnamed_versions_stay_for_ninety_days_since_they_were_last_learned(
    database: Database,
):
    """Without any pointer too: every run may have been refused."""
    models, owner = Models(database), an_owner()
    refused, again = a_model(owner, b"refused"), a_model(owner, b"again")
    key = refused.key

    async def put(model: StoredModel, days: int = 0) -> None:
        await models.put(model._replace(created_at=NOW + timedelta(days)))

    await put(refused)
    await put(again)
    await put(again, days=1)
    at = NOW + UNNAMED_VERSIONS_KEPT
    assert await delete_unnamed_versions(database, key, at) == []
    assert await delete_unnamed_versions(database, key, LATER) == [refused.version]
    assert [model.version for model in await models.versions(key)] == [again.version]


async def test_an_emptied_version_serves_nobody_but_tells_when_it_was_learned(database: Database):
    """Until a run learns the same bytes again: then it is as any other."""
    models, owner = Models(database), an_owner()
    old, newer = a_model(owner, b"old"), a_model(owner, b"newer")
    key, version = old.key, old.version
    await models.put(old)
    await models.put(newer)
    await models.empty(key, [version])
    with pytest.raises(NoModel, match=version):
        await models.get(key, version)
    assert await models.described(key, version) is None
    assert await models.manifest(key, version) is None
    assert not await models.holds(key, version)
    assert [kept.version for kept in await models.versions(key)] == [newer.version]
    assert await models.learned_before(key, LATER) == [newer.version]
    cql = "SELECT * FROM models WHERE owner = ? AND model_id = ? AND family = ?"
    rows = {row.version: row for row in await database.run(cql, key)}
    assert (rows[version].bytes, rows[version].manifest) == (None, None)
    assert (rows[version].run_id, aware(rows[version].created_at)) == (old.run_id, NOW)
    await models.put(old)
    assert await models.get(key, version) == old


def test_years_of_versions_are_emptied_in_portions(database: Database):
    models, owner = Models(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(EMPTIED_AT_ONCE + 3)]

    async def life() -> list[int]:
        for night in nights:
            await models.put(night)
        key = nights[0].key
        return [len(await empty_unnamed_versions(database, key, LATER)) for _ in range(3)]

    assert asyncio.run(life()) == [EMPTIED_AT_ONCE, 3, 0]
