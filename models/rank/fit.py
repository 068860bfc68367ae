"""PageRank by pull iteration, to a tolerance that is guaranteed."""

import numpy as np

from models.arrays import Ints32, Ints64
from models.numba_threads import at_most_threads
from models.rank.kernel import compiled_pull
from models.rank.model import DEFAULT_SETTINGS, Graph, Ranks, RankSettings
from schemas.errors import BadInput

BLOCKS = 256  # pieces of work of equal edges: enough for threads to even out


def make_graph(sources: Ints32, targets: Ints32, vertices: int) -> Graph:
    """The graph of an edge list.

    Args:
        sources: int32 (edges,): who follows, 0 ≤ number < vertices.
        targets: int32 (edges,): who is followed.
        vertices: how many vertices, isolated ones included.

    Raises:
        BadInput: an edge names a vertex that is not there.

    >>> graph = make_graph(np.array([1, 2], np.int32), np.array([0, 0], np.int32), 3)
    >>> graph.starts.tolist(), graph.sources.tolist(), graph.out_degree.tolist()
    ([0, 2, 2, 2], [1, 2], [0, 1, 1])
    """
    if len(sources) != len(targets):
        raise BadInput(f"{len(sources)} sources for {len(targets)} targets")
    for side in (sources, targets):
        if len(side) and (side.min() < 0 or side.max() >= vertices):
            raise BadInput(f"an edge names a vertex outside of 0 to {vertices - 1}")
    edges = targets * np.int64(vertices) + sources  # one number each: by target, then by source
    edges.sort()
    starts = np.zeros(vertices + 1, np.int64)
    np.cumsum(np.bincount(targets, minlength=vertices), out=starts[1:])
    out_degree = np.bincount(sources, minlength=vertices).astype(np.int32)
    return Graph(starts, (edges % vertices).astype(np.int32), out_degree)


def pagerank(
    graph: Graph, settings: RankSettings = DEFAULT_SETTINGS, *, iterations: int | None = None
) -> Ranks:
    """Ranks of all vertices.

    With the change δ of one step in the sum of absolute values, the fixed point lies within
    d / (1 − d) · δ in the same norm, because one step shrinks differences by d. No rank is less
    than the base (1 − d, or (1 − d) / n), so δ · d / (1 − d) ≤ tolerance · base makes every single
    rank right to `tolerance` of itself.

    Args:
        graph: who follows whom; an edge hands rank from the follower to the followed.
        settings: see `RankSettings`.
        iterations: exactly so many steps instead of the tolerance (LDBC Graphalytics asks for it).
    """
    if not graph.vertices:
        return Ranks(np.zeros(0), 0, True)
    damping, n = settings.damping, graph.vertices
    spread = settings.convention == "sum-one"
    floor = (1 - damping) / n if spread else 1 - damping
    rank = np.full(n, 1 / n if spread else 1.0)
    dangling = np.flatnonzero(graph.out_degree == 0)
    inverse = 1.0 / np.maximum(graph.out_degree, 1)
    inverse[dangling] = 0.0
    blocks = _blocks(graph.starts)
    next_rank = np.empty(n)
    pull = compiled_pull()
    limit = settings.tolerance * floor * (1 - damping) / damping
    for step in range(1, (iterations or settings.max_iterations) + 1):
        base = floor + damping * float(rank[dangling].sum()) / n if spread else floor
        share = rank * inverse
        with at_most_threads(settings.threads):
            pull(graph.starts, graph.sources, share, base, damping, blocks, next_rank)
        change = float(np.abs(next_rank - rank).sum()) if iterations is None else np.inf
        rank, next_rank = next_rank, rank
        if change <= limit:
            return Ranks(rank, step, True)
    return Ranks(rank, iterations or settings.max_iterations, iterations is not None)


def _blocks(starts: Ints64) -> Ints64:
    """Borders between vertices that cut vertices plus edges into about equal pieces."""
    work = starts + np.arange(len(starts))
    borders = np.searchsorted(work, np.linspace(0, work[-1], BLOCKS + 1))
    borders[0], borders[-1] = 0, len(starts) - 1
    return borders.astype(np.int64)
