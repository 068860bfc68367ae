"""Statistics of global models that no pointer names are deleted when they are old."""

import asyncio
from datetime import timedelta

from schemas.retention import UNNAMED_STATISTICS_KEPT
from store.champions import MAX_EARLIER, Champions
from store.database import Database
from store.models import Models, StoredModel
from store.pointers import Challenger
from store.unnamed_versions import delete_unnamed_versions
from tests.store.stored_models import NOW, a_model, an_owner

LATER = NOW + UNNAMED_STATISTICS_KEPT + timedelta(seconds=1)


def test_old_versions_stay_as_long_as_the_pointer_names_them(database: Database):
    models, champions, owner = Models(database), Champions(database), an_owner()
    nights = [a_model(owner, b"%d" % night) for night in range(MAX_EARLIER + 3)]
    key, versions = nights[0].key, [night.version for night in nights]

    async def kept() -> set[str]:
        return {model.version for model in await models.versions(key)}

    async def life() -> None:
        for night in nights:
            await models.put(night)
            await champions.promote(Challenger.of(night), await champions.read(key), NOW)
        await champions.rollback(key, NOW)  # the last one may be promoted again, by an operator
        named = set(versions[1:])
        assert await delete_unnamed_versions(database, key, LATER) == versions[:1]
        assert await kept() == named

        await champions.withdraw(nights[-2].run_id, "a bad night", NOW)
        await delete_unnamed_versions(database, key, LATER)
        serving = await champions.serving(key)
        assert serving is not None
        assert (await models.get(key, serving.version)).content == nights[-3].content
        assert await kept() == named

    asyncio.run(life())


def test_unnamed_versions_stay_for_ninety_days_since_they_were_last_learned(database: Database):
    """Without any pointer too: every run may have been refused."""
    models, owner = Models(database), an_owner()
    refused, again = a_model(owner, b"refused"), a_model(owner, b"again")
    key = refused.key

    async def put(model: StoredModel, days: int = 0) -> None:
        await models.put(model._replace(created_at=NOW + timedelta(days)))

    async def life() -> None:
        await put(refused)
        await put(again)
        await put(again, days=1)
        at = NOW + UNNAMED_STATISTICS_KEPT
        assert await delete_unnamed_versions(database, key, at) == []
        assert await delete_unnamed_versions(database, key, LATER) == [refused.version]
        assert [model.version for model in await models.versions(key)] == [again.version]

    asyncio.run(life())
