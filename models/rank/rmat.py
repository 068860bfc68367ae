"""R-MAT graphs for benchmarks: Chakrabarti, Zhan & Faloutsos, SDM 2004; Graph500's numbers."""

import numpy as np

from models.arrays import Ints32

GRAPH500 = (0.57, 0.19, 0.19)  # of (source bit, target bit) = (0, 0), (0, 1), (1, 0)


def rmat_edges(
    scale: int,
    edges_a_vertex: int,
    seed: int,
    *,
    unique: bool = True,
) -> tuple[Ints32, Ints32]:
    """(sources, targets), int32 (edges,) each, of a graph with 2**scale vertices.

    Each of `scale` bits of both ends is drawn by the probabilities of `GRAPH500`.

    Args:
        scale: two to this power vertices.
        edges_a_vertex: edges drawn per vertex.
        seed: the same seed gives the same graph.
        unique: drop repeated edges and loops, as peers do; then fewer edges remain.

    >>> sources, targets = rmat_edges(4, 8, seed=1)
    >>> int(sources.max()) < 16, len(set(zip(sources.tolist(), targets.tolist()))) == len(sources)
    (True, True)
    """
    random = np.random.default_rng(seed)
    count = edges_a_vertex << scale
    a, b, c = GRAPH500
    sources, targets = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for _ in range(scale):
        draw = random.random(count, np.float32)
        low = draw >= a + b
        right = ((draw >= a) & (draw < a + b)) | (draw >= a + b + c)
        sources = sources << 1 | low
        targets = targets << 1 | right
    if unique:
        keys = (sources << scale | targets)[sources != targets]
        keys.sort()
        keys = keys[np.diff(keys, prepend=-1) > 0]
        sources, targets = keys >> scale, keys & ((1 << scale) - 1)
    return sources.astype(np.int32), targets.astype(np.int32)
