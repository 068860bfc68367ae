"""How far ranks are from a reference, and how they order people, beside counting followers."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints64
from models.rank.model import Graph


@dataclass(frozen=True, slots=True)
class RankScore:
    """Ranks beside a reference and beside the baseline.

    Attributes:
        worst: greatest relative error of a rank.
        top: share of the reference's `n` first people who are among ours.
        followers_top: the same for people ordered by their number of followers (the baseline).
    """

    worst: float
    top: float
    followers_top: float


def score_ranks(ranks: Floats64, reference: Floats64, graph: Graph, *, n: int = 100) -> RankScore:
    """Compares ranks (vertices,) with a double-precision reference (vertices,)."""
    first = set(top(reference, n).tolist())
    followers = np.diff(graph.starts).astype(np.float64)
    return RankScore(
        worst=float(np.max(np.abs(ranks - reference) / reference, initial=0.0)),
        top=len(first & set(top(ranks, n).tolist())) / max(len(first), 1),
        followers_top=len(first & set(top(followers, n).tolist())) / max(len(first), 1),
    )


def top(ranks: Floats64, n: int) -> Ints64:
    """Numbers of the `n` highest ranks, best first; equal ranks in the order of their numbers.

    Args:
        ranks: (v,) of each vertex.
        n: at most; int64 (min(n, v),) comes back.

    >>> top(np.array([0.2, 0.5, 0.2, 0.1]), 3).tolist()
    [1, 0, 2]
    """
    return np.argsort(-ranks, kind="stable")[:n]


def positions(ranks: Floats64) -> Ints64:
    """1 for the highest rank, and so on, int64 (vertices,); equal ranks share the better place.

    >>> positions(np.array([0.2, 0.5, 0.2, 0.1])).tolist()
    [2, 1, 2, 4]
    """
    ordered = np.sort(-ranks)
    return np.searchsorted(ordered, -ranks, side="left") + 1
