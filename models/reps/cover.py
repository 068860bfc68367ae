"""The cheapest way to cover a set by copies of allowed lengths, idle samples between them.

`compiled/cover.c`, which `make` compiles; `models.reps.reference.cover` says the same in numpy.
Each border hangs on those before it, so numpy took a dozen array operations for every few samples:
more than a quarter of the time of counting.
"""

import ctypes
from functools import lru_cache

import numpy as np

from models.arrays import Floats32, Floats64, Indices
from models.compiled import address_of, compiled

VERSION = 1  # of `muvr_cover_version` in compiled/cover.c


def cheapest_cover(cost: Floats32, idle: Floats64, lengths: Indices) -> tuple[Indices, Indices]:
    """Where copies begin and which lengths they have, at the least price of all samples together.

    Args:
        cost: float32 (n, m) price of a copy by last sample and length; infinite where it would
            begin before the set.
        idle: float64 (n,) price of a sample outside.
        lengths: (m,) increasing lengths in samples.

    Returns:
        (k,) first sample and (k,) index of the length of every copy, in order.

    Raises:
        ValueError: shapes that do not fit together.
        NoKernel: it was not compiled.

    >>> inf = np.float32(np.inf)
    >>> cost = np.array([[inf, inf], [1, inf], [9, 9], [1, 9], [9, 9]], dtype=np.float32)
    >>> [copies.tolist() for copies in cheapest_cover(cost, np.ones(5), np.array([2, 3]))]
    [[0, 2], [0, 0]]
    """
    n, m = cost.shape
    if idle.shape != (n,) or lengths.shape != (m,):
        raise ValueError(f"cost {cost.shape}, idle {idle.shape}, lengths {lengths.shape}")
    prices = np.ascontiguousarray(cost, dtype=np.float32)
    idle = np.ascontiguousarray(idle, dtype=np.float64)
    samples = np.ascontiguousarray(lengths, dtype=np.int64)
    room = np.empty(2 * n + 2)
    copies = np.empty((2, n), dtype=np.int64)
    count = _compiled().muvr_cover(
        *map(address_of, (prices, idle, samples)), n, m, *map(address_of, (room, *copies))
    )
    starts, which = copies[:, :count][:, ::-1].astype(np.intp)
    return starts, which


@lru_cache(maxsize=1)
def _compiled() -> ctypes.CDLL:
    """The compiled code; raises `NoKernel`."""
    library = compiled("cover", VERSION, ctypes.CDLL)
    pointer, size = ctypes.c_void_p, ctypes.c_long
    library.muvr_cover.argtypes = (pointer,) * 3 + (size,) * 2 + (pointer,) * 3
    library.muvr_cover.restype = size
    return library
