"""Counts of windows and products of counts, as `models.exercise.products` has them."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats32, Ints64
from models.exercise.kept import STEPS, KeptWindows
from models.exercise.products import Products

TOGETHER = 256  # windows of a set whose products are added up as whole numbers


def counts_of(windows: KeptWindows) -> Ints64:
    """A set's counts, (m, d)."""
    pairs = windows.pairs.astype(np.int64)
    both = np.stack([pairs & STEPS, pairs >> 4], axis=1)
    return both.reshape(-1, pairs.shape[1])[: windows.rows]


def counts_in(x: Floats32, least: Floats32, step: Floats32) -> Ints64:
    """Counts of features (m, d) that are measured from `least` in steps of `step`, float32 (d,)."""
    unit = np.where(step > 0, step, np.float32(1))
    return np.clip(np.rint((x - least) / unit), 0, STEPS).astype(np.int64)


def products(windows: Sequence[KeptWindows], steps: Floats32) -> Products:
    """As `models.exercise.products.products`, byte for byte; steps float32 (s, d), s ≥ 1."""
    size = steps.shape[1]
    moments = np.zeros((size, size), dtype=np.float32)
    for one, step in zip(windows, steps, strict=True):
        counts = counts_of(one)
        for first in range(0, len(counts), TOGETHER):
            some = counts[first : first + TOGETHER]
            moments += (some.T @ some).astype(np.float32) * np.outer(step, step)
    sums = np.stack([counts_of(one).sum(axis=0) for one in windows])
    return Products(sums.astype(np.float32), np.triu(moments))
