"""Factors of users and exercises, and what they recommend."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.recommend.features import Counts


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """Implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008).

    The loss, over all users u and exercises i, with the count r and the preference p = [r > 0]:

        Σ c (p − x_u · y_i)² + λ Σ n_u^ν ‖x_u‖² + λ Σ n_i^ν ‖y_i‖²,   c = 1 + alpha · r^power

    n counts the entries of a row. ν = 0 is the paper's form, ν = 1 that of Spark's MLlib.

    Attributes:
        factors: length of x and y.
        alpha: how much more a count weighs than no count.
        power: 1: counts as they are; 0: done or not done.
        ridge: λ.
        scaling: ν.
        sweeps: each solves all users, then all exercises.
        seed: of the first factors.
        threads: of the fast kernel.
    """

    factors: int = 24
    alpha: float = 1.5
    power: float = 0.5
    ridge: float = 12.0
    scaling: float = 0.2
    sweeps: int = 8
    seed: int = 0
    threads: int = 1


def confidence_above_one(values: Floats64, settings: AlsSettings) -> Floats64:
    """The confidence c without its 1: alpha · r^power of each entry, (entries,) of (entries,)."""
    return settings.alpha * values**settings.power


def row_ridge(counts: Counts, settings: AlsSettings) -> Floats64:
    """λ n^ν of each row, float64 (rows,); a row without entries counts as one entry."""
    entries = np.maximum(np.diff(counts.starts), 1)
    return settings.ridge * entries**settings.scaling


@dataclass(frozen=True, slots=True)
class Recommender:
    """What was learned.

    Attributes:
        exercises: the columns.
        users: float64 (users, factors).
        items: float64 (exercises, factors).
        settings: with which it was learned; they also weigh a new user's counts.
    """

    exercises: tuple[str, ...]
    users: Floats64
    items: Floats64
    settings: AlsSettings


def top_columns(scores: Floats64, n: int, *, without: Flags | None = None) -> Ints64:
    """The `n` best columns of each row, best first, −1 where there are no more.

    Args:
        scores: float64 (rows, columns); −inf is never recommended.
        n: how many.
        without: bool (rows, columns): not to be recommended, by default none.

    >>> top_columns(np.array([[0.1, 0.9, 0.5]]), 2).tolist()
    [[1, 2]]
    """
    allowed = scores if without is None else np.where(without, -np.inf, scores)
    order = np.argsort(-allowed, axis=1, kind="stable")[:, :n]
    best = np.take_along_axis(allowed, order, axis=1)
    columns = np.where(np.isfinite(best), order, -1)
    return np.pad(columns, ((0, 0), (0, n - columns.shape[1])), constant_values=-1)
