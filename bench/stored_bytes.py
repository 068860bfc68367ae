"""Disk size of samples: real recordings in a keyspace of their own, flushed, files summed.

The source writes g with six decimals and has no coarser step of its own. So the sender chooses the
step, and the step decides the size: half the step adds 0.37 B to three axes. The floor is held
against int16 at ±16 g, which is what wrist sensors send; finer and coarser steps stand beside.
"""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.spar_bodies import DATA, cut_pieces
from examples.client import new_id
from ingest.chunks import canonical_body, decode_chunk
from ingest.importers.spar import ACC_SCALE_G
from ingest.media_types import CBOR
from ingest.sample_rows import row_of
from muvr.deployment import Deployment
from schemas.config import Limits
from schemas.report import Figure
from store.migrate import migrate
from store.samples import SampleRow, Samples

KEYSPACE = "bench_size"


class Case(NamedTuple):
    """A way to send the same recordings: samples in a chunk, counts in 1 g."""

    name: str
    n: int
    counts_per_g: int


FLOORED = Case("bytes_per_sample", 1024, 2048)  # int16 at ±16 g
CASES = (
    FLOORED,
    Case("bytes_per_sample_512", 512, 2048),
    Case("bytes_per_sample_4096", 4096, 2048),
    Case("bytes_per_sample_at_4096_per_g", 1024, 4096),
    Case("bytes_per_sample_at_1024_per_g", 1024, 1024),
    Case("bytes_per_sample_at_500_per_g", 1024, 500),
)


def stored_bytes(deployment: Deployment, counts: NDArray[np.int16], floor: float) -> list[Figure]:
    """Bytes per three-axis sample in the files of table `samples`, keys and indexes included.

    Stops the deployment's node: a node that ends by itself flushes everything that it holds. Of
    one that was killed, or had died before, the files are incomplete and nothing is measured.
    """
    rows = {case: _rows(counts, case) for case in CASES}
    for case in CASES:
        _keep(deployment, _keyspace(case), rows[case])
    deployment.service.stop()
    ran = deployment.node.status().running
    flushed = deployment.node.stop() and ran
    figures: list[Figure] = []
    for case in CASES:
        file_bytes = _file_bytes(deployment, case) if flushed else 0
        figures.append(_figure(case, file_bytes, rows[case], floor if case is FLOORED else None))
    return figures


def _keyspace(case: Case) -> str:
    return f"{KEYSPACE}_{case.n}_{case.counts_per_g}"


def _rows(counts: NDArray[np.int16], case: Case) -> list[SampleRow]:
    """What the service keeps of each chunk."""
    now_us = int(datetime.now(UTC).timestamp()) * 10**6
    steps = np.round(counts * (ACC_SCALE_G * case.counts_per_g)).astype(np.int16)
    bodies = (
        canonical_body(replace(piece, scale=1 / case.counts_per_g))
        for piece in cut_pieces(steps, case.n)
    )
    limits = Limits()
    return [
        row_of(decode_chunk(body, CBOR, limits), seq, now_us) for seq, body in enumerate(bodies)
    ]


def _keep(deployment: Deployment, keyspace: str, rows: list[SampleRow]) -> None:
    migrate(deployment.config.cassandra.model_copy(update={"keyspace": keyspace}))
    person = new_id()

    async def put_all(samples: Samples) -> None:
        """Store all rows."""
        for row in rows:
            await samples.put(person, person, "acc", row)

    with closing(deployment.database(keyspace)) as database:
        asyncio.run(put_all(Samples(database)))


def _file_bytes(deployment: Deployment, case: Case) -> int:
    """Bytes of all files of the table; 0 where there is none."""
    folder = deployment.config.paths.data / "data" / _keyspace(case)
    return sum(path.stat().st_size for path in folder.glob("samples-*/*") if path.is_file())


def _figure(case: Case, file_bytes: int, rows: list[SampleRow], floor: float | None) -> Figure:
    samples = sum(row.n for row in rows)
    blobs = sum(len(row.xyz) for row in rows) / samples
    return Figure(
        case.name,
        file_bytes / samples if file_bytes else None,
        "B",
        floor=floor,
        ceiling=True,
        data=DATA,
        protocol=f"int16 at 1/{case.counts_per_g} g, chunks of {case.n}, all files of the table "
        f"after a flush; sample bytes alone {blobs:.3f} B",
    )
