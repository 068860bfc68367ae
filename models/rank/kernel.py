"""The loop of PageRank, compiled on first use: one pull step.

It reads, for every vertex, the shares of its followers and writes one number: no two
threads write to the same place, so threads do not change the result by a bit.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from models.arrays import Floats64, Ints32, Ints64

PullStep = Callable[..., None]


@cache
def compiled_pull() -> PullStep:
    """The pull step; compiling takes some seconds, once."""
    import numba

    flags = {"reassoc", "contract"}
    return numba.njit(cache=True, nogil=True, fastmath=flags, parallel=True)(_pull(numba.prange))


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
