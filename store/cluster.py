"""Builds the driver's `Cluster` from the settings: hosts, policies, time-outs, login."""

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from cassandra import AuthenticationFailed, ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.connection import Connection, ConnectionException
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.pool import Host
from cassandra.protocol import IsBootstrappingErrorMessage
from cassandra.query import BatchStatement, BoundStatement, Statement

from schemas.config import Cassandra
from store.reactor import LoopThread, connection_class_for
from store.rows import named_rows

IDLE_HEARTBEAT_S = 5.0
"""How often a connection to a node of a cluster that has said nothing meanwhile is tried."""


class RetryUnconditional(RetryPolicy):
    """The driver's policy, except that a conditional write is not sent to a second host.

    The first host may have applied it before it failed. The second would answer that the condition
    does not hold, as if somebody else had won.
    """

    def on_request_error(  # pyrefly: ignore[bad-override] typed by its one answer
        self, query: Statement | None, consistency: int, error: Exception, retry_num: int
    ) -> tuple[int, int | None]:
        """Try the next host, or report the error; `query` is None while a statement is prepared."""
        conditional = isinstance(query, BoundStatement | BatchStatement) and not query.is_idempotent
        refused = isinstance(error, IsBootstrappingErrorMessage)  # and nothing done
        if conditional and not refused:
            return self.RETHROW, None
        return super().on_request_error(query, consistency, error, retry_num)


class PersistentCluster(Cluster):
    """The driver's cluster, except that a node that refuses the login is tried again.

    The driver gives it up until the process ends. But a node that cannot read `system_auth`, as
    while other nodes start, answers as it does to a wrong password.
    """

    def _make_connection_factory(
        self, host: Host, *args: Any, **kwargs: Any
    ) -> partial[Connection]:
        """What the driver calls to reach a node again that was down."""
        connect = super()._make_connection_factory(host, *args, **kwargs)
        return partial(_reconnected, connect, host)


def _reconnected(connect: Callable[[], Connection], host: Host) -> Connection:
    """A new connection; a refused login is reported as a node that cannot be reached now."""
    try:
        return connect()
    except AuthenticationFailed as problem:
        raise ConnectionException(str(problem), host.endpoint) from problem


def cluster_of(
    settings: Cassandra, credentials: tuple[str, str] | None, loop_thread: LoopThread | None
) -> Cluster:
    """The driver's cluster; nothing is connected yet.

    Args:
        settings: hosts, port, data centre, consistency, TLS.
        credentials: name and password of a role; None without authentication.
        loop_thread: the event loop that sends all requests, None for the driver's own thread.
    """
    # Schema and token metadata tell which node holds a row. A single node holds every row: there,
    # reading the metadata made a connection cost 0.3 s instead of 0.04 s, again for every client
    # after each new table, and looking it up took a tenth of each request.
    multiple_nodes = not settings.own_node
    local_dc_policy = DCAwareRoundRobinPolicy(settings.local_dc)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(local_dc_policy)
        if multiple_nodes
        else local_dc_policy,
        consistency_level=getattr(ConsistencyLevel, settings.consistency),
        # of conditional writes: those of two data centres must not both win where all are asked
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL
        if settings.consistency.startswith("LOCAL_")
        else ConsistencyLevel.SERIAL,
        retry_policy=RetryUnconditional(),
        request_timeout=settings.request_timeout_s,
        row_factory=named_rows,
    )
    return PersistentCluster(
        settings.hosts,
        port=settings.port,
        protocol_version=5,
        # The driver's own policy waits up to ten minutes: a node is back in five seconds. Without
        # an end: after the driver's 64 attempts, two minutes, a node would be gone for good.
        reconnection_policy=ExponentialReconnectionPolicy(0.5, 2.0, max_attempts=None),
        **(_heartbeats(settings) if multiple_nodes else _patience(settings)),
        connection_class=connection_class_for(loop_thread)
        if loop_thread
        else Cluster.connection_class,
        compression=False,  # negotiated silently where lz4 is there; sample bytes are dense
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        ssl_context=ssl.create_default_context(cafile=settings.tls_ca) if settings.tls_ca else None,
        auth_provider=PlainTextAuthProvider(*credentials) if credentials else None,
        schema_metadata_enabled=multiple_nodes,
        token_metadata_enabled=multiple_nodes,
    )


def _heartbeats(settings: Cassandra) -> dict[str, float]:
    """When a node counts as vanished: switched off, or cut from the network without a word.

    The driver's 30 s and 30 s leave it up to 90 s in which each request to it fails. Here it is
    20 s at most. One that pauses is cut off only when a request would have failed as well. The
    embedded node, on this machine, cannot vanish.
    """
    return {
        "idle_heartbeat_interval": IDLE_HEARTBEAT_S,
        "idle_heartbeat_timeout": settings.request_timeout_s,
    }


def _patience(settings: Cassandra) -> dict[str, float]:
    """How long the only node is waited for: when busy it pauses for longer than the driver's 2 s.

    Of several nodes one that does not answer in the driver's time is passed over for the next.
    """
    return {
        "connect_timeout": settings.request_timeout_s,
        "control_connection_timeout": settings.request_timeout_s,
    }
