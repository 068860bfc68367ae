"""Half a sweep of implicit ALS, compiled on first use: every row solved on its own.

Written as `models.recommend.reference` reads, with one Cholesky factorisation per row.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from models.arrays import Floats64, Ints32, Ints64


@cache
def compiled() -> Callable[..., None]:
    """The compiled half sweep; compiling takes some seconds, once."""
    import numba

    solve = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(_solve_row)
    return numba.njit(cache=True, nogil=True, parallel=True)(_half_sweep(numba.prange, solve))


def _solve_row(gram: Floats64, right: Floats64, out: Floats64) -> None:
    """Solves gram · out = right by Cholesky; gram and right are overwritten."""
    n = len(right)
    for i in range(n):
        for j in range(i + 1):
            total = gram[i, j]
            for k in range(j):
                total -= gram[i, k] * gram[j, k]
            gram[i, j] = total / gram[j, j] if i != j else np.sqrt(total)
    for i in range(n):
        total = right[i]
        for k in range(i):
            total -= gram[i, k] * right[k]
        right[i] = total / gram[i, i]
    for i in range(n - 1, -1, -1):
        total = right[i]
        for k in range(i + 1, n):
            total -= gram[k, i] * out[k]
        out[i] = total / gram[i, i]


def _half_sweep(prange: Callable[[int], Any], solve: Callable[..., None]) -> Callable[..., None]:
    def half_sweep(
        starts: Ints64,
        columns: Ints32,
        extra: Floats64,
        ridge: Floats64,
        fixed: Floats64,
        gram: Floats64,
        out: Floats64,
    ) -> None:
        """out[row] for every row, with `fixed` (columns, k) and its gram matrix (k, k)."""
        size = fixed.shape[1]
        for row in prange(len(ridge)):
            left = gram.copy()
            right = np.zeros(size)
            for entry in range(starts[row], starts[row + 1]):
                factor = fixed[columns[entry]]
                weight = extra[entry]
                for i in range(size):
                    scaled = weight * factor[i]
                    right[i] += factor[i] + scaled
                    for j in range(i + 1):
                        left[i, j] += scaled * factor[j]
            for i in range(size):
                left[i, i] += ridge[row]
            solve(left, right, out[row])

    return half_sweep
