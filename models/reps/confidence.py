"""How sure a count is: a logistic on what the choice between explanations looked like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.reps.borders import Bounds
from models.reps.explain import Explanation
from models.reps.settings import RepsSettings

RIDGE = 1.0  # penalty on standardised weights


@dataclass(frozen=True, slots=True)
class Confidence:
    """Weights of the logistic.

    Attributes:
        weights: one for each trait of `traits_of`.
        bias: added to their sum.
    """

    weights: tuple[float, ...]
    bias: float

    def of(self, traits: Floats64) -> float:
        """Probability that a count with these traits (5,) of `traits_of` is exactly right.

        >>> Confidence((0.0,) * 5, 0.0).of(np.zeros(5))
        0.5
        """
        return float(1 / (1 + np.exp(-(traits @ np.array(self.weights) + self.bias))))


def traits_of(
    best: Explanation,
    borders: Bounds,
    others: Sequence[tuple[float, int]],
    settings: RepsSettings,
) -> Floats64:
    """Coverage, margin to another count, edge ambiguity, fit and variation of an explanation, (5,).

    Args:
        best: the explanation that was chosen.
        borders: its repetitions.
        others: score and count of every other explanation.
        settings: the counter's constants.
    """
    score = best.score(settings)
    rivals = [score - s for s, count in others if count != len(borders.spans)]
    margin = min([*rivals, 0.5])
    unclear = max(
        max(0.0, 1 - abs(share - settings.partial_share) / settings.partial_share)
        for share in (borders.head, borders.tail)
    )
    return np.array([best.coverage, margin, unclear, best.fit, best.variation])


def fit_confidence(traits: Floats64, exact: Floats64) -> Confidence:
    """Learn the weights by penalised logistic regression (Newton's method).

    Args:
        traits: (n, 5) of counted sets.
        exact: (n,) 1 where the count was exactly right, else 0.
    """
    mean, spread = traits.mean(axis=0), np.maximum(traits.std(axis=0), 1e-6)
    x = np.hstack([(traits - mean) / spread, np.ones((len(traits), 1))])
    penalty = np.diag([RIDGE] * traits.shape[1] + [1e-6])
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        step = x.T @ (exact - p) - penalty @ w
        w = w + np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, step)
    weights = w[:-1] / spread
    return Confidence(tuple(float(v) for v in weights), float(w[-1] - weights @ mean))
