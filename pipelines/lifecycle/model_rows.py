"""The columns of a learned user model in the rows that executors return. Pure."""

import hashlib
import json
from collections.abc import Mapping
from uuid import UUID

import pyarrow as pa

from pipelines.keys import Row
from schemas.errors import TooLarge
from schemas.ids import version_of
from schemas.layout import MAX_MODEL_BYTES, owner_of

MODEL_FIELDS = (
    ("user_id", pa.string()),
    ("model_id", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("owner", pa.string()),
    ("version", pa.string()),
    ("bytes", pa.binary()),
    ("sha256", pa.binary()),
    ("manifest", pa.string()),
)
"""What every family's rows have; each appends its own. Rows without a model lack the last five."""


def too_large(content: bytes) -> str:
    """Why a model's bytes cannot be stored, "" where they can.

    >>> too_large(b"a model"), too_large(bytes(MAX_MODEL_BYTES + 1))
    ('', 'the model takes 7.5 MB and a row holds 7.5: too many different exercises')
    """
    if len(content) <= MAX_MODEL_BYTES:
        return ""
    return (
        f"the model takes {len(content) / 1e6:.1f} MB and a row holds {MAX_MODEL_BYTES / 1e6:g}: "
        "too many different exercises"
    )


def model_columns(user_id: str, content: bytes, manifest: Mapping[str, object]) -> Row:
    """What a learned row holds of its model: owner, version, bytes, sha256, manifest.

    Args:
        user_id: whose model it is.
        content: its bytes.
        manifest: becomes JSON, with the hash of `content` added.

    Raises:
        TooLarge: a row cannot hold `content`. That is a failure: the model that serves stays.

    >>> row = model_columns(str(UUID(int=7)), b"a model", {"level": "user"})
    >>> row["version"], json.loads(row["manifest"])["sha256"] == row["sha256"].hex()
    ('97ff8a35544dcf40', True)
    """
    if reason := too_large(content):
        raise TooLarge(reason)
    sha256 = hashlib.sha256(content).digest()
    return {
        "owner": owner_of(UUID(user_id)),
        "version": version_of(sha256),
        "bytes": content,
        "sha256": sha256,
        "manifest": json.dumps({**manifest, "sha256": sha256.hex()}, sort_keys=True),
    }
