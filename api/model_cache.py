"""A worker's model cache: pointers by owner and layout, models by version, bounded in bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from api.metrics import Metrics
from ingest.ttl_cache import TtlCache
from models.exercise.model import Level
from models.recognition.naming import Rung
from schemas.errors import BadModelBytes, NoModel
from schemas.inputs import ACC3, ACC6, LAYOUTS, InputLayout
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Champions
from store.models import ModelKey, Models, StoredModel
from store.pointers import ServingVersion

_MAX_POINTERS = 100_000


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A decoded model.

    Attributes:
        model: decoded by its family's codec.
        level: the rung of the ladder on which it was found.
        serving: the promotion by which it serves.
    """

    stored: StoredModel
    model: Any
    level: Level
    serving: ServingVersion


class VersionKey(NamedTuple):
    """Which version of which model."""

    key: ModelKey
    version: str


ModelDecoder = Callable[[bytes], Any]


class ModelCache:
    """Finds the models of the ladder user → global, cached in memory.

    Versions are immutable and stay as long as there is room; pointers are cached for
    `pointer_ttl_s`, so a promotion or a rollback reaches every worker within that time.
    """

    def __init__(
        self,
        models: Models,
        champions: Champions,
        decoders: Mapping[str, ModelDecoder],
        metrics: Metrics,
        *,
        capacity_bytes: int,
        pointer_ttl_s: float,
    ) -> None:
        self.champions = champions
        self.models = models
        self._decoders = decoders
        self._metrics = metrics
        self._capacity_bytes = capacity_bytes
        self._pointers: TtlCache[ModelKey, ServingVersion | None] = TtlCache(
            pointer_ttl_s, _MAX_POINTERS
        )
        self._versions: OrderedDict[VersionKey, tuple[StoredModel, Any]] = OrderedDict()
        self._bytes = 0
        self._loading: dict[VersionKey, asyncio.Task[tuple[StoredModel, Any]]] = {}

    async def find(self, user_id: UUID, model_id: str, family: str) -> LoadedModel | None:
        """The model that serves a user: the user's own, else the global one, else None.

        A model that does not decode is counted and skipped: one broken row must not leave a user
        without answers.

        Raises:
            DatabaseUnavailable: it is not cached and cannot be read.
        """
        for level, owner in _levels(user_id):
            loaded = await self._load_level(level, ModelKey(owner, model_id, family))
            if loaded is not None:
                return loaded
        return None

    async def ladder(self, user_id: UUID, model_id: str, family: str) -> list[LoadedModel]:
        """All models that may answer a user, in the order in which they are tried.

        A model trained on acceleration alone also answers recordings with rotation, and those parts
        of them where rotation is missing. On each level it comes after the model with rotation.

        Raises:
            DatabaseUnavailable: one is not cached and cannot be read.
        """
        layouts = (ACC6, ACC3) if model_id == ACC6 else (model_id,)
        ladder: list[LoadedModel] = []
        for level, owner in _levels(user_id):
            for layout in layouts:
                loaded = await self._load_level(level, ModelKey(owner, layout, family))
                if loaded is not None:
                    ladder.append(loaded)
        return ladder

    async def by_layout(
        self, user_id: UUID, model_id: str, family: str
    ) -> dict[InputLayout, LoadedModel]:
        """The models that `find` returns for recordings of a layout, and where rotation is missing.

        Raises:
            DatabaseUnavailable: one is not cached and cannot be read.
        """
        layouts: tuple[InputLayout, ...] = LAYOUTS if model_id == ACC6 else (ACC3,)
        models: dict[InputLayout, LoadedModel] = {}
        for layout in layouts:
            loaded = await self.find(user_id, layout, family)
            if loaded is not None:
                models[layout] = loaded
        return models

    async def _load_level(self, level: Level, key: ModelKey) -> LoadedModel | None:
        serving = await self.serving(key)
        if serving is None:
            return None
        try:
            return LoadedModel(*await self._load(serving), level, serving)
        except (BadModelBytes, NoModel):
            self._metrics.cache.labels("broken").inc()
            return None

    async def serving(self, key: ModelKey) -> ServingVersion | None:
        """The version that serves, at most `pointer_ttl_s` old."""
        return await self._pointers.fresh(key, lambda: self.champions.serving(key))

    async def _load(self, serving: ServingVersion) -> tuple[StoredModel, Any]:
        version_key = VersionKey(serving.key, serving.version)
        cached = self._versions.get(version_key)
        if cached is not None:
            self._versions.move_to_end(version_key)
            self._metrics.cache.labels("hit").inc()
            return cached
        self._metrics.cache.labels("miss").inc()
        return await self._load_once(version_key)

    async def _read_version(self, version_key: VersionKey) -> tuple[StoredModel, Any]:
        stored = await self.models.get(version_key.key, version_key.version)
        cached = (stored, self._decoders[stored.family](stored.content))
        self._versions[version_key] = cached
        self._bytes += _memory_bytes(stored)
        while self._bytes > self._capacity_bytes and len(self._versions) > 1:
            _, (evicted, _) = self._versions.popitem(last=False)
            self._bytes -= _memory_bytes(evicted)
        self._metrics.cache_bytes.set(self._bytes)
        return cached

    async def _load_once(self, version_key: VersionKey) -> tuple[StoredModel, Any]:
        """Share one read among concurrent callers; a cancelled caller does not cancel it."""
        task = self._loading.get(version_key)
        if task is None:
            task = asyncio.create_task(self._read_version(version_key))
            self._loading[version_key] = task
            task.add_done_callback(lambda _: self._loading.pop(version_key, None))
        return await asyncio.shield(task)


def rungs_of(ladder: Sequence[LoadedModel]) -> list[Rung]:
    """Loaded models as rungs of the ladder."""
    return [Rung(loaded.level, loaded.stored.version, loaded.model) for loaded in ladder]


def _levels(user_id: UUID) -> tuple[tuple[Level, str], ...]:
    return ("user", owner_of(user_id)), ("global", GLOBAL_OWNER)


def _memory_bytes(stored: StoredModel) -> int:
    """Bytes in memory: of the stored blob, and of the arrays decoded from it."""
    return 2 * len(stored.content)
