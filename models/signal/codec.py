"""Sample bytes: planar zigzag deltas, their lowest bits as they are, the rest through zstd-1.

A wrist moves little from one sample to the next, so deltas are small, and zigzag keeps them small
whatever the sign. Their lowest bits are noise that no coder shortens: those are laid side by side
untouched, and what is left of each delta is one byte with few different values, which zstd's
Huffman coder takes to near its entropy. Such bytes hardly ever repeat: zstd is told to look for
long matches only, and in few places. Figures beside what was tried: `docs/decisions/`.

A blob of codec 2 begins with the number of untouched bits, 0 to 8. One of codec 1 (bytes of deltas
shuffled, then zstd) begins as every zstd frame does, and is still read.
"""

import threading

import numpy as np
import zstandard
from numpy.typing import NDArray

from models.arrays import Ints16
from models.signal.planes import LOW_BITS_MAX, split
from schemas.errors import BadSamples

CODEC = 2
CODECS = frozenset({1, CODEC})
"""What `decode_samples` reads; a blob says by its first byte which it is."""
LEVEL = 1
OF_DELTAS = zstandard.ZstdCompressionParameters.from_level(
    LEVEL, min_match=7, hash_log=8, window_log=17
)
BYTES_PER_SAMPLE = 6


class _Contexts(threading.local):
    """A zstd context serves one thread at a time and is costly to make: each thread has its own."""

    def __init__(self) -> None:
        self.of_deltas = zstandard.ZstdCompressor(compression_params=OF_DELTAS)
        self.of_text = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def encode_samples(counts: Ints16) -> bytes:
    """The bytes that are kept for counts.

    Args:
        counts: int16 (n, 3), n ≥ 1.

    >>> blob = encode_samples(np.array([[1, 2, 3], [1, 2, 4]], dtype=np.int16))
    >>> decode_samples(blob, 2).tolist()
    [[1, 2, 3], [1, 2, 4]]

    Raises:
        BadSamples: not int16 (n, 3).
        NoKernel: `models.signal.planes` is not compiled.
    """
    if counts.ndim != 2 or counts.shape[1] != 3 or counts.dtype != np.int16 or len(counts) == 0:
        raise BadSamples(f"samples must be int16 (n, 3), n >= 1; got {counts.dtype} {counts.shape}")
    head, high = split(counts)
    return head + _contexts.of_deltas.compress(high)


def decode_samples(blob: bytes, n: int) -> Ints16:
    """Counts from their bytes, int16 (n, 3).

    Raises:
        BadSamples: the bytes are not what `encode_samples` makes of n samples. The size is read
            from the frame's head first, so that no more than 6·n bytes are ever unpacked.
    """
    if not blob:
        raise BadSamples(f"no sample bytes where {n} samples are expected")
    zigzag = _joined(blob, 3 * n) if blob[0] <= LOW_BITS_MAX else _shuffled(blob, n)
    delta = ((zigzag >> 1) ^ (0 - (zigzag & 1))).astype(np.uint16, copy=False).reshape(3, n)
    planar = np.cumsum(delta, axis=1, dtype=np.uint16).view(np.int16)
    return np.ascontiguousarray(planar.T)


def _joined(blob: bytes, values: int) -> NDArray[np.uint16]:
    """Zigzag deltas, uint16 (values,), from a blob of codec 2."""
    low_bits, plane_bytes = blob[0], (values + 7) // 8
    high_at = 1 + low_bits * plane_bytes
    zigzag = np.frombuffer(unpack_bytes(blob[high_at:], values), dtype=np.uint8).astype(np.uint16)
    zigzag <<= low_bits
    planes = np.frombuffer(blob, dtype=np.uint8, count=high_at - 1, offset=1)
    for bit, plane in enumerate(planes.reshape(low_bits, plane_bytes)):
        zigzag |= np.unpackbits(plane, count=values) << np.uint8(bit)
    return zigzag


def _shuffled(blob: bytes, n: int) -> NDArray[np.uint16]:
    """Zigzag deltas, uint16 (3·n,), from a blob of codec 1: all low bytes, then all high bytes."""
    raw = unpack_bytes(blob, BYTES_PER_SAMPLE * n)
    planes = np.frombuffer(raw, dtype=np.uint8).reshape(2, -1)
    return np.ascontiguousarray(planes.T).view("<u2").reshape(-1)


def pack_bytes(raw: bytes) -> bytes:
    """One zstd frame that states its size."""
    return _contexts.of_text.compress(raw)


def unpack_bytes(blob: bytes, size: int) -> bytes:
    """The content of a frame that must hold exactly `size` bytes.

    Raises:
        BadSamples: it does not, or it is no zstd frame.
    """
    try:
        claimed = zstandard.frame_content_size(blob)
        if claimed != size or size <= 0:
            raise BadSamples(f"sample bytes claim {claimed} bytes, {size} are expected")
        raw = _contexts.decompressor.decompress(blob, max_output_size=size)
    except zstandard.ZstdError as error:
        raise BadSamples(f"sample bytes do not unpack: {error}") from error
    if len(raw) != size:
        raise BadSamples(f"sample bytes hold {len(raw)} bytes, {size} are expected")
    return raw
