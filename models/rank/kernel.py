"""The loops of PageRank, compiled on first use: counting sort of edges, one pull step.

A pull step reads, for every vertex, the shares of its followers and writes one number: no two
threads write to the same place, so threads do not change the result by a bit.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from models.arrays import Floats64, Ints32, Ints64

PullStep = Callable[..., None]


@cache
def compiled_sort() -> Callable[..., Any]:
    """The sort of edges; compiling takes some seconds, once."""
    import numba

    return numba.njit(cache=True, nogil=True)(_sort_edges)


@cache
def compiled_pull() -> PullStep:
    """The pull step; compiling takes some seconds, once."""
    import numba

    flags = {"reassoc", "contract"}
    return numba.njit(cache=True, nogil=True, fastmath=flags, parallel=True)(_pull(numba.prange))


def _sort_edges(sources: Ints32, targets: Ints32, vertices: int) -> tuple[Ints64, Ints32, Ints32]:
    """Two counting sorts: by source, then stably by target: sources ascend within a target."""
    edges = len(sources)
    out_degree = np.zeros(vertices, np.int32)
    starts = np.zeros(vertices + 1, np.int64)
    for edge in range(edges):
        out_degree[sources[edge]] += 1
        starts[targets[edge] + 1] += 1
    place = np.zeros(vertices + 1, np.int64)
    for vertex in range(vertices):
        starts[vertex + 1] += starts[vertex]
        place[vertex + 1] = place[vertex] + out_degree[vertex]
    by_source = np.empty(edges, np.int32)
    for edge in range(edges):
        by_source[place[sources[edge]]] = targets[edge]
        place[sources[edge]] += 1
    fill = starts[:-1].copy()
    sorted_sources = np.empty(edges, np.int32)
    edge = 0
    for source in range(vertices):
        for _ in range(out_degree[source]):
            target = by_source[edge]
            sorted_sources[fill[target]] = source
            fill[target] += 1
            edge += 1
    return starts, sorted_sources, out_degree


def _pull(prange: Callable[[int], Any]) -> PullStep:
    def pull(
        starts: Ints64,
        sources: Ints32,
        share: Floats64,
        base: float,
        damping: float,
        blocks: Ints64,
        rank: Floats64,
    ) -> None:
        """rank[v] = base + damping · Σ share[sources of v]; blocks hold about equal edges."""
        for block in prange(len(blocks) - 1):
            for vertex in range(blocks[block], blocks[block + 1]):
                total = 0.0
                for edge in range(starts[vertex], starts[vertex + 1]):
                    total += share[sources[edge]]
                rank[vertex] = base + damping * total

    return pull
