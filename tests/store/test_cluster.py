"""What the driver is told: never to give a node up, and to notice soon that one is gone."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from cassandra import AuthenticationFailed, ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster
from cassandra.connection import DefaultEndPoint
from cassandra.policies import SimpleConvictionPolicy
from cassandra.pool import Host

from schemas.config import Cassandra
from store.cluster import cluster_of

Make = Callable[[Cassandra], Cluster]


@pytest.fixture
def made() -> Iterator[Make]:
    """Makes clusters that are never connected, and ends their threads."""
    clusters: list[Cluster] = []

    def make(settings: Cassandra) -> Cluster:
        clusters.append(cluster_of(settings, ("muvr_service", "secret"), None))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.shutdown()


def test_reconnecting_never_ends_and_waits_two_seconds_at_most(made: Make) -> None:
    policy = made(Cassandra()).reconnection_policy
    delays_s = list(islice(policy.new_schedule(), 5_000))  # past the largest power of two
    assert len(delays_s) == 5_000
    assert 0 < min(delays_s) <= max(delays_s) <= 2


class _Scheduler:
    """Runs what the driver's own would run later when the test asks for it."""

    def __init__(self) -> None:
        self.planned: list[Any] = []

    def schedule(self, delay_s: float, task: Any) -> None:
        self.planned.append(task)


def test_node_that_refuses_a_login_for_a_while_is_asked_again(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node whose copies of `system_auth` are down answers as if the password was wrong."""
    cluster, scheduler = made(Cassandra()), _Scheduler()
    host = Host(DefaultEndPoint("127.0.0.1"), SimpleConvictionPolicy)
    host.set_location_info("datacenter1", "rack1")
    up: list[Host] = []
    problems: list[Exception] = [AuthenticationFailed("no quorum"), AuthenticationFailed("again")]

    class Connection:
        """A login that works as soon as there are no more problems."""

        def close(self) -> None:
            pass

        @classmethod
        def factory(cls, *args: Any, **kwargs: Any) -> "Connection":
            if problems:
                raise problems.pop()
            return cls()

    monkeypatch.setattr(cluster, "connection_class", Connection)
    monkeypatch.setattr(cluster, "scheduler", scheduler)
    monkeypatch.setattr(cluster, "on_up", up.append)
    cluster._start_reconnector(host, is_host_addition=False)
    for _ in range(3):
        scheduler.planned.pop()()
    assert up == [host]


def test_vanished_node_of_a_cluster_is_noticed_within_seconds(made: Make) -> None:
    of_several = made(Cassandra(contact_points=("127.0.0.1",)))
    timings_s = of_several.idle_heartbeat_interval, of_several.idle_heartbeat_timeout
    assert timings_s == (5, Cassandra().request_timeout_s)
    own = made(Cassandra())
    assert own.idle_heartbeat_timeout == Cluster.idle_heartbeat_timeout, "a pause is no end"


@pytest.mark.parametrize(
    ("consistency", "serial"),
    [
        ("LOCAL_QUORUM", ConsistencyLevel.LOCAL_SERIAL),
        ("LOCAL_ONE", ConsistencyLevel.LOCAL_SERIAL),
        ("QUORUM", ConsistencyLevel.SERIAL),
        ("EACH_QUORUM", ConsistencyLevel.SERIAL),
    ],
)
def test_conditional_writes_agree_in_as_many_data_centres_as_others(
    consistency: str, serial: int, made: Make
) -> None:
    cluster = made(Cassandra(consistency=consistency))
    profile = cluster.profile_manager.profiles[EXEC_PROFILE_DEFAULT]
    assert profile.serial_consistency_level == serial


def test_connecting_to_the_only_node_waits_as_long_as_a_request(made: Make) -> None:
    alone = made(Cassandra(request_timeout_s=7.0))
    assert (alone.connect_timeout, alone.control_connection_timeout) == (7.0, 7.0)
    several = made(Cassandra(request_timeout_s=7.0, contact_points=("127.0.0.1", "127.0.0.2")))
    assert several.connect_timeout == 5  # then the next one is asked
