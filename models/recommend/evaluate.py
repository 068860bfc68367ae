"""nDCG and recall of recommendations, beside popularity and repeating what was done last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.recommend.features import Counts, counts_of
from models.recommend.model import Recommender, top_columns

BLOCK = 1024  # users whose scores of every exercise are in memory at once


@dataclass(frozen=True, slots=True)
class Ranking:
    """Means over the users who have something to find.

    Attributes:
        ndcg: normalised discounted cumulative gain at n, every later done exercise worth 1.
        recall: share of the later done exercises (at most n of them) that were recommended.
        users: how many users were counted.
    """

    ndcg: float
    recall: float
    users: int


@dataclass(frozen=True, slots=True)
class RecommendScore:
    """The model beside its baselines, on the same users and exercises."""

    model: Ranking
    popularity: Ranking
    repeat_last: Ranking

    @property
    def wins(self) -> bool:
        """The model's nDCG is above both baselines'."""
        return self.model.ndcg > max(self.popularity.ndcg, self.repeat_last.ndcg)


def done_matrix(counts: Counts) -> Flags:
    """Who did what, bool (users, exercises)."""
    table = np.zeros((counts.height, counts.width), np.bool_)
    table[counts.rows(), counts.columns] = True
    return table


def people_of(counts: Counts) -> Floats64:
    """How many people did each exercise, float64 (exercises,)."""
    return np.bincount(counts.columns, minlength=counts.width).astype(np.float64)


def popularity(counts: Counts, people: Floats64) -> Floats64:
    """Scores (users, exercises): how many people did it, the same for everybody."""
    return np.broadcast_to(people, (counts.height, counts.width))


def repeat_last(counts: Counts, people: Floats64) -> Floats64:
    """Scores (users, exercises): the later it was done, the higher; the rest by popularity."""
    scores = popularity(counts, people / (people.max(initial=0) + 1)) - 2
    for user in range(counts.height):
        part = slice(int(counts.starts[user]), int(counts.starts[user + 1]))
        order = np.argsort(np.argsort(counts.last_s[part], kind="stable"))
        scores[user, counts.columns[part]] = order
    return scores


def rank_metrics(places: Ints64, wanted: Flags) -> Ranking:
    """Scores recommended places (users, n), −1 for none, against wanted (users, columns).

    >>> wanted = np.array([[True, False, True]])
    >>> rank_metrics(np.array([[0, 1]]), wanted).recall
    0.5
    """
    n = places.shape[1]
    hits = np.take_along_axis(wanted, np.maximum(places, 0), axis=1) & (places >= 0)
    discount = 1 / np.log2(np.arange(n) + 2)
    possible = np.minimum(wanted.sum(axis=1), n)
    has_wanted = possible > 0
    if not has_wanted.any():
        return Ranking(float("nan"), float("nan"), 0)
    ideal = np.concatenate([[0], np.cumsum(discount)])[possible[has_wanted]]
    return Ranking(
        ndcg=float(np.mean((hits[has_wanted] @ discount) / ideal)),
        recall=float(np.mean(hits[has_wanted].sum(axis=1) / possible[has_wanted])),
        users=int(has_wanted.sum()),
    )


def evaluate_recommender(
    model: Recommender, train: Counts, test: Counts, *, n: int = 10, new_only: bool
) -> RecommendScore:
    """Recommends from `train` what `test` then shows, to the users who are in both.

    A user who is not in `train` would get nothing from the model, which knows nothing about them,
    and what is popular from its baselines.

    Args:
        model: fitted on `train`.
        train: users × exercises before the cut-off.
        test: the same users and exercises after it.
        n: how many recommendations each user gets.
        new_only: recommend, and look for, only what a user has not done before; repeating what was
            done last then falls back to popularity.
    """
    people, items = people_of(train), model.items.T
    rankings: list[tuple[Ranking, ...]] = []
    for first in range(0, train.height, BLOCK):
        early, late = (counts.block(first, first + BLOCK) for counts in (train, test))
        done = done_matrix(early)
        seen = done if new_only else np.zeros_like(done)
        wanted = done_matrix(late) & ~seen & done.any(axis=1, keepdims=True)
        scores = (
            model.users[first : first + BLOCK] @ items,
            popularity(early, people),
            repeat_last(early, people),
        )
        places = (top_columns(each, n, without=seen) for each in scores)
        rankings.append(tuple(rank_metrics(each, wanted) for each in places))
    return RecommendScore(*map(pooled, zip(*rankings, strict=True)))


def pooled(rankings: Sequence[Ranking]) -> Ranking:
    """The means over all users of several groups.

    >>> pooled([Ranking(1.0, 1.0, 1), Ranking(0.5, 0.0, 3), Ranking(float("nan"), float("nan"), 0)])
    Ranking(ndcg=0.625, recall=0.25, users=4)
    """
    counted = [ranking for ranking in rankings if ranking.users]
    users = sum(ranking.users for ranking in counted)
    if not users:
        return Ranking(float("nan"), float("nan"), 0)
    ndcg, recall = (
        sum(mean * ranking.users for mean, ranking in zip(means, counted, strict=True)) / users
        for means in zip(*((ranking.ndcg, ranking.recall) for ranking in counted), strict=True)
    )
    return Ranking(ndcg, recall, users)


def split_entries(counts: Counts, share: float, seed: int) -> tuple[Counts, Counts]:
    """(the rest, a random share of the entries): for data without a useful order in time."""
    order = np.random.default_rng(seed).permutation(len(counts.values))
    cut = round(share * len(order))
    rows = counts.rows()

    def part(chosen: Ints64) -> Counts:
        """The entries at these positions, in a matrix of the same shape."""
        return counts_of(
            rows[chosen],
            counts.columns[chosen],
            counts.values[chosen],
            counts.last_s[chosen],
            counts.height,
            counts.width,
        )

    return part(order[cut:]), part(order[:cut])
