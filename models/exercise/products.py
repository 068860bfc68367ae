"""Products of all pairs of features over the windows that sets keep, in one call of compiled code.

Kept features are whole numbers below 16, so their products are whole numbers as well: processors
multiply four of them at once in a fraction of the time that floats take, and the sums are exact.
`models.exercise.reference.kept` says the same in numpy. Figures:
`docs/decisions/0032-products-of-counts.md`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats32
from models.compiled import address_of
from models.exercise.kept import KeptWindows, kernel

BLOCK: Final = 32  # features that the compiled code takes at once


class Products(NamedTuple):
    """What counts of many sets add up to.

    Attributes:
        sums: float32 (s, d), sums of each set's counts.
        moments: float32 (d, d), sum over sets of (step of i) (step of j) (products of counts of i
            and j), for i <= j; noughts below the diagonal.
    """

    sums: Floats32
    moments: Floats32


def products(windows: Sequence[KeptWindows], steps: Floats32, way: int | None = None) -> Products:
    """Sums and products of the counts of s sets.

    Args:
        windows: of each set, m >= 1; all of d features.
        steps: float32 (s, d), what a count of each set stands for.
        way: a number below `ways()`, None for the quickest: all give the same bytes.

    Raises:
        ValueError: shapes that do not fit together.
        NoKernel: it was not compiled.
    """
    sets, size = steps.shape
    row = -(-size // BLOCK) * BLOCK
    sizes = [one.pairs.shape[1] for one in windows]
    if sizes != [size] * sets:
        raise ValueError(f"sets of {sizes} features, and steps {steps.shape}")
    rows = np.array([one.rows for one in windows], dtype=np.int64)
    filled = np.zeros((sets, row), dtype=np.float32)
    filled[:, :size] = steps
    pairs = np.concatenate([one.pairs for one in windows])
    room = np.empty((int(((rows + 3) // 4).sum()) + 1, row), dtype=np.int32)
    found = Products(
        np.empty((sets, row), dtype=np.float32), np.zeros((size, size), dtype=np.float32)
    )
    kernel().muvr_kept_products(
        ways() - 1 if way is None else way,
        *map(address_of, (pairs, rows, filled)),
        *(sets, size, row),
        *map(address_of, (room, *found)),
    )
    return found._replace(sums=found.sums[:, :size])


@lru_cache(maxsize=1)
def ways() -> int:
    """How many ways of multiplying this processor knows."""
    return kernel().muvr_kept_ways()
