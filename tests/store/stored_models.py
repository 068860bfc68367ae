"""Models as jobs store them, made up for tests."""

import uuid
from datetime import UTC, datetime

from store.models import ModelKey, StoredModel

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_model(owner: str, content: bytes, run_id: uuid.UUID | None = None) -> StoredModel:
    key = ModelKey(owner, "wrist-acc6", "exercise")
    manifest = {"labels": ["a", "b"], "metrics": {"windows": 0.99}}
    return StoredModel.of(key, content, manifest, run_id or uuid.uuid4(), NOW)


def an_owner() -> str:
    return f"u:{uuid.uuid4()}"
