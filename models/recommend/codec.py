"""Bytes of a recommender and back."""

from dataclasses import asdict

from models.codec import pack, unpack
from models.recommend.model import AlsSettings, Recommender
from schemas.errors import BadModelBytes

TAG = "recommend-1"


def to_bytes(model: Recommender) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    meta = {"exercises": list(model.exercises), "settings": asdict(model.settings)}
    return pack(TAG, meta, {"users": model.users, "items": model.items})


def from_bytes(blob: bytes) -> Recommender:
    """Raises BadModelBytes for anything that `to_bytes` did not write."""
    meta, arrays = unpack(blob, TAG)
    try:
        return Recommender(
            exercises=tuple(meta["exercises"]),
            users=arrays["users"],
            items=arrays["items"],
            settings=AlsSettings(**meta["settings"]),
        )
    except (KeyError, TypeError) as error:
        raise BadModelBytes(f"not a recommender: {error}") from error
