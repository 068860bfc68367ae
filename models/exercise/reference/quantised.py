"""Counts of windows and products of counts, as `models.exercise.products` has them."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats32, Ints64
from models.exercise.products import Products
from models.exercise.quantised import MAX_COUNT, QuantisedWindows

BLOCK_ROWS = 256  # windows of a set whose products are added up as whole numbers


def counts_of(windows: QuantisedWindows) -> Ints64:
    """A set's counts, (m, d)."""
    packed = windows.packed.astype(np.int64)
    both = np.stack([packed & MAX_COUNT, packed >> 4], axis=1)
    return both.reshape(-1, packed.shape[1])[: windows.rows]


def counts_in(x: Floats32, minimum: Floats32, step: Floats32) -> Ints64:
    """Counts of features (m, d) above `minimum` in units of `step`, float32 (d,) each."""
    unit = np.where(step > 0, step, np.float32(1))
    return np.clip(np.rint((x - minimum) / unit), 0, MAX_COUNT).astype(np.int64)


def products(windows: Sequence[QuantisedWindows], steps: Floats32) -> Products:
    """As `models.exercise.products.products`, byte for byte; steps float32 (s, d), s ≥ 1."""
    size = steps.shape[1]
    moments = np.zeros((size, size), dtype=np.float32)
    for windows_of_set, step in zip(windows, steps, strict=True):
        counts = counts_of(windows_of_set)
        for first in range(0, len(counts), BLOCK_ROWS):
            block = counts[first : first + BLOCK_ROWS]
            moments += (block.T @ block).astype(np.float32) * np.outer(step, step)
    sums = np.stack([counts_of(windows_of_set).sum(axis=0) for windows_of_set in windows])
    return Products(sums.astype(np.float32), np.triu(moments))
