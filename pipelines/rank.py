"""Rank: PageRank over the follows."""

from datetime import datetime

import numpy as np
from pyspark.sql import SparkSession

from models.rank.fit import make_graph, pagerank
from models.rank.model import RankSettings, index_edges, positions
from pipelines.batch.family import BatchFamily, BatchResult
from pipelines.spark.tables import read_table
from schemas.config import Config
from schemas.errors import NotEnoughLabels
from schemas.topics import ERASURES, FOLLOWS, REGISTERED


def learn_rank(spark: SparkSession, config: Config, _now: datetime) -> BatchResult:
    """Rank all users on the driver: the kernel is faster than a shuffle on a cluster.

    An edge takes some 230 bytes until its ids are indexed: that bounds the number of follows, not
    the kernel. When the last follow has ended all ranks are equal; without such a run the old ranks
    would stay.

    Raises:
        NotEnoughLabels: nobody follows anybody, and there are no earlier ranks.
    """
    keyspace = config.cassandra.keyspace
    follows = read_table(spark, keyspace, "follows").frame.select("user_id", "followee")
    edges = sorted((row[0], row[1]) for row in follows.toLocalIterator())
    if not edges and read_table(spark, keyspace, "ranks").frame.isEmpty():
        raise NotEnoughLabels("nobody follows anybody yet")
    users = read_table(spark, keyspace, "usernames").frame.select("user_id")
    user_ids = sorted(row[0] for row in users.toLocalIterator())
    followers, followees = [edge[0] for edge in edges], [edge[1] for edge in edges]
    ids, sources, targets = index_edges(followers, followees, user_ids)
    settings = RankSettings(threads=config.spark.cores)
    ranks = pagerank(make_graph(sources, targets, len(ids)), settings)
    rows = [
        (str(user), float(value), int(position))
        for user, value, position in zip(ids, ranks.values, positions(ranks.values), strict=True)
    ]
    metrics = {"iterations": ranks.iterations, "tolerance": settings.tolerance}
    refusal = "" if ranks.converged else f"no convergence in {ranks.iterations} iterations"
    if not np.isfinite(ranks.values).all():
        refusal = "ranks that are not numbers"
    return BatchResult(rows, metrics, refusal, {"follows": len(edges), "users": len(ids)})


RANK = BatchFamily(
    name="rank",
    table="ranks",
    columns="user_id string, rank double, position int",
    topics=(REGISTERED, FOLLOWS, *ERASURES),
    learn=learn_rank,
)
