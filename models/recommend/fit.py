"""Implicit ALS with the compiled kernel, and choosing its settings on a validation part."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np

from models.arrays import Floats64
from models.numba_threads import at_most_threads
from models.recommend.features import Counts
from models.recommend.kernel import compiled
from models.recommend.model import (
    AlsSettings,
    Recommender,
    confidence_above_one,
    row_ridge,
)
from schemas.errors import NotEnoughLabels

FACTORS, ALPHAS, RIDGES, SCALINGS = (16, 24, 32), (1.0, 1.5, 2.5), (8.0, 12.0, 20.0), (0.0, 0.2)

HalfSweep = Callable[[Counts, Floats64, AlsSettings], Floats64]


def fit_recommender(
    counts: Counts,
    exercises: tuple[str, ...],
    settings: AlsSettings,
    *,
    half_sweep: HalfSweep | None = None,
) -> Recommender:
    """Learns factors of all users and exercises.

    Args:
        counts: users × exercises.
        exercises: names of the columns.
        settings: see `AlsSettings`.
        half_sweep: how rows are solved: `fast_rows` by default, or the reference's `solve_rows`.

    Raises:
        NotEnoughLabels: nobody did anything.
    """
    if not len(counts.values):
        raise NotEnoughLabels("no sets to recommend from")
    solve = half_sweep or fast_rows
    transposed = counts.transposed()
    random = np.random.default_rng(settings.seed)
    items = random.normal(0, 1 / settings.factors**0.5, (counts.width, settings.factors))
    users = np.zeros((counts.height, settings.factors))
    for _ in range(settings.sweeps):
        users = solve(counts, items, settings)
        items = solve(transposed, users, settings)
    users = solve(counts, items, settings)
    return Recommender(exercises, users, items, settings)


def fast_rows(counts: Counts, fixed: Floats64, settings: AlsSettings) -> Floats64:
    """(rows, k) as of `reference.solve_rows`, compiled; threads change no bit."""
    solved = np.empty((counts.height, fixed.shape[1]))
    kernel = compiled()
    with at_most_threads(settings.threads):
        kernel(
            counts.starts,
            counts.columns,
            confidence_above_one(counts.values, settings),
            row_ridge(counts, settings),
            fixed,
            fixed.T @ fixed,
            solved,
        )
    return solved


def candidates(base: AlsSettings) -> list[AlsSettings]:
    """The usual grid around `base`: 54 settings of factors, alpha, ridge and scaling."""
    return [
        replace(base, factors=factors, alpha=alpha, ridge=ridge, scaling=scaling)
        for factors, alpha, ridge, scaling in product(FACTORS, ALPHAS, RIDGES, SCALINGS)
    ]
