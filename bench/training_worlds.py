"""Keyspaces full of simulated users, each trained once: a retrain would find windows again."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from bench.training_data import Crowd, poison, put, settle
from ingest.importers.spar import read_spar
from muvr.context import CommandContext
from schemas.config import Config
from store.connection import connect
from store.database import Database
from store.migrate import migrate
from store.node.process import EmbeddedNode

T = TypeVar("T")
USERS = int(os.environ.get("MUVR_BENCH_USERS", "1000"))
TENTH = max(USERS // 10, 4)
CHANGED = 0.1
POISONED = 1  # the number of a user who does not change
SPLIT_MB = 8  # small splits: two cores finish together


@dataclass(frozen=True, slots=True)
class TrainedKeyspace:
    """A keyspace with users in it."""

    config: Config
    crowd: Crowd

    def database(self) -> Database:
        """A connection; close it."""
        return connect(self.config.cassandra, keyspace=self.config.cassandra.keyspace)

    def ask(self, question: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """One answer from the keyspace."""
        database = self.database()
        try:
            return asyncio.run(question(database))
        finally:
            database.close()


def worlds_of(
    context: CommandContext, config: Config, node: EmbeddedNode
) -> dict[str, TrainedKeyspace]:
    """Load every keyspace through the store, and let the node write it to disk."""
    recordings = read_spar(context.config.paths.datasets)
    small = dict.fromkeys(("cold", "small", "peer_cold"), TENTH)
    sizes = {**small, "peer": 2 * TENTH, "large": USERS}
    spark = config.spark.model_copy(update={"split_mb": SPLIT_MB})
    worlds: dict[str, TrainedKeyspace] = {}
    for seed, (name, size) in enumerate(sizes.items()):
        cassandra = config.cassandra.model_copy(update={"keyspace": f"bench_{name}"})
        migrate(cassandra)
        own = config.model_copy(update={"cassandra": cassandra, "spark": spark})
        worlds[name] = TrainedKeyspace(own, Crowd(recordings, size, seed, datetime.now(UTC)))
        database = worlds[name].database()
        settle(database, worlds[name].crowd, changing(USERS) if name == "large" else ())
        if name == "large":
            poison(database, worlds[name].crowd, POISONED)
        database.close()
    node.stop()  # a node that ends writes everything to disk; what is read is then really read
    node.start(context.terminal)
    _await_estimates(worlds["large"])
    return worlds


def changing(users: int) -> list[int]:
    """The users who train again before the last run."""
    return list(range(0, users, round(1 / CHANGED)))


def _await_estimates(world: TrainedKeyspace, within_s: float = 90) -> None:
    """Wait until Cassandra has estimated the sizes of the tables, by which Spark splits them.

    It estimates every half minute.
    """
    database = world.database()
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        rows = database.execute(
            "SELECT partitions_count FROM system.size_estimates "
            "WHERE keyspace_name = ? AND table_name = 'labelled_sets'",
            (world.config.cassandra.keyspace,),
        )
        if sum(row.partitions_count for row in rows) > world.crowd.size / 2:
            break
        time.sleep(1)
    database.close()


def train_again(world: TrainedKeyspace) -> None:
    """Store the sets that were held back: a tenth of the users have changed."""
    database = world.database()

    async def arrive() -> None:
        """Store the newest set of each of the seven exercises, user after user."""
        for number in changing(world.crowd.size):
            await put(database, world.crowd.user_id(number), world.crowd.sets(number)[-7:])

    asyncio.run(arrive())
    database.close()
