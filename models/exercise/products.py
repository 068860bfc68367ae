"""Second moments of quantised windows, over all pairs of features, in one call of compiled code.

Quantised features are integers below 16, so their products are integers as well: processors
multiply four of them at once in a fraction of the time that floats take, and the sums are exact.
`models.exercise.reference.quantised` does the same in numpy. Figures:
`docs/decisions/0032-integer-statistics.md`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats32
from models.compiled import address_of
from models.exercise.quantised import QuantisedWindows, kernel

BLOCK: Final = 16  # features that the compiled code takes at once


class Products(NamedTuple):
    """Sums and second moments of the counts of many sets.

    Attributes:
        sums: float32 (s, d), sums of each set's counts.
        moments: float32 (d, d), sum over sets of (step of i) (step of j) (products of counts of i
            and j), for i <= j; zeros below the diagonal.
    """

    sums: Floats32
    moments: Floats32


def products(
    windows: Sequence[QuantisedWindows], steps: Floats32, variant: int | None = None
) -> Products:
    """Sums and products of the counts of s sets.

    Args:
        windows: of each set, m >= 1; all of d features.
        steps: float32 (s, d), what a count of each set stands for.
        variant: of the compiled code, below `variants()`; None: the fastest. All give the same
            bytes.

    Raises:
        ValueError: shapes that do not fit together.
        NoKernel: it was not compiled.
    """
    sets, size = steps.shape
    row = -(-size // BLOCK) * BLOCK
    sizes = [windows_of_set.packed.shape[1] for windows_of_set in windows]
    if sizes != [size] * sets:
        raise ValueError(f"sets of {sizes} features, and steps {steps.shape}")
    rows = np.array([windows_of_set.rows for windows_of_set in windows], dtype=np.int64)
    padded_steps = np.zeros((sets, row), dtype=np.float32)
    padded_steps[:, :size] = steps
    packed = np.concatenate([windows_of_set.packed for windows_of_set in windows])
    workspace = np.empty((int(((rows + 3) // 4).sum()) + sets + 1, row), dtype=np.int32)
    result = Products(
        np.empty((sets, row), dtype=np.float32), np.zeros((size, size), dtype=np.float32)
    )
    kernel().muvr_quantised_products(
        variants() - 1 if variant is None else variant,
        *map(address_of, (packed, rows, padded_steps)),
        *(sets, size, row),
        *map(address_of, (workspace, *result)),
    )
    return result._replace(sums=result.sums[:, :size])


@lru_cache(maxsize=1)
def variants() -> int:
    """How many variants of the compiled code this processor can run."""
    return kernel().muvr_quantised_variants()
