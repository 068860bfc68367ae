"""A model in forms that phones read: ONNX, and raw weights as JSON.

All three forms compute the same: x (n, d) raw features → scores, probabilities, strangeness. The
manifest beside them names shapes, the recipe of the features, and golden vectors of features and
model, so that a reader in any language can prove that it computes the same (within 1e-5).
"""

import base64
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.exercise.axis_map import MIRROR
from models.exercise.codec import from_bytes, golden_vectors
from models.exercise.features import FEATURES_VERSION
from models.exercise.kernel import features
from models.exercise.model import CLIP, PROTOTYPE_STEP, ExerciseModel
from models.exercise.names import feature_names
from models.exercise.probability import MIN_PROBABILITY
from models.exercise.scores import DISTANCE_FLOOR
from models.signal.windows import RATE_HZ, WINDOW, WINDOW_S
from schemas.inputs import ACC6

OPSET = 18
RAW_VERSION = "muvr-exercise-raw-1"
_INPUT, _SCORES, _PROBABILITIES, _STRANGENESS = "x", "scores", "probabilities", "strangeness"


def manifest_of(model: ExerciseModel, version: str, sha256: bytes) -> dict[str, Any]:
    """What a reader must know beside the weights.

    Args:
        model: decoded.
        version: of its stored bytes.
        sha256: of its stored bytes.
    """
    golden = golden_vectors(model)
    with_rotation = model.model_id == ACC6
    return {
        "family": "exercise",
        "model_id": model.model_id,
        "version": version,
        "sha256": sha256.hex(),
        "labels": list(model.labels),
        "features": {
            "recipe": FEATURES_VERSION,
            "count": len(model.mean),
            "names": list(feature_names(with_rotation)),
            "window_s": WINDOW_S,
            "rate_hz": RATE_HZ,
            "input": _input_of_features(with_rotation),
            "golden": golden_window(with_rotation),
        },
        "computes": [
            "z = clip((x - mean) / scale, -clip, clip)",
            "scores = z @ weights.T + bias",
            "probabilities = softmax(scores * window)",
            "d = sum(precision * (z - prototypes * prototype_step)^2) per prototype",
            f"strangeness = log(min(d) + {DISTANCE_FLOOR}) - typical",
            f"of a set, mean over its windows: p = softmax(whole * mean(log(probabilities + "
            f"{MIN_PROBABILITY}))); its probabilities = (1 - doubt) * p + doubt / number of labels",
            "novelty of a set = mean(strangeness) - hesitation * mean(log(max(probabilities)))",
            "known = 1 / (1 + exp(known_slope * (novelty - known_centre)))",
            "exercise of a set = its most probable label; none where novelty > abstain_above",
        ],
        "calibration": asdict(model.calibration),
        "clip": float(CLIP),
        "prototype_step": PROTOTYPE_STEP,
        "typical": model.typical,
        "golden": {name: np.asarray(values).tolist() for name, values in golden.items()},
        "tolerance": 1e-5,
    }


def golden_window(with_rotation: bool) -> dict[str, Any]:
    """A window of made-up movement and its features, for who computes them in another language.

    Returns:
        "acc" and, with rotation, "gyro": (3, 200), as `input` says; "x": the features.
    """
    t_s = np.arange(WINDOW) / RATE_HZ
    swing, twice = 2 * np.pi * 0.6 * t_s, 2 * np.pi * 1.2 * t_s
    # Noise keeps quantiles and peaks apart: equal values would be ordered by rounding alone.
    noise = np.random.default_rng(0).standard_normal((2, 3, WINDOW))
    acc = [0.4 * np.sin(swing), 0.7 + 0.2 * np.sin(swing + 1), 0.6 - 0.3 * np.cos(twice)]
    gyro = [1.5 * np.cos(swing), 0.8 * np.sin(twice + 0.5), 0.4 * np.sin(swing + 2)]
    samples = {"acc": np.round(acc + 0.02 * noise[0], 4)}
    if with_rotation:
        samples["gyro"] = np.round(gyro + 0.05 * noise[1], 4)
    windows = [samples[name][None].astype(np.float32) for name in samples]
    x = features(windows[0], windows[1] if with_rotation else None)[0]
    return {name: values.tolist() for name, values in (*samples.items(), ("x", x))}


def _input_of_features(with_rotation: bool) -> dict[str, Any]:
    """What samples the features take."""
    acc = {"unit": "g, with gravity", "signs_of_a_right_wrist": MIRROR.acc}
    gyro = {"unit": "rad/s", "signs_of_a_right_wrist": MIRROR.gyro}
    return {"shape": [3, WINDOW], "acc": acc, **({"gyro": gyro} if with_rotation else {})}


