"""Keyspaces of simulated users, one per kind of run, as a retrain would reuse stored windows."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from bench.training_data import SimulatedUsers, corrupt_newest_set, done_at, load_users, put
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
    users: SimulatedUsers

    @contextmanager
    def database(self) -> Generator[Database]:
        """A connection, closed when the block ends."""
        cassandra = self.config.cassandra
        with closing(connect(cassandra, keyspace=cassandra.keyspace)) as database:
            yield database

    def ask(self, question: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """One answer from the keyspace."""
        with self.database() as database:
            return asyncio.run(question(database))


def load_keyspaces(
    context: CommandContext, config: Config, node: EmbeddedNode
) -> dict[str, TrainedKeyspace]:
    """Load every keyspace through the store, and let the node write it to disk."""
    recordings = read_spar(context.config.paths.datasets)
    small = dict.fromkeys(("cold", "small", "peer_cold"), TENTH)
    sizes = {**small, "peer": 2 * TENTH, "large": USERS}
    spark = config.spark.model_copy(update={"split_mb": SPLIT_MB})
    keyspaces: dict[str, TrainedKeyspace] = {}
    for seed, (name, size) in enumerate(sizes.items()):
        cassandra = config.cassandra.model_copy(update={"keyspace": f"bench_{name}"})
        migrate(cassandra)
        own = config.model_copy(update={"cassandra": cassandra, "spark": spark})
        keyspaces[name] = TrainedKeyspace(
            own, SimulatedUsers(recordings, size, seed, datetime.now(UTC))
        )
        with keyspaces[name].database() as database:
            load_users(database, keyspaces[name].users, changing(USERS) if name == "large" else ())
            if name == "large":
                corrupt_newest_set(database, keyspaces[name].users, POISONED)
    node.stop()  # a node that ends writes everything to disk; what is read is then really read
    node.start(context.terminal)
    _await_estimates(keyspaces["large"])
    return keyspaces


def changing(users: int) -> list[int]:
    """The users who train again before the last run."""
    return list(range(0, users, round(1 / CHANGED)))


def _await_estimates(keyspace: TrainedKeyspace) -> None:
    """Wait until Cassandra has estimated the sizes of the tables, by which Spark splits them.

    It estimates every half minute; after 90 s the wait is given up.
    """
    until = time.monotonic() + 90
    with keyspace.database() as database:
        while time.monotonic() < until:
            rows = database.execute(
                "SELECT partitions_count FROM system.size_estimates "
                "WHERE keyspace_name = ? AND table_name = 'labelled_sets'",
                (keyspace.config.cassandra.keyspace,),
            )
            if sum(row.partitions_count for row in rows) > keyspace.users.size / 2:
                break
            time.sleep(1)


def train_again(keyspace: TrainedKeyspace) -> None:
    """Store the sets that were held back, done now: a tenth of the users have changed.

    They are later than the global model that serves: only such sets judge users who are in it.
    """
    now = datetime.now(UTC)

    async def arrive(database: Database) -> None:
        """Store the newest set of each of the seven exercises, user after user."""
        for number in changing(keyspace.users.size):
            newest = keyspace.users.sets(number)[-7:]
            await put(database, keyspace.users.user_id(number), done_at(newest, now))

    keyspace.ask(arrive)
