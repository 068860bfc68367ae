"""Bytes of a cluster model and back."""

from models.clusters.model import ClusterModel
from models.codec import pack, unpack
from schemas.errors import BadModelBytes

TAG = "clusters-1"


def to_bytes(model: ClusterModel) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    meta = {
        "names": list(model.names),
        "exercises": list(model.exercises),
        "limit": model.limit,
    }
    arrays = {
        "centres": model.centres,
        "middle": model.middle,
        "spread": model.spread,
        "reference": model.reference,
    }
    return pack(TAG, meta, arrays)


def from_bytes(blob: bytes) -> ClusterModel:
    """Raises BadModelBytes for anything that `to_bytes` did not write."""
    meta, arrays = unpack(blob, TAG)
    try:
        return ClusterModel(
            names=tuple(meta["names"]),
            exercises=tuple(meta["exercises"]),
            limit=float(meta["limit"]),
            **arrays,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a cluster model: {error}") from error
