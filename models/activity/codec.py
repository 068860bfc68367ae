"""Activity models as bytes."""

import numpy as np

from models import codec
from models.activity.features import ACTIVITY_VERSION
from models.activity.logit import BorderModel
from models.activity.model import ActivityModel, LowRateDiscriminant
from models.arrays import Floats
from schemas.errors import BadModelBytes
from schemas.inputs import ACC3, ACC6

MODEL_TAG = "muvr-activity-1"
PARTS = ("mean", "scale", "weights")
START, END = "start_border", "end_border"
SLOW, SLOW_BIAS = "slow_weights", "slow_bias"


def to_bytes(model: ActivityModel) -> bytes:
    """The stored form of a model; reading it back gives a model that answers the same."""
    arrays: dict[str, Floats] = {
        "mean": model.mean,
        "scale": model.scale,
        "weights": model.weights,
        SLOW: model.low_rate.weights,
    }
    for name, border in ((START, model.start), (END, model.end)):
        if border is not None:
            arrays |= {f"{name}_{part}": getattr(border, part) for part in PARTS}
    meta = {
        "model_id": model.model_id,
        "bias": model.bias,
        SLOW_BIAS: model.low_rate.bias,
        "features": ACTIVITY_VERSION,
    }
    return codec.pack(MODEL_TAG, meta, arrays)


def from_bytes(blob: bytes) -> ActivityModel:
    """The model of `to_bytes`.

    Raises:
        BadModelBytes: junk, shapes that do not fit, or features of another version.
    """
    meta, arrays = codec.unpack(blob, MODEL_TAG)
    try:
        if meta["features"] != ACTIVITY_VERSION:
            raise BadModelBytes(f"model reads {meta['features']!r}, here is {ACTIVITY_VERSION!r}")
        if meta["model_id"] not in (ACC6, ACC3):
            raise BadModelBytes(f"{meta['model_id']!r} is no layout")
        model = ActivityModel(
            model_id=meta["model_id"],
            mean=arrays["mean"],
            scale=arrays["scale"],
            weights=arrays["weights"],
            bias=float(meta["bias"]),
            start=_border(arrays, START),
            end=_border(arrays, END),
            low_rate=LowRateDiscriminant(arrays[SLOW], float(meta[SLOW_BIAS])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not an activity model: {error}") from error
    _check(model)
    return model


def _border(arrays: dict[str, Floats], name: str) -> BorderModel | None:
    if f"{name}_weights" not in arrays:
        return None
    mean, scale, weights = (arrays[f"{name}_{part}"].astype(np.float64) for part in PARTS)
    if mean.ndim != 1 or not mean.shape == scale.shape == weights.shape:
        raise BadModelBytes(f"{name} border has shapes {mean.shape}, {scale.shape}")
    return BorderModel(mean, scale, weights)


def _check(model: ActivityModel) -> None:
    both = [model.weights, model.low_rate.weights]
    shapes = {model.mean.shape, model.scale.shape, *(weights.shape for weights in both)}
    if len(shapes) != 1 or model.mean.ndim != 1:
        raise BadModelBytes(f"an activity model has arrays of shapes {sorted(shapes)}")
    finite = all(np.isfinite(weights).all() for weights in both)
    if not finite or not (model.scale > 0).all():
        raise BadModelBytes("an activity model holds weights or scales that are no numbers")
