"""How well clusters agree: with a known truth, and with themselves under another seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from models.arrays import Floats64, Ints64
from models.clusters.features import Summary
from models.clusters.fit import ClusterSettings, fit_clusters
from models.clusters.model import ClusterModel


def adjusted_rand(left: ArrayLike, right: ArrayLike) -> float:
    """Adjusted Rand index of two labellings (n,) (Hubert & Arabie 1985).

    1: the same partition; about 0: what chance gives. Names of labels do not matter.

    >>> adjusted_rand([0, 0, 1, 1], ["b", "b", "a", "a"])
    1.0
    >>> round(adjusted_rand([0, 0, 1, 1], [0, 1, 0, 1]), 3)
    -0.5
    """
    _, a = np.unique(np.asarray(left), return_inverse=True)
    _, b = np.unique(np.asarray(right), return_inverse=True)
    table = np.zeros((int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1))
    np.add.at(table, (a, b), 1)
    both = _pairs(table).sum()
    rows, columns = _pairs(table.sum(axis=1)).sum(), _pairs(table.sum(axis=0)).sum()
    every = float(_pairs(np.array(float(len(a)))))
    expected = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((both - expected) / (most - expected))


def _pairs(count: Floats64) -> Floats64:
    return count * (count - 1) / 2


@dataclass(frozen=True, slots=True)
class ClusterScore:
    """What the clusters are worth.

    Attributes:
        reseed: least adjusted Rand index between the model and those of other seeds.
        explained: share of the standardised variance that the centres explain.
        same_names: every seed gave the same names.
    """

    reseed: float
    explained: float
    same_names: bool


def frequency_groups(frequency: Floats64, k: int) -> Ints64:
    """People cut into k equal groups by frequency (n,) alone, int64 (n,): the baseline.

    >>> frequency_groups(np.array([3.0, 1.0, 4.0, 2.0]), 2).tolist()
    [1, 0, 1, 0]
    """
    return np.argsort(np.argsort(frequency, kind="stable")) * k // len(frequency)


def evaluate_clusters(
    model: ClusterModel,
    summaries: Sequence[Summary],
    settings: ClusterSettings,
    *,
    seeds: int = 5,
) -> ClusterScore:
    """Fits with `seeds` further seeds and compares.

    Args:
        model: of these people and settings.
        summaries: the people.
        settings: of the fit.
        seeds: how many further seeds.
    """
    rows = model.features(summaries)
    labels = model.assign(rows)
    others = [
        fit_clusters(summaries, replace(settings, seed=settings.seed + 1 + step))
        for step in range(seeds)
    ]
    points = model.standardise(rows)
    within = float(((points - model.centres[labels]) ** 2).sum())
    total = float(((points - points.mean(axis=0)) ** 2).sum())
    return ClusterScore(
        reseed=min((adjusted_rand(labels, other.assign(rows)) for other in others), default=1.0),
        explained=1 - within / total,
        same_names=all(other.names == model.names for other in others),
    )
