"""Conversion between chunks and rows of `samples`."""

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from ingest.chunks import Chunk, rebuild_body
from models.signal.codec import (
    CODEC,
    CODECS,
    decode_samples,
    encode_samples,
    pack_bytes,
    unpack_bytes,
)
from models.signal.pieces import Piece, end_of
from schemas.errors import BadSamples
from store.samples import ChunkMetadata, SampleRow


def row_of(chunk: Chunk, seq: int, received_us: int) -> SampleRow:
    """The row of a chunk."""
    piece = chunk.piece
    return SampleRow(
        seq=seq,
        sha256=chunk.sha256,
        t0_ns=piece.t0_ns,
        rate_hz=piece.rate_hz,
        n=len(piece.counts),
        unit=piece.unit,
        scale=piece.scale,
        codec=CODEC,
        xyz=encode_samples(piece.counts),
        t_ms=b"" if piece.t_ms is None else pack_bytes(piece.t_ms.astype("<i4").tobytes()),
        envelope=chunk.envelope,
        received_us=received_us,
    )


def piece_of(row: SampleRow) -> Piece:
    """The samples of a row, exactly as received.

    Raises:
        BadSamples: another codec, or bytes that do not unpack.
    """
    if row.codec not in CODECS:
        raise BadSamples(f"sample codec {row.codec} is not known here, {sorted(CODECS)} are")
    return Piece(
        t0_ns=row.t0_ns,
        rate_hz=row.rate_hz,
        unit=row.unit,
        scale=row.scale,
        counts=decode_samples(row.xyz, row.n),
        t_ms=_times_of(row) if row.t_ms else None,
    )


def end_ns_of(chunk: ChunkMetadata) -> int:
    """The end of a chunk's last sample, nanoseconds since the epoch.

    Sample times that do not decode are ignored here; reading the samples raises the error.
    """
    last_ms = None
    if chunk.t_ms:
        with suppress(BadSamples):
            last_ms = int(_times_of(chunk)[-1])
    return end_of(chunk.t0_ns, chunk.rate_hz, chunk.n, last_ms)


def _times_of(row: SampleRow | ChunkMetadata) -> NDArray[np.int32]:
    return np.frombuffer(unpack_bytes(row.t_ms, 4 * row.n), dtype="<i4").astype(np.int32)


def body_of(row: SampleRow) -> bytes:
    """The original body of a chunk, which has the row's hash.

    Raises:
        BadSamples: it cannot be rebuilt from the row.
    """
    return rebuild_body(piece_of(row), row.envelope)
