"""A directed graph by its incoming edges, and what PageRank should do with it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.arrays import Floats64, Ints32, Ints64
from schemas.errors import BadInput

Convention = Literal["sum-one", "graphx"]


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices 0 ... n − 1 with the sources of their incoming edges (compressed sparse rows).

    Attributes:
        starts: int64 (n + 1,); the sources of vertex v are sources[starts[v] : starts[v + 1]].
        sources: int32 (edges,), ascending within a vertex; a repeated edge counts twice.
        out_degree: int32 (n,).
    """

    starts: Ints64
    sources: Ints32
    out_degree: Ints32

    @property
    def vertices(self) -> int:
        """How many vertices there are."""
        return len(self.out_degree)


@dataclass(frozen=True, slots=True)
class RankSettings:
    """How PageRank is computed.

    Attributes:
        damping: probability of following an edge.
        tolerance: every rank is within this of its true value, relative to it.
        max_iterations: ends the iteration in any case.
        convention: `sum-one` (LDBC Graphalytics): ranks sum to 1; the rank of a dangling vertex,
            one that follows nobody, is spread over all. `graphx`: rank = 1 − d + d · Σ rank/degree
            without any scaling; what a dangling vertex holds is lost.
        threads: of the fast kernel.
    """

    damping: float = 0.85
    tolerance: float = 1e-4
    max_iterations: int = 500
    convention: Convention = "sum-one"
    threads: int = 1


DEFAULT_SETTINGS = RankSettings()


@dataclass(frozen=True, slots=True)
class Ranks:
    """Ranks float64 (n,), the iterations taken, and whether the tolerance was reached."""

    values: Floats64
    iterations: int
    converged: bool


def index_edges(
    followers: ArrayLike, followees: ArrayLike, people: ArrayLike = ()
) -> tuple[NDArray[np.generic], Ints32, Ints32]:
    """Numbers the ids of an edge list.

    Args:
        followers: ids (edges,): who follows.
        followees: ids (edges,): who is followed.
        people: ids of vertices that may have no edge at all: isolated ones are ranked too.

    Returns:
        (ids ascending, follower numbers, followee numbers).

    >>> ids, source, target = index_edges(["b", "c"], ["a", "a"], ["d"])
    >>> ids.tolist(), source.tolist(), target.tolist()
    (['a', 'b', 'c', 'd'], [1, 2], [0, 0])
    """
    left, right, more = np.asarray(followers), np.asarray(followees), np.asarray(people)
    if len(left) != len(right):
        raise BadInput(f"{len(left)} followers for {len(right)} followees")
    parts = [part for part in (left, right, more) if len(part)]
    if not parts:
        return np.array([], np.str_), np.array([], np.int32), np.array([], np.int32)
    ids, code = np.unique(np.concatenate(parts), return_inverse=True)
    number = code.astype(np.int32)
    return ids, number[: len(left)], number[len(left) : 2 * len(left)]


def positions(ranks: Floats64) -> Ints64:
    """1 for the highest rank, and so on, int64 (vertices,); equal ranks share the better place.

    >>> positions(np.array([0.2, 0.5, 0.2, 0.1])).tolist()
    [2, 1, 2, 4]
    """
    ordered = np.sort(-ranks)
    return np.searchsorted(ordered, -ranks, side="left") + 1
