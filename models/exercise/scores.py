"""Scores, probabilities and strangeness of windows, in one call of compiled code.

A window is one row of numbers, for which numpy's overhead is larger than the work: it was half of
the time to classify a single window. `models.exercise.reference.predictions` does the same in
numpy. Figures:
`docs/decisions/0030-compiled-scoring.md`.
"""

import ctypes
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Floats32, Floats64
from models.compiled import address_of, compiled
from models.exercise.probability import Calibration

VERSION = 1  # of `muvr_scores_version` in compiled/scores.c
LANES = 16
MAX_ROW = 1024  # floats of a row in the compiled code
DISTANCE_FLOOR = 1e-6  # there too: keeps the logarithm of a distance of 0 finite


class SetScores(NamedTuple):
    """A model's scores of the windows of one set.

    Attributes:
        window_probabilities: float64 (m, k), of each window.
        strangeness: float64 (m,), log distance to the nearest prototype over that of training
            windows.
        set_probabilities: float64 (k,), of all windows as one set; not finite without a window.
        hesitation: mean -log probability of each window's most likely exercise.
    """

    window_probabilities: Floats64
    strangeness: Floats64
    set_probabilities: Floats64
    hesitation: float


class _LinearModel(ctypes.Structure):
    """`linear_model` of compiled/scores.c."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("features", "row", "labels", "prototypes")),
        *((name, ctypes.c_void_p) for name in ("mean", "scale", "weights", "bias")),
        *((name, ctypes.c_void_p) for name in ("scaled_prototypes", "root_precision")),
        *((name, ctypes.c_double) for name in ("typical", "window", "whole", "doubt")),
    )


class _LaidOut(NamedTuple):
    """The struct, by reference, and the arrays that it points to, which must live as long."""

    arrays: dict[str, Floats32]
    reference: object


class Scorer:
    """A linear discriminant and its prototypes, laid out for the compiled code.

    Args:
        mean, scale: float32 (d,), standardisation.
        weights: float32 or narrower (k, d); bias: float32 (k,).
        prototypes: float32 (p, d), p ≥ 1, in standard deviations.
        precision: float32 or narrower (d,), one over the variance around the prototypes.
        typical: log of the usual distance to them.
        calibration: from scores to probabilities.

    >>> ones, rows = np.ones(2, np.float32), np.eye(2, dtype=np.float32)
    >>> scorer = Scorer(0 * ones, ones, rows, ones, rows, ones, 0.0, Calibration())
    >>> scorer.scores(np.array([[2.0, -9.0]], np.float32)).tolist()
    [[3.0, -4.0]]
    >>> scorer.score_set(np.array([[1.0, 0.0]], np.float32)).window_probabilities.round(3).tolist()
    [[0.574, 0.426]]

    Raises:
        ValueError: arrays whose shapes do not fit together, or that have too many features.
    """

    def __init__(
        self,
        mean: Floats32,
        scale: Floats32,
        weights: Floats,
        bias: Floats32,
        prototypes: Floats32,
        precision: Floats,
        typical: float,
        calibration: Calibration,
    ) -> None:
        (size,), labels, places = mean.shape, len(weights), len(prototypes)
        self._row = -(-size // LANES) * LANES
        if self._row > MAX_ROW or labels == 0 or places == 0:
            raise ValueError(f"{size} features, {labels} labels, {places} prototypes")
        _require_shape("scale", scale, (size,))
        _require_shape("weights", weights, (labels, size))
        _require_shape("bias", bias, (labels,))
        _require_shape("prototypes", prototypes, (places, size))
        _require_shape("precision", precision, (size,))
        self._given = mean, scale, weights, bias, prototypes, precision, typical, calibration
        self._size, self._labels = size, labels

    def __reduce__(self) -> tuple[type["Scorer"], tuple[object, ...]]:
        """Spark sends models to its workers, where addresses mean nothing."""
        return Scorer, self._given

    def scores(self, x: Floats32) -> Floats32:
        """Linear scores, float32 (m, k): a window has the same bytes alone and among others.

        Args:
            x: (m, d), features.

        Raises:
            ValueError: another number of features.
            NoKernel: it was not compiled.
        """
        given, scores = self._plain(x), np.empty((len(x), self._labels))
        _compiled().muvr_scores(
            self._laid_out.reference, address_of(given), len(x), address_of(scores)
        )
        return scores.astype(np.float32)

    def score_set(self, x: Floats32) -> SetScores:
        """Scores of a set's windows (m, d); arguments and errors as of `scores`."""
        given, probabilities = self._plain(x), np.empty((len(x) + 1, self._labels + 1))
        _compiled().muvr_answers(
            self._laid_out.reference, address_of(given), len(x), address_of(probabilities)
        )
        window_probabilities, set_probabilities = probabilities[:-1], probabilities[-1]
        return SetScores(
            window_probabilities[:, :-1],
            window_probabilities[:, -1],
            set_probabilities[:-1],
            float(set_probabilities[-1]),
        )

    @cached_property
    def _laid_out(self) -> "_LaidOut":
        """What the compiled code reads, built on first use: training fits models it never asks."""
        mean, scale, weights, bias, prototypes, precision, typical, calibration = self._given
        roots = np.sqrt(precision.astype(np.float32))
        arrays = {
            "mean": _padded(mean, self._row),
            "scale": _padded(scale, self._row, 1.0),
            "weights": _padded(weights, self._row),
            "bias": _padded(bias, self._labels),
            "scaled_prototypes": _padded(prototypes * roots, self._row),
            "root_precision": _padded(roots, self._row),
        }
        addresses = {name: address_of(array) for name, array in arrays.items()}
        c = calibration
        numbers = {"typical": typical, "window": c.window, "whole": c.whole, "doubt": c.doubt}
        sizes = self._size, self._row, self._labels, len(prototypes)
        return _LaidOut(arrays, ctypes.byref(_LinearModel(*sizes, **addresses, **numbers)))

    def _plain(self, x: Floats32) -> Floats32:
        if x.ndim != 2 or x.shape[1] != self._size:
            raise ValueError(f"windows are {x.shape}, (m, {self._size}) is expected")
        return np.ascontiguousarray(x, dtype=np.float32)


def _require_shape(name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} is {array.shape}, {shape} is expected")


def _padded(array: Floats, row: int, rest: float = 0.0) -> Floats32:
    """A copy in float32, its rows filled up."""
    filled = np.full((*array.shape[:-1], row), rest, dtype=np.float32)
    filled[..., : array.shape[-1]] = array
    return filled


@lru_cache(maxsize=1)
def _compiled() -> ctypes.CDLL:
    """The compiled code; raises `NoKernel`."""
    library = compiled("scores", VERSION, ctypes.CDLL)
    pointer = ctypes.c_void_p
    for function in (library.muvr_scores, library.muvr_answers):
        function.argtypes = (pointer, pointer, ctypes.c_long, pointer)
        function.restype = None
    return library
