"""Stored models: immutable bytes with a manifest; `store.champions` tells which ones serve."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import NoModel
from schemas.ids import version_of
from schemas.layout import GLOBAL_OWNER, owner_of
from schemas.times import aware
from store.database import Database, Row, Statement

MODEL_COLUMNS = (
    "owner",
    "model_id",
    "family",
    "version",
    "bytes",
    "manifest",
    "sha256",
    "run_id",
    "created_at",
)
"""Of `models`, in the order of `StoredModel`."""

_MODEL = ", ".join(MODEL_COLUMNS)
_DESCRIBED = ", ".join(name for name in MODEL_COLUMNS if name != "bytes")
_KEY = "owner = ? AND model_id = ? AND family = ?"


class ModelKey(NamedTuple):
    """What one model of a family is for; its versions and its pointer share this key.

    Attributes:
        owner: `u:<uuid>` or `global`.
        model_id: the layout of its input, `wrist-acc3` or `wrist-acc6`; `sets` where that is the
            sets themselves.
        family: of `schemas.families`.
    """

    owner: str
    model_id: str
    family: str

    @classmethod
    def of_user(cls, user_id: UUID, model_id: str, family: str) -> "ModelKey":
        """The key of a user's own model."""
        return cls(owner_of(user_id), model_id, family)

    @classmethod
    def of_global(cls, model_id: str, family: str) -> "ModelKey":
        """The key of a global model."""
        return cls(GLOBAL_OWNER, model_id, family)


class StoredModel(NamedTuple):
    """A model as stored.

    Attributes:
        owner, model_id, family: its `ModelKey`.
        version: the start of the hash of `content`.
        content: the bytes of `models/<family>/codec.py`.
        manifest: labels, metrics, cut-off, digests, golden vectors.
        created_at: when it was stored, after the sets were read that it was learned from.
    """

    owner: str
    model_id: str
    family: str
    version: str
    content: bytes
    manifest: Mapping[str, object]
    sha256: bytes
    run_id: UUID
    created_at: datetime

    @classmethod
    def of(
        cls,
        key: ModelKey,
        content: bytes,
        manifest: Mapping[str, object],
        run_id: UUID,
        at: datetime,
    ) -> "StoredModel":
        """A new model; its version and `sha256` are of its bytes."""
        sha256 = hashlib.sha256(content).digest()
        manifest = {**manifest, "sha256": sha256.hex()}
        return cls(*key, version_of(sha256), content, manifest, sha256, run_id, at)

    @property
    def key(self) -> ModelKey:
        """What the model is for."""
        return ModelKey(self.owner, self.model_id, self.family)


class Models:
    """Rows of `models`: a version's bytes never change; the rest is of the newest run.

    An emptied version is one that does not exist, until a run learns the same bytes again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, model: StoredModel) -> None:
        """Store a model; the same bytes again change its manifest, its run and `created_at`."""
        await self._database.run(
            f"INSERT INTO models ({_MODEL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            model._replace(manifest=json.dumps(model.manifest, sort_keys=True)),  # pyrefly: ignore[bad-argument-type] a text column
        )

    async def get(self, key: ModelKey, version: str) -> StoredModel:
        """One model with its bytes.

        Raises:
            NoModel: it does not exist.
        """
        rows = await self._database.run(
            f"SELECT {_MODEL} FROM models WHERE {_KEY} AND version = ?", (*key, version)
        )
        if not any(map(_is_full, rows)):
            raise NoModel(
                f"There is no version {version} of {key.family} for {key.owner}, {key.model_id}."
            )
        return _model(rows[0])

    async def holds(self, key: ModelKey, version: str) -> bool:
        """Whether a version exists, without reading it."""
        rows = await self._database.run(
            f"SELECT sha256 FROM models WHERE {_KEY} AND version = ?", (*key, version)
        )
        return any(map(_is_full, rows))

    async def described(self, key: ModelKey, version: str) -> StoredModel | None:
        """One model without its bytes; None if it does not exist."""
        cql = f"SELECT {_DESCRIBED} FROM models WHERE {_KEY} AND version = ?"
        rows = await self._database.run(cql, (*key, version))
        return next((_model(row) for row in rows if _is_full(row)), None)

    async def manifest(self, key: ModelKey, version: str) -> dict[str, object] | None:
        """The manifest of a model; None if it does not exist."""
        rows = await self._database.run(
            f"SELECT manifest, sha256 FROM models WHERE {_KEY} AND version = ?", (*key, version)
        )
        return next((json.loads(row.manifest) for row in rows if _is_full(row)), None)

    async def learned_before(self, key: ModelKey, at: datetime) -> list[str]:
        """The versions that no run has learned since a time."""
        cql = f"SELECT version, created_at, sha256 FROM models WHERE {_KEY}"
        rows = await self._database.run(cql, key)
        return [row.version for row in rows if _is_full(row) and aware(row.created_at) < at]

    async def delete(self, key: ModelKey, version: str) -> None:
        """Delete one version."""
        await self._database.run(
            f"DELETE FROM models WHERE {_KEY} AND version = ?", (*key, version)
        )

    async def empty(self, key: ModelKey, versions: Sequence[str]) -> None:
        """Delete all of some versions but which run learned each, and when."""
        cql = f"DELETE bytes, manifest, sha256 FROM models WHERE {_KEY} AND version = ?"
        await self._database.run_batch([Statement(cql, (*key, version)) for version in versions])

    async def versions(self, key: ModelKey) -> list[StoredModel]:
        """All versions, newest first, without their bytes."""
        rows = await self._database.run(f"SELECT {_DESCRIBED} FROM models WHERE {_KEY}", key)
        models = [_model(row) for row in rows if _is_full(row)]
        return sorted(models, key=lambda model: model.created_at, reverse=True)


def _is_full(row: Row) -> bool:
    """Whether a row has its model: it was not emptied."""
    return row.sha256 is not None


def _model(row: Row) -> StoredModel:
    return StoredModel(
        row.owner,
        row.model_id,
        row.family,
        row.version,
        getattr(row, "bytes", b""),
        json.loads(row.manifest),
        row.sha256,
        row.run_id,
        aware(row.created_at),
    )
