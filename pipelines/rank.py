"""Rank: who is followed by people whom many follow. PageRank over the follows."""

import numpy as np
from pyspark.sql import SparkSession

from models.rank.evaluate import positions
from models.rank.fit import make_graph, pagerank
from models.rank.model import RankSettings, index_edges
from pipelines.batch import BatchFamily, BatchResult
from pipelines.spark.tables import read_table
from schemas.config import Config
from schemas.errors import NotEnoughLabels


def learn_rank(spark: SparkSession, config: Config) -> BatchResult:
    """Edges come to the driver as pairs of ids; the kernel ranks faster than a cluster shuffles.

    A pair takes some 230 bytes until its ids are numbered: that bounds the follows, not the kernel.
    Where nobody follows anybody any more all ranks are alike; without that run the old ones would
    stay.

    Raises:
        NotEnoughLabels: nobody follows anybody, and there are no ranks of before.
    """
    keyspace = config.cassandra.keyspace
    follows = read_table(spark, keyspace, "follows").frame.select("user_id", "followee")
    edges = sorted((row[0], row[1]) for row in follows.toLocalIterator())
    if not edges and read_table(spark, keyspace, "ranks").frame.isEmpty():
        raise NotEnoughLabels("nobody follows anybody yet")
    users = read_table(spark, keyspace, "usernames").frame.select("user_id")
    people = sorted(row[0] for row in users.toLocalIterator())
    ids, sources, targets = index_edges(
        [one for one, _ in edges], [one for _, one in edges], people
    )
    settings = RankSettings(threads=config.spark.cores)
    ranks = pagerank(make_graph(sources, targets, len(ids)), settings)
    places = positions(ranks.values)
    rows = [
        (str(user), float(value), int(place))
        for user, value, place in zip(ids, ranks.values, places, strict=True)
    ]
    metrics = {"iterations": ranks.iterations, "tolerance": settings.tolerance}
    refused = "" if ranks.converged else f"no convergence in {ranks.iterations} iterations"
    if not np.isfinite(ranks.values).all():
        refused = "ranks that are not numbers"
    return BatchResult(rows, metrics, refused, {"follows": len(edges), "users": len(ids)})


RANK = BatchFamily(
    name="rank",
    table="ranks",
    columns="user_id string, rank double, position int",
    topics=("registered", "follows", "erased"),
    learn=learn_rank,
)
