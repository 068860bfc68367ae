"""Chunks as rows: content-addressed, so that nothing is ever overwritten.

Every write has the time in the session's id as its timestamp. So a repeat writes the same cell, and
a deletion, which is later, also wins over writes that are still in flight.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from schemas.ids import time_us_of
from schemas.layout import part_of
from schemas.times import us_of
from store.concurrency import map_concurrently
from store.database import Database, Statement

_USUAL = (
    "user_id, session_id, stream, sha256, unit, xyz, "
    "part, seq, t0_ns, rate_hz, n, scale, codec, received_at"
)
# The driver takes one `bytes` per column: all numbers of a row, from part to received_at, and the
# write timestamp are packed at once, as CQL encodes them, and the result is cut apart.
_NUMBERS = struct.Struct(">iiqdidbqq")
_APART = struct.Struct("4s4s8s8s4s8s1s8s8s")  # the same sizes


def _insert(columns: str) -> str:
    marks = ", ".join("?" * (columns.count(",") + 1))
    return f"INSERT INTO samples ({columns}) VALUES ({marks}) USING TIMESTAMP ?"


# Nearly all rows have neither sample times nor an envelope. A column that is not written takes no
# time in the driver and no space in the commit log or on disk.
_INSERT, _INSERT_UNUSUAL = _insert(_USUAL), _insert(f"{_USUAL}, t_ms, envelope")
_AROUND_BYTES = 256  # of a row beside its blobs
_PART = "WHERE user_id = ? AND session_id = ? AND stream = ? AND part = ?"

ROWS_AT_ONCE = 32
PARTS_AT_ONCE = 32
"""Parts that are read at the same time. A day of one-second chunks has 675; the results of all at
once would block the event loop for a second."""


class SampleRow(NamedTuple):
    """A chunk as stored; `received_us` counts microseconds since the epoch."""

    seq: int
    sha256: bytes
    t0_ns: int
    rate_hz: float
    n: int
    unit: str
    scale: float
    codec: int
    xyz: bytes
    t_ms: bytes
    envelope: bytes
    received_us: int


class ChunkMetadata(NamedTuple):
    """A chunk without its samples; `t_ms` as in its row, empty if sampling is regular."""

    seq: int
    sha256: bytes
    t0_ns: int
    rate_hz: float
    n: int
    t_ms: bytes = b""


class Samples:
    """Chunks of sessions, and the index of the partitions that hold them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, session_id: UUID, stream: str, row: SampleRow) -> None:
        """Store a chunk; its part must be registered."""
        unusual = (row.t_ms, row.envelope) if row.t_ms or row.envelope else ()
        insert = _INSERT_UNUSUAL if unusual else _INSERT
        *numbers, timestamp = _APART.unpack(
            _NUMBERS.pack(
                part_of(row.seq),
                row.seq,
                row.t0_ns,
                row.rate_hz,
                row.n,
                row.scale,
                row.codec,
                row.received_us // 1000,
                time_us_of(session_id),
            )
        )
        key = (user_id.bytes, session_id.bytes, stream.encode())
        values = (*key, row.sha256, row.unit.encode(), row.xyz, *numbers, *unusual, timestamp)
        size_bytes = _AROUND_BYTES + len(row.xyz) + len(row.t_ms) + len(row.envelope)
        await self._database.run_batched(Statement(insert, values, serialised=True), size_bytes)

    async def register_part(self, user_id: UUID, session_id: UUID, stream: str, part: int) -> None:
        """Register a part of a stream, before its first chunk, so that it can be found."""
        await self._database.run(
            "INSERT INTO stream_parts (user_id, session_id, stream, part) VALUES (?, ?, ?, ?)",
            (user_id, session_id, stream, part),
        )

    async def parts(self, user_id: UUID, session_id: UUID) -> dict[str, list[int]]:
        """The parts of every stream, in order."""
        rows = await self._database.run(
            "SELECT stream, part FROM stream_parts WHERE user_id = ? AND session_id = ?",
            (user_id, session_id),
        )
        parts: dict[str, list[int]] = {}
        for row in rows:
            parts.setdefault(row.stream, []).append(row.part)
        return parts

    async def metadata(
        self, user_id: UUID, session_id: UUID, stream: str, parts: Iterable[int]
    ) -> list[ChunkMetadata]:
        """The stored chunks of a stream without their samples, ordered by number and hash."""
        cql = f"SELECT seq, sha256, t0_ns, rate_hz, n, t_ms FROM samples {_PART}"

        async def metadata_of_part(part: int) -> list[ChunkMetadata]:
            """The chunks of one partition."""
            rows = await self._database.run(cql, (user_id, session_id, stream, part))
            return [
                ChunkMetadata(seq, sha256, t0_ns, rate_hz, n, t_ms or b"")
                for seq, sha256, t0_ns, rate_hz, n, t_ms in rows
            ]

        pages = await map_concurrently(metadata_of_part, sorted(parts), PARTS_AT_ONCE)
        return [chunk for page in pages for chunk in page]

    async def rows(
        self, user_id: UUID, session_id: UUID, stream: str, wanted: Sequence[tuple[int, bytes]]
    ) -> list[SampleRow]:
        """The chunks (number, hash) that are stored, in the order of `wanted`."""
        cql = (
            "SELECT seq, sha256, t0_ns, rate_hz, n, unit, scale, codec, xyz, t_ms, envelope, "
            f"received_at FROM samples {_PART} AND seq = ? AND sha256 = ?"
        )

        async def chunk(number_and_hash: tuple[int, bytes]) -> list[SampleRow]:
            """One chunk as a row; an empty list if it is not stored."""
            seq, sha256 = number_and_hash
            key = (user_id, session_id, stream, part_of(seq), seq, sha256)
            return [
                SampleRow(
                    *row[:9],
                    t_ms=row.t_ms or b"",
                    envelope=row.envelope or b"",
                    received_us=us_of(row.received_at),
                )
                for row in await self._database.run(cql, key)
            ]

        chunks = await map_concurrently(chunk, wanted, ROWS_AT_ONCE)
        return [row for rows in chunks for row in rows]

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete every registered part of a session, for good.

        Parts that are registered later stay in the index, so that a later sweep finds them.
        """
        parts = await self.parts(user_id, session_id)
        await self._database.run_all(
            [
                Statement(
                    f"DELETE FROM samples USING TIMESTAMP ? {_PART}",
                    (at_us, user_id, session_id, stream, part),
                )
                for stream, numbers in parts.items()
                for part in numbers
            ]
        )
        await self._database.run_all(
            [
                Statement(
                    "DELETE FROM stream_parts "
                    "WHERE user_id = ? AND session_id = ? AND stream = ? AND part = ?",
                    (user_id, session_id, stream, part),
                )
                for stream, numbers in parts.items()
                for part in numbers
            ]
        )
