"""Exercise models and statistics as bytes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import codec
from models.arrays import Floats
from models.exercise.features import FEATURES_VERSION
from models.exercise.fit import GlobalModel
from models.exercise.model import ExerciseModel, LowRateDiscriminant
from models.exercise.probability import Calibration
from models.exercise.statistics import Statistics, symmetric
from schemas.errors import BadModelBytes

MODEL_TAG = "muvr-exercise-1"
STATISTICS_TAG = "muvr-exercise-statistics-1"
GLOBAL_TAG = "muvr-exercise-global-1"
SLOW = "slow_weights"


def to_bytes(model: ExerciseModel) -> bytes:
    """The stored form of a model; reading it back gives an equal one if `mean` and `scale` fit.

    They are rounded to float16, in which those of every fitted model are representable.

    Raises:
        ValueError: a model without weights for low rates, which is for evaluations only.
    """
    low_rate = model.low_rate
    if low_rate is None:
        raise ValueError("a model without weights for low rates is for evaluations only")
    meta = {
        "model_id": model.model_id,
        "level": model.level,
        "labels": list(model.labels),
        "typical": model.typical,
        "calibration": asdict(model.calibration),
        "slow_step": low_rate.step,
        "slow_typical": low_rate.typical,
        "slow_bias": low_rate.bias.tolist(),
        "features": FEATURES_VERSION,
    }
    arrays: dict[str, NDArray[Any]] = {
        "mean": model.mean.astype(np.float16),
        "scale": model.scale.astype(np.float16),
        "weights": model.weights,
        "bias": model.bias,
        "prototypes": model.prototypes,
        "precision": model.precision,
        SLOW: low_rate.weights,
    }
    return codec.pack(MODEL_TAG, meta, arrays)


def from_bytes(blob: bytes) -> ExerciseModel:
    """The model of `to_bytes`.

    Raises:
        BadModelBytes: junk, shapes that do not fit, or features of another version.
    """
    meta, arrays = codec.unpack(blob, MODEL_TAG)
    try:
        if meta["features"] != FEATURES_VERSION:
            raise BadModelBytes(f"model reads {meta['features']!r}, here is {FEATURES_VERSION!r}")
        low_rate = _read_low_rate(meta, arrays)
        model = ExerciseModel(
            model_id=meta["model_id"],
            level=meta["level"],
            labels=tuple(meta["labels"]),
            mean=arrays["mean"].astype(np.float32),
            scale=arrays["scale"].astype(np.float32),
            weights=arrays["weights"],
            bias=arrays["bias"],
            prototypes=arrays["prototypes"],
            precision=arrays["precision"],
            typical=float(meta["typical"]),
            calibration=Calibration(**meta["calibration"]),
            low_rate=low_rate,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadModelBytes(f"not an exercise model: {error}") from error
    for weights in (model.weights, low_rate.weights):
        if not 2 <= len(model.labels) == len(weights):
            raise BadModelBytes(f"weights of {len(weights)} labels: {model.labels}")
    return model


def _read_low_rate(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> LowRateDiscriminant:
    bias = np.array(meta["slow_bias"], dtype=np.float32)
    step, typical = float(meta["slow_step"]), float(meta["slow_typical"])
    return LowRateDiscriminant(arrays[SLOW], step, bias, typical)


def statistics_to_bytes(statistics: Statistics) -> bytes:
    """The stored form of statistics: the triangle of the moments, all in float64."""
    upper = np.triu_indices(len(statistics.moments))
    arrays = {
        "seconds": statistics.seconds,
        "sums": statistics.sums,
        "moments": statistics.moments[upper],
    }
    meta = {"groups": [list(g) for g in statistics.groups], "features": FEATURES_VERSION}
    return codec.pack(STATISTICS_TAG, meta, arrays, compress=False)


def statistics_from_bytes(blob: bytes) -> Statistics:
    """The statistics of `statistics_to_bytes`.

    Raises:
        BadModelBytes: junk, or features of another version.
    """
    meta, arrays = codec.unpack(blob, STATISTICS_TAG)
    try:
        if meta["features"] != FEATURES_VERSION:
            raise BadModelBytes(f"statistics of {meta['features']!r}, not {FEATURES_VERSION!r}")
        size = arrays["sums"].shape[1]
        upper = np.triu_indices(size)
        moments = np.zeros((size, size))
        moments[upper] = arrays["moments"]
        groups = tuple((str(exercise), str(side)) for exercise, side in meta["groups"])
        return Statistics(groups, arrays["seconds"], arrays["sums"], symmetric(moments))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadModelBytes(f"not statistics: {error}") from error


def global_to_bytes(model: GlobalModel) -> bytes:
    """A global model with the statistics that users' models are mixed with."""
    arrays = {
        "model": _as_array(to_bytes(model.model)),
        "statistics": _as_array(statistics_to_bytes(model.statistics)),
    }
    meta = {"own_calibration": asdict(model.user_calibration)}
    return codec.pack(GLOBAL_TAG, meta, arrays, compress=False)


def global_from_bytes(blob: bytes) -> GlobalModel:
    """The global model of `global_to_bytes`.

    Raises:
        BadModelBytes: junk, or features of another version.
    """
    meta, arrays = codec.unpack(blob, GLOBAL_TAG)
    try:
        return GlobalModel(
            model=from_bytes(arrays["model"].tobytes()),
            statistics=statistics_from_bytes(arrays["statistics"].tobytes()),
            user_calibration=Calibration(**meta["own_calibration"]),
        )
    except (KeyError, TypeError) as error:
        raise BadModelBytes(f"not a global exercise model: {error}") from error


def golden_vectors(model: ExerciseModel, count: int = 4) -> dict[str, Floats]:
    """Inputs and what the model makes of them, for whoever reads the bytes in another language.

    Returns:
        "x" float32 (count, d), raw features; "scores" float32 (count, k); "probabilities" float64
        (count, k); "strangeness" float32 (count,).
    """
    rng = np.random.default_rng(0)
    z = rng.standard_normal((count, len(model.mean))).astype(np.float32)
    x = (model.mean + model.scale * z).astype(np.float32, copy=False)  # its width, which stubs lose
    return {
        "x": x,
        "scores": model.scores(x),
        "probabilities": model.probabilities(x),
        "strangeness": model.strangeness(x).astype(np.float32),
    }


def _as_array(blob: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(blob, dtype=np.uint8)
