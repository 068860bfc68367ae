"""Between a chunk and its row in `samples`."""

import numpy as np

from ingest.chunks import Chunk, rebuild_body
from models.signal.codec import (
    CODEC,
    CODECS,
    decode_samples,
    encode_samples,
    pack_bytes,
    unpack_bytes,
)
from models.signal.pieces import Piece
from schemas.errors import BadSamples
from store.samples import SampleRow


def row_of(chunk: Chunk, seq: int, received_us: int) -> SampleRow:
    """What is kept of a chunk."""
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
    t_ms = np.frombuffer(unpack_bytes(row.t_ms, 4 * row.n), dtype="<i4") if row.t_ms else None
    return Piece(
        t0_ns=row.t0_ns,
        rate_hz=row.rate_hz,
        unit=row.unit,
        scale=row.scale,
        counts=decode_samples(row.xyz, row.n),
        t_ms=None if t_ms is None else t_ms.astype(np.int32),
    )


def body_of(row: SampleRow) -> bytes:
    """The body whose hash is the row's: what the receipt promised.

    Raises:
        BadSamples: the row does not give it back.
    """
    return rebuild_body(piece_of(row), row.envelope)
