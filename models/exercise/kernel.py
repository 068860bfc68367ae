"""The features of windows in one call of compiled code: `kernel.c`, which `make` compiles.

Its arithmetic is IEEE single precision in a fixed order, so every compiler and every processor give
the same bytes. `models.exercise.reference` says the same in numpy, and is what it is tested
against. Figures: `docs/decisions/0027-features-in-one-call.md`.
"""

import ctypes
import sysconfig
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.exercise.names import feature_names
from models.signal.windows import WINDOW
from schemas.errors import NoKernel

VERSION = 2  # of `muvr_features_version` in kernel.c
FILE = "muvr_kernel.so"
Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width


def features(acc: Array, gyro: Array | None) -> Array:
    """Features of windows in the left wrist's frame, float32 (m, 515) or (m, 214).

    A window has the same bytes alone and among others.

    Args:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.

    >>> features(np.ones((2, 3, 200), np.float32), None).shape
    (2, 214)

    Raises:
        ValueError: arrays of another shape.
        NoKernel: it was not compiled.
    """
    wanted = (len(acc), 3, WINDOW)
    for one in (acc, gyro):
        if one is not None and one.shape != wanted:
            raise ValueError(f"windows of shape {one.shape}, {wanted} are needed")
    acc = np.ascontiguousarray(acc, dtype=np.float32)
    gyro = None if gyro is None else np.ascontiguousarray(gyro, dtype=np.float32)
    found = np.empty((len(acc), len(feature_names(gyro is not None))), dtype=np.float32)
    turning = None if gyro is None else _address(gyro)
    _compiled().muvr_features(_address(acc), turning, len(acc), _address(found))
    return found


def _address(x: Array) -> int:
    return x.__array_interface__["data"][0]  # `x.ctypes.data` takes three times as long


@lru_cache(maxsize=1)
def _compiled() -> ctypes.CDLL:
    """The compiled code of this environment.

    Raises:
        NoKernel: it is not there, or of another release.
    """
    path = Path(sysconfig.get_paths()["purelib"], FILE)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as problem:
        raise NoKernel(f"The compiled features are not at {path}: {problem}.") from problem
    if library.muvr_features_version() != VERSION:
        raise NoKernel(f"{path} is of another release: {library.muvr_features_version()}.")
    pointer = ctypes.c_void_p
    library.muvr_features.argtypes = (pointer, pointer, ctypes.c_long, pointer)
    library.muvr_features.restype = None
    return library
