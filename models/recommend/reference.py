"""Implicit ALS as it reads: one dense solve per row. The fast kernel is tested against it."""

import numpy as np

from models.arrays import Floats64
from models.recommend.features import Counts
from models.recommend.model import AlsSettings, confidence_above_one, row_ridge


def solve_rows(counts: Counts, fixed: Floats64, settings: AlsSettings) -> Floats64:
    """Half a sweep: the best factors (rows, k) for given factors (columns, k) of the other side.

    Setting the loss's gradient to zero for one row gives

        x = (YᵀY + Yᵀ(C − I)Y + λ n^ν I)⁻¹ Yᵀ C p

    where only entries of the row are left in the second and the last term.
    """
    gram = fixed.T @ fixed
    ridge = row_ridge(counts, settings)
    solved = np.zeros((counts.height, fixed.shape[1]))
    for number in range(counts.height):
        columns, values = counts.row(number)
        extra = confidence_above_one(values, settings)
        own = fixed[columns]
        left = gram + (own.T * extra) @ own + ridge[number] * np.eye(len(gram))
        solved[number] = np.linalg.solve(left, own.T @ (1 + extra))
    return solved


def loss(
    counts: Counts,
    users: Floats64,
    items: Floats64,
    settings: AlsSettings,
) -> float:
    """What every half sweep makes smaller; factors of users (rows, k), of items (columns, k)."""
    weight = np.ones((counts.height, counts.width))
    wanted = np.zeros_like(weight)
    weight[counts.rows(), counts.columns] += confidence_above_one(counts.values, settings)
    wanted[counts.rows(), counts.columns] = 1
    fit = (weight * (wanted - users @ items.T) ** 2).sum()
    user_ridge = row_ridge(counts, settings) @ (users**2).sum(axis=1)
    item_ridge = row_ridge(counts.transposed(), settings) @ (items**2).sum(axis=1)
    return float(fit + user_ridge + item_ridge)
