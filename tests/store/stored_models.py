"""Models as jobs store them, made up for tests."""

import hashlib
import uuid
from datetime import UTC, datetime

from schemas.ids import version_of
from store.champions import Challenger
from store.models import StoredModel

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_model(owner: str, content: bytes, run_id: uuid.UUID | None = None) -> StoredModel:
    sha256 = hashlib.sha256(content).digest()
    return StoredModel(
        owner,
        "wrist-acc6",
        "exercise",
        version_of(sha256),
        content,
        {"labels": ["a", "b"], "metrics": {"windows": 0.99}},
        sha256,
        run_id or uuid.uuid4(),
        NOW,
    )


def challenge(model: StoredModel) -> Challenger:
    return Challenger(*model[:4], model.sha256, model.run_id)


def an_owner() -> str:
    return f"u:{uuid.uuid4()}"
