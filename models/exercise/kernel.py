"""The features of windows in one call of compiled code: `compiled/`, which `make` compiles.

Its arithmetic is IEEE single precision in a fixed order, so every compiler and every processor give
the same bytes. `models.exercise.reference` says the same in numpy, and is what it is tested
against. Figures: `docs/decisions/0027-compiled-features.md`.
"""

import ctypes
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats32
from models.compiled import address_of, compiled
from models.exercise.names import computed_columns, feature_names
from models.signal.windows import WINDOW

VERSION = 3  # of `muvr_features_version` in compiled/kernel.c


def features(acc: Floats32, gyro: Floats32 | None, originals: Floats32 | None = None) -> Floats32:
    """Features of windows in the left wrist's frame, float32 (m, 515) or (m, 214).

    A window has the same bytes alone and among others.

    Args:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.
        originals: (m, d), features of the windows that these are rotated copies of. A rotation
            changes no norm, so half of a copy's features are copied from its window's.

    >>> features(np.ones((2, 3, 200), np.float32), None).shape
    (2, 214)

    Raises:
        ValueError: arrays of another shape.
        NoKernel: it was not compiled.
    """
    shape = (len(acc), len(feature_names(gyro is not None)))
    windows = (len(acc), 3, WINDOW)
    for array, expected in ((acc, windows), (gyro, windows), (originals, shape)):
        if array is not None and array.shape != expected:
            raise ValueError(f"an array of shape {array.shape} where {expected} is needed")
    arrays = [None if array is None else _contiguous(array) for array in (acc, gyro, originals)]
    out = np.empty(shape, dtype=np.float32)
    addresses = [None if array is None else address_of(array) for array in arrays]
    columns = _columns(gyro is not None)
    _compiled().muvr_features(*addresses, address_of(columns), len(acc), address_of(out))
    return out


def _contiguous(x: Floats32) -> Floats32:
    """As the compiled code reads it: float32, row after row."""
    return np.ascontiguousarray(x, dtype=np.float32)


@lru_cache(maxsize=2)
def _columns(with_gyro: bool) -> NDArray[np.int32]:
    return computed_columns(with_gyro).astype(np.int32)


@lru_cache(maxsize=1)
def _compiled() -> ctypes.CDLL:
    """The compiled code; raises `NoKernel`."""
    library = compiled("features", VERSION, ctypes.CDLL)
    pointer = ctypes.c_void_p
    library.muvr_features.argtypes = (*(pointer,) * 4, ctypes.c_long, pointer)
    library.muvr_features.restype = None
    return library
