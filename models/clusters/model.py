"""Centres of clusters with names, and the cluster of a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.arrays import Floats64, Ints64
from models.clusters.features import Measure, Summary, features

WORDS = (
    ("seldom", "steadily", "often"),
    ("light", "middling", "strong"),
    ("fading", "holding", "improving"),
)
FAR = 1.0  # standard deviations from the mean at which a word fits best


@dataclass(frozen=True, slots=True)
class ClusterModel:
    """k-means in standardised features.

    Attributes:
        names: one per centre; they follow from the centres alone.
        centres: float64 (k, 3), standardised, ordered by name.
        middle, spread: float64 (3,): standardised = (features − middle) / spread.
        limit: standardised features are cut at ± this.
        reference: median log capacity over people, of each exercise and unit.
    """

    names: tuple[str, ...]
    centres: Floats64
    middle: Floats64
    spread: Floats64
    limit: float
    reference: Mapping[Measure, float]

    def standardise(self, rows: Floats64) -> Floats64:
        """Features float64 (m, 3) in units of the population's spread."""
        return np.clip((rows - self.middle) / self.spread, -self.limit, self.limit)

    def features(self, summaries: Sequence[Summary]) -> Floats64:
        """Features float64 (m, 3) of people, compared with the reference of the training."""
        return features(summaries, self.reference)

    def assign(self, rows: Floats64) -> Ints64:
        """Number of the nearest centre for each row of features (m, 3)."""
        return nearest(self.standardise(rows), self.centres)[0]


def nearest(points: Floats64, centres: Floats64) -> tuple[Ints64, Floats64]:
    """(number of the nearest centre, squared distance to it) for points (m, d); ties: the first."""
    squared = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    number = squared.argmin(axis=1)
    return number, squared[np.arange(len(points)), number]


def names_of(centres: Floats64) -> tuple[str, ...]:
    """Names for standardised centres (k, 3), all different, the same in whatever order they come.

    Each of the 27 combinations of words stands at a corner of the grid {−1, 0, 1}³; centres and
    corners are paired so that the sum of squared distances is least.

    >>> names_of(np.array([[1.2, 1.0, 0.0], [-1.0, -0.9, 0.1]]))
    ('often, strong, holding', 'seldom, light, holding')
    """
    grid = np.array(list(product((-FAR, 0.0, FAR), repeat=len(WORDS))))
    words = [", ".join(words) for words in product(*WORDS)]
    cost = ((centres[:, None, :] - grid[None, :, :]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(cost)
    named = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return tuple(words[named[row]] for row in range(len(centres)))
