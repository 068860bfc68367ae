"""Whether acknowledged writes survive a crash: the running node's setting, and what is refused."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.config import Cassandra
from schemas.errors import NotDurable
from store.database import Database
from store.durability import Durability, durability_of


def test_running_node_is_durable(database: Database, keyspace: Cassandra) -> None:
    found = durability_of(database, keyspace)
    assert found == Durability("group", 1)
    found.require()


class _Nodes:
    """A session on several nodes, each with its own setting."""

    def __init__(self, settings: Sequence[str]) -> None:
        self.settings = settings

    def get_pools(self) -> list[Any]:
        return [SimpleNamespace(host=n) for n in range(len(self.settings))]

    def execute(self, _: str, host: int | None = None) -> list[Any]:
        return [SimpleNamespace(value=self.settings[host or 0])]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (["group", "periodic", "batch"], "periodic"),
        (["periodic", "group"], "periodic"),
        (["group", "batch"], "group"),
    ],
)
def test_one_node_of_several_that_may_lose_writes_decides(settings: list[str], found: str) -> None:
    database = Database(cast("Any", None), cast("Any", _Nodes(settings)))
    assert durability_of(database, Cassandra()) == Durability(found, 1)


@pytest.mark.parametrize("commitlog_sync", ["periodic", "unknown"])
def test_one_copy_that_a_crash_may_lose_is_refused(commitlog_sync: str) -> None:
    with pytest.raises(NotDurable, match=f"sync: {commitlog_sync} .* lose acknowledged writes"):
        Durability(commitlog_sync, replication=1).require()


def test_periodic_sync_is_accepted_with_three_replicas() -> None:
    Durability("periodic", replication=3).require()
