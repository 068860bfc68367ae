"""k-means (Lloyd) from k-means++ starts; the best of several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints64
from models.clusters.features import ROUNDING, Summary, features, reference_capacity
from models.clusters.model import WORDS, ClusterModel, names_of, nearest
from schemas.errors import BadInput, NotEnoughLabels

DRAWS = 3  # candidates for each further centre of a start


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How to cluster.

    Attributes:
        k: number of clusters, at most 27 (each has a name of its own).
        starts: independent starts; the least inertia wins.
        iterations: at most so many Lloyd steps a start.
        tolerance: a start ends when no centre moves further than this.
        limit: standardised features are cut at ± this, so that one odd person is no cluster.
        seed: of the starts.
    """

    k: int = 5
    starts: int = 100
    iterations: int = 300
    tolerance: float = 1e-9
    limit: float = 3.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class KMeans:
    """One k-means solution: centres float64 (k, d), labels int64 (m,), summed squared distance."""

    centres: Floats64
    labels: Ints64
    inertia: float


def fit_clusters(summaries: Sequence[Summary], settings: ClusterSettings) -> ClusterModel:
    """Clusters people by (frequency, performance, improvement).

    Raises:
        NotEnoughLabels: fewer people than clusters, those who train the very same counted once.
        BadInput: more clusters than names.
    """
    if settings.k > 3 ** len(WORDS):
        raise BadInput(f"{settings.k} clusters have no names", field="k", value=settings.k)
    reference = reference_capacity(summaries)
    rows = features(summaries, reference)
    different = len(np.unique(np.round(rows / ROUNDING), axis=0))
    if different < settings.k:
        needed = f"{settings.k} who train differently are needed for as many clusters"
        raise NotEnoughLabels(f"{different} of {len(rows)} people train differently; {needed}")
    middle, spread = _middle_and_spread(rows)
    points = np.clip((rows - middle) / spread, -settings.limit, settings.limit)
    centres = kmeans(points, settings).centres
    names = names_of(centres)
    order = sorted(range(settings.k), key=lambda number: names[number])
    return ClusterModel(
        names=tuple(names[number] for number in order),
        centres=centres[order],
        middle=middle,
        spread=spread,
        limit=settings.limit,
        reference=reference,
    )


def _middle_and_spread(
    rows: Floats64,
) -> tuple[Floats64, Floats64]:
    """Median and 1.4826 × median absolute deviation; the standard deviation where that is 0.

    In a normal population these are mean and standard deviation; a few odd people do not move them.
    A spread that rounding alone can make counts as 0, and a feature that everybody shares gets 1.
    """
    middle = np.median(rows, axis=0)
    rounding = ROUNDING * np.maximum(1, np.abs(middle))
    spread = 1.4826 * np.median(np.abs(rows - middle), axis=0)
    spread = np.where(spread > rounding, spread, rows.std(axis=0))
    return middle, np.where(spread > rounding, spread, 1.0)


def kmeans(points: Floats64, settings: ClusterSettings) -> KMeans:
    """The best of `settings.starts` runs on points (m, d)."""
    random = np.random.default_rng(settings.seed)
    runs = [
        _lloyd(points, _plus_plus(points, settings.k, random), settings)
        for _ in range(settings.starts)
    ]
    return min(runs, key=lambda run: run.inertia)


def _plus_plus(points: Floats64, k: int, random: np.random.Generator) -> Floats64:
    """Greedy k-means++ (Arthur & Vassilvitskii 2007): centres are drawn by squared distance.

    Of some draws the one stays that leaves the least summed squared distance.
    """
    centres = points[[int(random.integers(len(points)))]]
    squared = nearest(points, centres)[1]
    for _ in range(k - 1):
        total = squared.sum()
        weight = squared / total if total > 0 else np.full(len(points), 1 / len(points))
        drawn = points[random.choice(len(points), DRAWS, p=weight)]
        left = np.minimum(squared, ((points - drawn[:, None]) ** 2).sum(axis=2))
        best = int(left.sum(axis=1).argmin())
        centres, squared = np.vstack([centres, drawn[best]]), left[best]
    return centres


def _lloyd(points: Floats64, centres: Floats64, settings: ClusterSettings) -> KMeans:
    """Alternates assignment and means; a cluster that loses all its points keeps its centre."""
    for _ in range(settings.iterations):
        labels, _ = nearest(points, centres)
        size = np.bincount(labels, minlength=len(centres))
        total = np.zeros_like(centres)
        np.add.at(total, labels, points)
        moved = np.where(size[:, None] > 0, total / np.maximum(size, 1)[:, None], centres)
        shift = float(np.abs(moved - centres).max())
        centres = moved
        if shift <= settings.tolerance:
            break
    labels, squared = nearest(points, centres)
    return KMeans(centres, labels, float(squared.sum()))
