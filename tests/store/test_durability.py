"""Whether acknowledged writes survive a crash: the running node's setting, and what is refused."""

import pytest

from schemas.config import Cassandra
from schemas.errors import NotDurable
from store.database import Database
from store.durability import Durability, durability_of


def test_running_node_is_durable(database: Database, keyspace: Cassandra) -> None:
    found = durability_of(database, keyspace)
    assert found == Durability("group", 1)
    found.require()


@pytest.mark.parametrize("commitlog_sync", ["periodic", "unknown"])
def test_one_copy_that_a_crash_may_lose_is_refused(commitlog_sync: str) -> None:
    with pytest.raises(NotDurable, match=f"sync: {commitlog_sync} .* lose acknowledged writes"):
        Durability(commitlog_sync, replication=1).require()


def test_periodic_sync_is_accepted_with_three_replicas() -> None:
    Durability("periodic", replication=3).require()
