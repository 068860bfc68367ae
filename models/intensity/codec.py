"""Bytes of an intensity model and back."""

import numpy as np

from models.codec import pack, unpack
from models.intensity.features import FEATURES, Scale
from models.intensity.model import IntensityModel
from schemas.errors import BadModelBytes

TAG = "intensity-1"


def to_bytes(model: IntensityModel) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    meta = {
        "exercises": list(model.scale.exercises),
        "usual": model.scale.usual,
        "features": list(FEATURES),
        "intercept": model.intercept,
        "reg_param": model.reg_param,
        "fit_intercept": model.fit_intercept,
        "error": model.error,
        "sets": model.sets,
    }
    arrays = {"weights": model.weights, "mean": model.scale.mean, "spread": model.scale.spread}
    return pack(TAG, meta, arrays)


def from_bytes(blob: bytes) -> IntensityModel:
    """The model in these bytes.

    Raises:
        BadModelBytes: anything that `to_bytes` did not write; other features; weights that are no
            numbers.
    """
    meta, arrays = unpack(blob, TAG)
    if meta.get("features") != list(FEATURES):
        raise BadModelBytes(f"an intensity model of other features: {meta.get('features')}")
    try:
        scale = Scale(
            exercises=tuple(meta["exercises"]),
            mean=arrays["mean"],
            spread=arrays["spread"],
            usual=float(meta["usual"]),
        )
        model = IntensityModel(
            scale=scale,
            weights=arrays["weights"],
            intercept=float(meta["intercept"]),
            reg_param=float(meta["reg_param"]),
            fit_intercept=bool(meta["fit_intercept"]),
            error=float(meta["error"]),
            sets=int(meta["sets"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not an intensity model: {error}") from error
    if not np.isfinite([*model.weights, model.intercept, model.error]).all():
        raise BadModelBytes("an intensity model holds weights or an error that are no numbers")
    return model
