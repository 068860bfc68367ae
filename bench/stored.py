"""What samples take on disk: real recordings in a keyspace of their own, flushed, files summed."""

import asyncio
import os
import time
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.deployment import Deployment
from bench.recorded import DATA, cut_pieces
from ingest.chunks import CBOR, canonical_body, decode_chunk
from ingest.rows import row_of
from schemas.config import Limits
from schemas.ids import uuid7
from schemas.report import Figure
from store.migrate import migrate
from store.samples import SampleRow, Samples

KEYSPACE = "bench_size"
SIZES = (512, 1024, 4096)
FLOORED = 1024


def stored_bytes(deployment: Deployment, counts: NDArray[np.int16], floor: float) -> list[Figure]:
    """Bytes per three-axis sample in the files of table `samples`, keys and indexes included.

    Stops the deployment's node: a node that ends flushes everything that it holds.
    """
    rows = {n: _rows(counts, n) for n in SIZES}
    folders = {n: f"{KEYSPACE}_{n}" for n in SIZES}
    for n, keyspace in folders.items():
        _keep(deployment, keyspace, rows[n])
    deployment.service.stop()
    deployment.node.stop()
    return [
        _figure(n, deployment, folders[n], rows[n], floor if n == FLOORED else None) for n in SIZES
    ]


def _rows(counts: NDArray[np.int16], n: int) -> list[SampleRow]:
    """What the service keeps of each chunk."""
    now_us = int(datetime.now(UTC).timestamp()) * 10**6
    bodies = (canonical_body(piece) for piece in cut_pieces(counts, n))
    limits = Limits()
    return [
        row_of(decode_chunk(body, CBOR, limits), seq, now_us) for seq, body in enumerate(bodies)
    ]


def _keep(deployment: Deployment, keyspace: str, rows: list[SampleRow]) -> None:
    migrate(deployment.config.cassandra.model_copy(update={"keyspace": keyspace}))
    database = deployment.database(keyspace)
    person: UUID = uuid7(int(time.time() * 1000), os.urandom(10))

    async def keep() -> None:
        samples = Samples(database)
        for row in rows:
            await samples.put(person, person, "acc", row)

    try:
        asyncio.run(keep())
    finally:
        database.close()


def _figure(
    n: int, deployment: Deployment, keyspace: str, rows: list[SampleRow], floor: float | None
) -> Figure:
    folder = deployment.config.paths.data / "data" / keyspace
    files = [path for path in folder.glob("samples-*/*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    samples = sum(row.n for row in rows)
    blobs = sum(len(row.xyz) for row in rows) / samples
    return Figure(
        "bytes_per_sample" if n == FLOORED else f"bytes_per_sample_{n}",
        total / samples,
        "B",
        floor=floor,
        ceiling=True,
        data=DATA,
        protocol=f"chunks of {n}, all files of the table after a flush; sample bytes alone "
        f"{blobs:.3f} B",
    )
