"""Bytes of a load model and back."""

from models.codec import pack, unpack
from models.load.features import FORECASTS
from models.load.model import LoadModel
from schemas.errors import BadModelBytes

TAG = "load-1"


def to_bytes(model: LoadModel) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    meta = {"forecasts": list(FORECASTS), "coverage": model.coverage, "sets": model.sets}
    return pack(TAG, meta, {"weights": model.weights, "margin": model.margin})


def from_bytes(blob: bytes) -> LoadModel:
    """Raises BadModelBytes for anything that `to_bytes` did not write, also other forecasts."""
    meta, arrays = unpack(blob, TAG)
    if meta.get("forecasts") != list(FORECASTS):
        raise BadModelBytes(f"a load model of other forecasts: {meta.get('forecasts')}")
    try:
        return LoadModel(
            weights=arrays["weights"],
            margin=arrays["margin"],
            coverage=float(meta["coverage"]),
            sets=int(meta["sets"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a load model: {error}") from error
