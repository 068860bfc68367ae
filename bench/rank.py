"""PageRank: edges a second of the kernel beside networkit and GraphX, on one R-MAT graph.

Twenty iterations each, on the same cores. Building the graph is not counted for anybody: a graph is
built once, ranks are computed until they settle. All three lose what dangling vertices hold, as
GraphX does.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkit
import numpy as np
from numpy.typing import NDArray

from bench.best_of import REPEATS, best_of
from models.rank.fit import make_graph, pagerank
from models.rank.model import RankSettings
from models.rank.rmat import rmat_edges
from muvr.context import CommandContext
from pipelines.spark.session import spark_session
from schemas.config import Config
from schemas.errors import IncompleteRun
from schemas.report import Figure

SCALE, EDGES_A_VERTEX, SEED = 20, 16, 1
GRAPHX_SCALE = 16  # GraphX holds an edge in some 100 bytes, and a driver has 2 GB
ITERATIONS = 20
DAMPING = RankSettings().damping
AGREE = 1e-3  # the peers stop after as many steps: their ranks must be ours
Edges = tuple[NDArray[np.int32], NDArray[np.int32]]


def run(
    context: CommandContext, *, scale: int = SCALE, graphx_scale: int = GRAPHX_SCALE
) -> list[Figure]:
    """The kernel beside networkit on a large graph, and beside GraphX on a smaller one."""
    with context.terminal as terminal:
        terminal.step("R-MAT graphs", 0, 2)
        large, small = (rmat_edges(size, EDGES_A_VERTEX, SEED) for size in (scale, graphx_scale))
        terminal.step("R-MAT graphs", 2, 2)
        cores = context.config.spark.cores
        ours, ranks = kernel_rate(large, scale, cores)
        terminal.step("networkit", 0, 1)
        theirs, others = networkit_rate(large, scale, cores)
        _require_alike(ranks, others)
        terminal.step("GraphX", 0, 1)
        small_rate, _ = kernel_rate(small, graphx_scale, cores)
        graphx = graphx_rate(context.config, small)
    figure = Figure(
        "edges_per_s",
        ours,
        "edges/s",
        peer="networkit, same graph, cores and iterations",
        peer_value=theirs,
        floor=theirs,
        data=f"R-MAT scale {scale}, {len(large[0]):,} edges",
        protocol=f"{ITERATIONS} iterations, best of {REPEATS}, {cores} threads, graph in memory",
    )
    beside_graphx = replace(
        figure,
        name="edges_per_s_graphx",
        value=small_rate,
        peer="GraphX, same graph, cores and iterations",
        peer_value=graphx,
        floor=None,
        data=f"R-MAT scale {graphx_scale}, {len(small[0]):,} edges",
    )
    return [figure, beside_graphx]


def kernel_rate(edges: Edges, scale: int, threads: int) -> tuple[float, NDArray[np.float64]]:
    """(edges a second, ranks) of `models.rank`; compiling is not counted."""
    graph, settings = (
        make_graph(*edges, 1 << scale),
        RankSettings(convention="graphx", threads=threads),
    )
    pagerank(graph, settings, iterations=1)
    seconds = best_of(lambda: pagerank(graph, settings, iterations=ITERATIONS))
    ranks = pagerank(graph, settings, iterations=ITERATIONS).values
    return ITERATIONS * len(edges[0]) / seconds, ranks


def networkit_rate(edges: Edges, scale: int, threads: int) -> tuple[float, NDArray[np.float64]]:
    """(edges a second, ranks that sum to 1) of networkit."""
    networkit.setNumberOfThreads(threads)
    # uint64: other integers are converted edge by edge, in Python
    sources, targets = (side.astype(np.uint64) for side in edges)
    graph = networkit.GraphFromCoo((sources, targets), n=1 << scale, directed=True)

    def rank() -> Any:
        """Rank once; the peer has its scores then."""
        peer = networkit.centrality.PageRank(graph, DAMPING, 1e-30)
        peer.maxIterations = ITERATIONS
        return peer.run()

    seconds = best_of(rank)
    done = rank()
    scores = np.array(done.scores())
    return done.numberOfIterations() * len(edges[0]) / seconds, scores


def graphx_rate(config: Config, edges: Edges) -> float:
    """Edges a second of GraphX, called through the gateway of PySpark."""
    context: Any = spark_session(config).sparkContext
    jvm = context._jvm  # the gateway has no public name
    level = jvm.org.apache.spark.storage.StorageLevel.MEMORY_ONLY()
    tag = getattr(jvm.scala.reflect, "ClassTag$")
    number = getattr(tag, "MODULE$").Int()
    config.paths.reports.mkdir(parents=True, exist_ok=True)  # in a fresh clone nobody made it yet
    with tempfile.TemporaryDirectory(dir=config.paths.reports) as folder:
        path = Path(folder) / "edges.txt"
        np.savetxt(path, np.column_stack(edges), fmt="%d")
        graph = jvm.org.apache.spark.graphx.GraphLoader.edgeListFile(
            context._jsc.sc(),
            f"file://{path}",
            False,
            config.spark.cores,
            level,
            level,
        )
        graph.edges().count()
        graph.vertices().count()
        peer = jvm.org.apache.spark.graphx.lib.PageRank
        seconds = best_of(
            lambda: peer.run(graph, ITERATIONS, 1 - DAMPING, number, number), repeats=2
        )
    return ITERATIONS * len(edges[0]) / seconds


def _require_alike(ranks: NDArray[np.float64], others: NDArray[np.float64]) -> None:
    """Refuse to compare the speed of different answers.

    Raises:
        IncompleteRun: the peer's ranks are not ours.
    """
    shares, peers = ranks / ranks.sum(), others / others.sum()
    worst = float(np.abs(shares / peers - 1).max())
    if worst > AGREE:
        raise IncompleteRun(f"the peer's ranks differ from ours by up to {worst:.2%}")
