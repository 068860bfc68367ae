"""PageRank as it reads: dense, in plain numpy. The fast kernel is tested against it."""

import numpy as np

from models.arrays import Floats64, Ints32
from models.rank.model import Convention


def pagerank_exact(
    sources: Ints32,
    targets: Ints32,
    vertices: int,
    *,
    damping: float = 0.85,
    convention: Convention = "sum-one",
) -> Floats64:
    """The fixed point itself, solved as a linear system; for some thousand vertices.

    Edges are sources and targets, (e,) each. Ranks are (vertices,), in `sum-one` shares of 1.

    With M[t, s] = edges from s to t / out-degree of s:

    - `graphx`: x = (1 − d) + d · M x
    - `sum-one`: x = (1 − d) / n + d · (M x + (rank held by dangling vertices) / n)

    GraphX's own example, six people (the dangling treatment differs, so the conventions do not
    agree up to scale in general):

    >>> sources = np.array([2, 4, 1, 6, 7, 7, 6, 3], np.int32) - 1
    >>> targets = np.array([1, 1, 2, 3, 3, 6, 7, 7], np.int32) - 1
    >>> pagerank_exact(sources, targets, 7, convention="graphx").round(6).tolist()
    [1.459459, 1.390541, 1.0, 0.15, 0.15, 0.701754, 1.298246]
    """
    weight = np.zeros((vertices, vertices))
    np.add.at(weight, (targets, sources), 1.0)
    degree = weight.sum(axis=0)
    follows = weight / np.where(degree > 0, degree, 1)
    if convention == "sum-one":
        follows[:, degree == 0] = 1 / vertices
    base = np.full(vertices, 1 - damping)
    if convention == "sum-one":
        base /= vertices
    return np.linalg.solve(np.eye(vertices) - damping * follows, base).astype(np.float64)
