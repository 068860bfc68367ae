"""The peer: what a service without chunks does, a row per sample, straight into the node."""

import os
import time
from collections import deque
from collections.abc import Iterator

import numpy as np
from cassandra.cluster import Cluster, ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType

from bench.deployment import Deployment
from schemas.ids import uuid7

KEYSPACE = "bench_rows"
BATCH = 128
UNDER_WAY = 32
TABLE = """
CREATE TABLE IF NOT EXISTS samples (
    user_id uuid, session_id uuid, stream text, part int, t_ns bigint,
    x smallint, y smallint, z smallint,
    PRIMARY KEY ((user_id, session_id, stream, part), t_ns))
"""
INSERT = (
    "INSERT INTO samples (user_id, session_id, stream, part, t_ns, x, y, z) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def rows_per_s(deployment: Deployment, seconds: float) -> float:
    """Samples a second that the node acknowledges as rows; no HTTP before it, no checks.

    That flatters the peer: it is the driver's and the node's speed alone.
    """
    settings = deployment.config.cassandra
    cluster = Cluster(["127.0.0.1"], port=settings.port, protocol_version=5, compression=False)
    try:
        return _write(_session(cluster), seconds)
    finally:
        cluster.shutdown()


def _session(cluster: Cluster) -> Session:
    session = cluster.connect()
    session.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = "
        "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
    )
    session.set_keyspace(KEYSPACE)
    session.execute(TABLE)
    return session


def _write(session: Session, seconds: float) -> float:
    """Keep a number of batches under way; count those that were acknowledged."""
    under_way: deque[ResponseFuture] = deque()
    began, written = time.perf_counter(), 0
    for batch in _batches(session):
        under_way.append(session.execute_async(batch))
        if len(under_way) < UNDER_WAY:
            continue
        under_way.popleft().result()
        written += BATCH
        if time.perf_counter() - began > seconds:
            break
    took_s = time.perf_counter() - began
    for rest in under_way:
        rest.result()
    return written / took_s


def _batches(session: Session) -> Iterator[BatchStatement]:
    """Batches of one partition each, as a careful writer makes them."""
    insert = session.prepare(INSERT)
    person = uuid7(int(time.time() * 1000), os.urandom(10))
    counts = np.random.default_rng(1).integers(-8000, 8000, size=(BATCH, 3)).tolist()
    part = 0
    while True:
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for i, xyz in enumerate(counts):
            batch.add(insert, (person, person, "acc", part, part * BATCH + i, *xyz))
        part += 1
        yield batch
