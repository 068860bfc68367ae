"""Scores, probabilities and strangeness of windows, in one call of compiled code.

A window is one row of numbers, which numpy begins with for longer than it takes: of naming a window
that comes alone, half. `models.exercise.reference.answers` says the same in numpy. Figures:
`docs/decisions/0030-one-window-in-one-call.md`.
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
MOST = 1024  # floats of a row in the compiled code
TOUCHES = 1e-6  # there too: a window that is its prototype has a logarithm as well


class Seen(NamedTuple):
    """What a model makes of the windows of one set.

    Attributes:
        each: float64 (m, k), probabilities of each window.
        strange: float64 (m,), log distance to the nearest prototype over that of training windows.
        whole: float64 (k,), probabilities of all windows as one set; of no window no numbers.
        hesitation: mean -log probability of each window's likeliest exercise.
    """

    each: Floats64
    strange: Floats64
    whole: Floats64
    hesitation: float


class _Linear(ctypes.Structure):
    """The struct of the same name in compiled/scores.c."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("features", "row", "labels", "prototypes")),
        *((name, ctypes.c_void_p) for name in ("mean", "scale", "weights", "bias")),
        *((name, ctypes.c_void_p) for name in ("places", "roots")),
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
    >>> scorer.see(np.array([[1.0, 0.0]], np.float32)).each.round(3).tolist()
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
        if self._row > MOST or labels == 0 or places == 0:
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
        given, found = self._plain(x), np.empty((len(x), self._labels))
        _compiled().muvr_scores(
            self._laid_out.reference, address_of(given), len(x), address_of(found)
        )
        return found.astype(np.float32)

    def see(self, x: Floats32) -> Seen:
        """All that is to be said of a set's windows (m, d); arguments and errors as of `scores`."""
        given, found = self._plain(x), np.empty((len(x) + 1, self._labels + 1))
        _compiled().muvr_answers(
            self._laid_out.reference, address_of(given), len(x), address_of(found)
        )
        each, whole = found[:-1], found[-1]
        return Seen(each[:, :-1], each[:, -1], whole[:-1], float(whole[-1]))

    @cached_property
    def _laid_out(self) -> "_LaidOut":
        """What the compiled code reads; a model that was only just learned may never be asked."""
        mean, scale, weights, bias, prototypes, precision, typical, calibration = self._given
        roots = np.sqrt(precision.astype(np.float32))
        arrays = {
            "mean": _filled(mean, self._row),
            "scale": _filled(scale, self._row, 1.0),
            "weights": _filled(weights, self._row),
            "bias": _filled(bias, self._labels),
            "places": _filled(prototypes * roots, self._row),
            "roots": _filled(roots, self._row),
        }
        addresses = {name: address_of(array) for name, array in arrays.items()}
        c = calibration
        numbers = {"typical": typical, "window": c.window, "whole": c.whole, "doubt": c.doubt}
        sizes = self._size, self._row, self._labels, len(prototypes)
        return _LaidOut(arrays, ctypes.byref(_Linear(*sizes, **addresses, **numbers)))

    def _plain(self, x: Floats32) -> Floats32:
        if x.ndim != 2 or x.shape[1] != self._size:
            raise ValueError(f"windows are {x.shape}, (m, {self._size}) is expected")
        return np.ascontiguousarray(x, dtype=np.float32)


def _require_shape(name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} is {array.shape}, {shape} is expected")


def _filled(array: Floats, row: int, rest: float = 0.0) -> Floats32:
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
