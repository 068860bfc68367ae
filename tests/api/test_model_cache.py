"""The models that a worker keeps in memory take no more than their share."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.metrics import Metrics
from api.model_cache import ModelCache
from schemas.layout import owner_of
from store.models import ModelKey, StoredModel
from store.pointers import ServingVersion

NOW, RUN = datetime(2026, 11, 21, tzinfo=UTC), UUID(int=9)
ANNA, BEN, CLEO = (UUID(int=n) for n in (1, 2, 3))
MODEL_BYTES = 100


class EverybodysModels:
    """Models and pointers: every owner has a model, which serves; `read` are the owners asked."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def serving(self, key: ModelKey) -> ServingVersion:
        return ServingVersion(*key, "v1", RUN, NOW)

    async def get(self, key: ModelKey, version: str) -> StoredModel:
        self.read.append(key.owner)
        return StoredModel(*key, version, bytes(MODEL_BYTES), {}, b"", RUN, NOW)


def test_the_model_used_least_recently_makes_room_for_another():
    everybodys, metrics = EverybodysModels(), Metrics()
    fakes: Any = everybodys
    room = 2 * 2 * MODEL_BYTES  # for two: a model counts as stored and as decoded
    decoders: Any = {"load": bytes}
    cache = ModelCache(fakes, fakes, decoders, metrics, capacity_bytes=room, pointer_ttl_s=60.0)

    async def use(*users: UUID) -> list[str]:
        everybodys.read.clear()
        for user in users:
            assert await cache.find(user, "sets", "load")
        return list(everybodys.read)

    async def story() -> None:
        assert await use(ANNA, BEN, ANNA) == [owner_of(ANNA), owner_of(BEN)]
        assert await use(CLEO, ANNA) == [owner_of(CLEO)]
        assert await use(BEN) == [owner_of(BEN)]
        assert await use(BEN, ANNA) == []

    asyncio.run(story())
    assert f"muvr_model_cache_bytes {float(room)}\n" in metrics.text()[0].decode()
