"""Real wrist data as request bodies: SPAR acceleration in chunks."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.chunks import canonical_body
from ingest.importers.spar import ACC_SCALE_G, RATE_HZ, read_spar
from models.signal.pieces import Piece
from muvr.context import CommandContext
from schemas.times import NS_PER_S

DATA = "SPAR-10, 244,102 samples"
FIRST_NS = 1_772_438_400 * NS_PER_S  # 2026-03-02 08:00 UTC


def spar_counts(context: CommandContext) -> NDArray[np.int16]:
    """All acceleration of SPAR in one array, int16 (244102, 3), in recorded order."""
    recordings = [imported.recording for imported in read_spar(context.config.paths.datasets)]
    return np.concatenate([piece.counts for recording in recordings for piece in recording.acc])


def cut_pieces(counts: NDArray[np.int16], n: int) -> list[Piece]:
    """Whole chunks of n samples; what is left at the end is left out."""
    step_ns = round(n / RATE_HZ * NS_PER_S)
    return [
        Piece(FIRST_NS + i * step_ns, RATE_HZ, "g", ACC_SCALE_G, counts[i * n : (i + 1) * n])
        for i in range(len(counts) // n)
    ]


def bodies_of(pieces: Sequence[Piece]) -> list[tuple[bytes, str]]:
    """Bodies, each with the hash that its receipt must name."""
    bodies = [canonical_body(piece) for piece in pieces]
    return [(body, hashlib.sha256(body).hexdigest()) for body in bodies]
