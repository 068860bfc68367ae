"""Explains recommendations: the contribution of each of the user's own exercises to a score.

Hu, Koren & Volinsky (ICDM 2008), section 5: with the user's matrix W = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹
the score of item i is a sum over the exercises j that the user did,

    x · y_i = Σ_j (y_iᵀ W y_j) c_j

so each own exercise has its share in every recommendation, and the shares add up to the score.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints32
from models.recommend.features import Counts
from models.recommend.model import Recommender, confidence_above_one, row_ridge

REASONS = 3  # own exercises that a recommendation names, at most


@dataclass(frozen=True, slots=True)
class Contribution:
    """One own exercise and what it adds to the score of a recommended one."""

    exercise: str
    share: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended exercise.

    Attributes:
        position: 1 is the best.
        exercise: its name.
        score: about 0 (no preference) to 1.
        because: the own exercises that add most, the greatest first; only those that add.
    """

    position: int
    exercise: str
    score: float
    because: tuple[Contribution, ...]


def contributions(counts: Counts, user: int, model: Recommender) -> tuple[Ints32, Floats64]:
    """(own exercises (m,), what each adds to every exercise's score, float64 (exercises, m))."""
    own, values = counts.row(user)
    extra = confidence_above_one(values, model.settings)
    own_factors = model.items[own]
    ridge = row_ridge(counts.block(user, user + 1), model.settings)[0]
    left = model.items.T @ model.items + (own_factors.T * extra) @ own_factors
    left += ridge * np.eye(len(left))
    similar = model.items @ np.linalg.solve(left, own_factors.T)
    return own, similar * (1 + extra)


def recommend_user(
    counts: Counts, user: int, model: Recommender, *, n: int = 10, new_only: bool
) -> tuple[Recommendation, ...]:
    """The best exercises for one user, with reasons; nothing for a user without sets.

    Args:
        counts: users × exercises, with the model's exercises as columns; also of users that the
            model has not seen: only `model.items` is used.
        user: the row.
        model: what was learned.
        n: how many recommendations.
        new_only: leave out what the user has done before.
    """
    own, parts = contributions(counts, user, model)
    if not len(own):
        return ()
    scores = parts.sum(axis=1)
    if new_only:
        scores[own] = -np.inf
    order = np.argsort(-scores, kind="stable")[:n]
    return tuple(
        Recommendation(
            position=place + 1,
            exercise=model.exercises[item],
            score=float(scores[item]),
            because=_top_contributions(own, parts[item], model.exercises),
        )
        for place, item in enumerate(order.tolist())
        if np.isfinite(scores[item])
    )


def _top_contributions(
    own: Ints32, parts: Floats64, exercises: tuple[str, ...]
) -> tuple[Contribution, ...]:
    best = np.argsort(-parts, kind="stable")[:REASONS].tolist()
    return tuple(Contribution(exercises[own[j]], float(parts[j])) for j in best if parts[j] > 0)
