"""Bytes of a next-exercise model and back."""

from models.codec import pack, unpack
from models.next.model import NextModel
from schemas.errors import BadModelBytes

TAG = "next-2"


def to_bytes(model: NextModel) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    meta = {
        "exercises": list(model.exercises),
        "order": model.order,
        "half_life_sessions": model.half_life_sessions,
        "until_s": model.until_s,
    }
    return pack(TAG, meta, {"tokens": model.tokens, "weights": model.weights})


def from_bytes(blob: bytes) -> NextModel:
    """Raises BadModelBytes for anything that `to_bytes` did not write."""
    meta, arrays = unpack(blob, TAG)
    try:
        return NextModel(
            exercises=tuple(meta["exercises"]),
            tokens=arrays["tokens"],
            weights=arrays["weights"],
            order=int(meta["order"]),
            half_life_sessions=float(meta["half_life_sessions"]),
            until_s=float(meta["until_s"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a next-exercise model: {error}") from error
