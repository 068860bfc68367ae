"""The peer of `bench.ingest`: a service without chunks, which writes a row for each sample."""

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from cassandra.cluster import Cluster, ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from examples.client import new_id
from muvr.deployment import Deployment

KEYSPACE = "bench_rows"
BATCH_ROWS = 128
BATCHES_UNDER_WAY = 32
WARM_UP_S = 10.0
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


Batches = Callable[[PreparedStatement, Sequence[Sequence[int]]], Iterator[BatchStatement]]


class RowwiseRates(NamedTuple):
    """What the peer wrote.

    Attributes:
        per_s: rows a second that the node acknowledged.
        client_share: CPU of the writing process, of the seconds that it took: near 1 it is the
            client that is measured, not the node.
    """

    per_s: float
    client_share: float


def rows_per_s(deployment: Deployment, made: Batches, seconds: float) -> RowwiseRates:
    """Samples a second that the node acknowledges as rows; no HTTP before it, no checks.

    One process writes, in Python as the service does. Its own path through the node is warmed up
    first.

    Args:
        deployment: whose node it is.
        made: `packed_batches`, which leaves the writer nothing to do but to send and to wait, or
            `bound_batches`, as the driver's users write.
        seconds: how long it is measured.
    """
    settings = deployment.config.cassandra
    cluster = Cluster(["127.0.0.1"], port=settings.port, protocol_version=5, compression=False)
    try:
        session = _session(cluster)
        insert = session.prepare(INSERT)
        counts = np.random.default_rng(1).integers(-8000, 8000, size=(BATCH_ROWS, 3)).tolist()
        _write(session, made(insert, counts), WARM_UP_S)
        return _write(session, made(insert, counts), seconds)
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


def _write(session: Session, made: Iterator[BatchStatement], seconds: float) -> RowwiseRates:
    """Keep a number of batches under way; count those that were acknowledged."""
    under_way: deque[ResponseFuture] = deque()
    began, began_cpu, written = time.perf_counter(), time.process_time(), 0
    for batch in made:
        under_way.append(session.execute_async(batch))
        if len(under_way) < BATCHES_UNDER_WAY:
            continue
        under_way.popleft().result()
        written += BATCH_ROWS
        if time.perf_counter() - began > seconds:
            break
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    for rest in under_way:
        rest.result()
    return RowwiseRates(written / took_s, cpu_s / took_s)


def packed_batches(
    insert: PreparedStatement, counts: Sequence[Sequence[int]]
) -> Iterator[BatchStatement]:
    """Batches of one partition each, as a careful writer makes them, for ever.

    All batches have the same rows, each in a partition of its own, so that only the partition has
    to be packed for each. Values are packed beforehand, as those of the service are.
    """
    person = new_id().bytes
    rows = [
        (struct.pack(">q", i), *(struct.pack(">h", value) for value in xyz))
        for i, xyz in enumerate(counts)
    ]
    for part in count():
        key = (person, person, b"acc", struct.pack(">i", part))
        batch: Any = BatchStatement(batch_type=BatchType.UNLOGGED)
        # What `batch.add` leaves there, whose binding of each row costs more than sending it.
        packed = [(True, insert.query_id, (*key, *row)) for row in rows]
        batch._statements_and_parameters = packed  # noqa: SLF001
        yield batch


def bound_batches(
    insert: PreparedStatement, counts: Sequence[Sequence[int]]
) -> Iterator[BatchStatement]:
    """The same rows, bound by the driver one by one, as its documentation shows."""
    person = new_id()
    for part in count():
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for i, xyz in enumerate(counts):
            batch.add(insert, (person, person, "acc", part, i, *xyz))
        yield batch