def raw_json(content: bytes, version: str, sha256: bytes) -> bytes:
    """Weights as base64 of little-endian numbers, with the manifest around them.

    Args:
        content: the stored bytes of a model.
        version: of those bytes.
        sha256: of those bytes.

    Raises:
        BadModelBytes: they are no model.
    """
    model = from_bytes(content)
    tensors = {
        "mean": model.mean.astype("<f4"),
        "scale": model.scale.astype("<f4"),
        "weights": model.weights.astype("<f4"),
        "bias": model.bias.astype("<f4"),
        "prototypes": model.prototypes.astype("i1"),
        "precision": model.precision.astype("<f4"),
    }
    whole = {
        "format": RAW_VERSION,
        "manifest": manifest_of(model, version, sha256),
        "tensors": {name: _tensor(array) for name, array in tensors.items()},
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def onnx_bytes(content: bytes, version: str, sha256: bytes) -> bytes:
    """The model as an ONNX graph; the manifest is in its metadata under `manifest`.

    Args:
        content: the stored bytes of a model.
        version: of those bytes.
        sha256: of those bytes.

    Raises:
        BadModelBytes: they are no model.
    """
    model = from_bytes(content)
    graph = helper.make_graph(
        _nodes(),
        "exercise",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["n", len(model.mean)])],
        [
            helper.make_tensor_value_info(_SCORES, TensorProto.FLOAT, ["n", len(model.labels)]),
            helper.make_tensor_value_info(
                _PROBABILITIES, TensorProto.FLOAT, ["n", len(model.labels)]
            ),
            helper.make_tensor_value_info(_STRANGENESS, TensorProto.FLOAT, ["n"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in _constants(model).items()],
    )
    whole = helper.make_model(
        graph, producer_name="muvr", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9
    )
    helper.set_model_props(
        whole, {"manifest": json.dumps(manifest_of(model, version, sha256), sort_keys=True)}
    )
    onnx.checker.check_model(whole)
    return whole.SerializeToString(deterministic=True)


def _constants(model: ExerciseModel) -> dict[str, NDArray[Any]]:
    roots = np.sqrt(model.precision.astype(np.float32))
    places = model.prototypes.astype(np.float32) * np.float32(PROTOTYPE_STEP) * roots
    return {
        "mean": model.mean,
        "scale": model.scale,
        "low": np.array(-CLIP),
        "high": np.array(CLIP),
        "weights": np.ascontiguousarray(model.weights.T, dtype=np.float32),
        "bias": model.bias.astype(np.float32),
        "window": np.array(model.calibration.window, np.float32),
        "roots": roots,
        "places": places[None],
        "middle": np.array([1], dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "floor": np.array(DISTANCE_FLOOR, np.float32),
        "typical": np.array(model.typical, np.float32),
    }


def _nodes() -> list[onnx.NodeProto]:
    """The graph, one line per step of `manifest["computes"]`; distances stand out in full.

    Expanding (z - p)² would save time and lose digits that the parity of 1e-5 needs.
    """
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Sub", [_INPUT, "mean"], "off", {}),
        ("Div", ["off", "scale"], "unclipped", {}),
        ("Clip", ["unclipped", "low", "high"], "z", {}),
        ("MatMul", ["z", "weights"], "linear", {}),
        ("Add", ["linear", "bias"], _SCORES, {}),
        ("Mul", [_SCORES, "window"], "calibrated", {}),
        ("Softmax", ["calibrated"], _PROBABILITIES, {"axis": -1}),
        ("Mul", ["z", "roots"], "scaled", {}),
        ("Unsqueeze", ["scaled", "middle"], "rows", {}),
        ("Sub", ["rows", "places"], "away", {}),
        ("Mul", ["away", "away"], "squares", {}),
        ("ReduceSum", ["squares", "last"], "distances", {"keepdims": 0}),
        ("ReduceMin", ["distances", "last"], "nearest", {"keepdims": 0}),
        ("Add", ["nearest", "floor"], "positive", {}),
        ("Log", ["positive"], "logarithm", {}),
        ("Sub", ["logarithm", "typical"], _STRANGENESS, {}),
    ]
    return [helper.make_node(kind, ins, [out], **more) for kind, ins, out, more in steps]


def _tensor(array: NDArray[Any]) -> dict[str, Any]:
    return {
        "dtype": {"<f4": "float32", "|i1": "int8"}[array.dtype.str],
        "shape": list(array.shape),
        "base64": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
    }
