"""The warning that logins depend on fewer nodes than rows do."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.config import Cassandra
from store.database import Database
from store.login_copies import login_warning

SIMPLE = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}
NETWORK = "org.apache.cassandra.locator.NetworkTopologyStrategy"
THREE = Cassandra(contact_points=("db1",), replication=3)


class _Cluster:
    """Nodes in data centres, as their system tables describe them."""

    def __init__(self, centres: list[str], replication: Mapping[str, str]) -> None:
        self.rows = {
            "system.local": [SimpleNamespace(data_center=centres[0])],
            "system.peers_v2": [SimpleNamespace(data_center=centre) for centre in centres[1:]],
            "system_schema.keyspaces": [SimpleNamespace(replication=replication)],
        }

    def execute(self, cql: str) -> list[Any]:
        return self.rows[cql.split(" FROM ")[1].split()[0]]


def warning(centres: list[str], replication: Mapping[str, str], settings: Cassandra) -> str:
    return login_warning(cast("Database", _Cluster(centres, replication)), settings)


def test_logins_with_one_copy_in_a_cluster_are_named_with_their_cure() -> None:
    said = warning(["datacenter1"] * 3, SIMPLE, THREE)
    assert (
        "datacenter1 keeps each login of a role (keyspace system_auth) 1 time, each row 3 times"
        in said
    )
    assert (
        "ALTER KEYSPACE system_auth WITH replication = "
        "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}; "
    ) in said
    assert said.endswith("nodetool repair --full system_auth")


def test_copies_in_other_data_centres_stay() -> None:
    kept = {"class": NETWORK, "datacenter1": "2", "north": "5"}
    said = warning(["datacenter1", "north", "south"], kept, THREE)
    assert "2 times, each row 3 times" in said
    assert "'datacenter1': 3, 'north': 5, 'south': 3}" in said


@pytest.mark.parametrize(
    ("centres", "replication", "settings"),
    [
        (["datacenter1"] * 3, {"class": NETWORK, "datacenter1": "3"}, THREE),
        (["datacenter1"] * 3, SIMPLE, Cassandra(contact_points=("db1",))),
        (["datacenter1"], SIMPLE, THREE),
    ],
    ids=["as many as of rows", "rows have one too", "one node"],
)
def test_enough_copies_are_no_warning(
    centres: list[str], replication: Mapping[str, str], settings: Cassandra
) -> None:
    assert warning(centres, replication, settings) == ""


def test_running_node_is_read(database: Database) -> None:
    assert login_warning(database, THREE) == ""
