"""Content-Encoding of bodies: decompression, size limits and refusals."""

import gzip
import io
import random
import resource

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bodies import decode_body
from ingest.chunks import canonical_body, decode_chunk
from schemas.errors import BadChunk, BadInput, TooLarge, UnsupportedMedia
from tests.ingest.chunk_bodies import (
    LIMITS,
    PIECE,
    mutated,
)


def test_unsupported_media_types_and_encodings_are_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        decode_chunk(b"", "text/plain", LIMITS)
    with pytest.raises(UnsupportedMedia):
        decode_body(b"", "br", LIMITS)


@pytest.mark.parametrize("size", [0, 1, 1000, 300_000])
def test_compressed_bodies_are_decompressed(size: int) -> None:
    raw = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert decode_body(zstandard.compress(raw), "zstd", LIMITS) == raw
    assert decode_body(gzip.compress(raw), "GZIP", LIMITS) == raw
    assert decode_body(raw, None, LIMITS) == raw
    unsized = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(unsized, closefd=False) as writer:
        writer.write(raw)
    assert decode_body(unsized.getvalue(), "zstd", LIMITS) == raw


def _bomb(encoding: str, *, sized: bool = True) -> bytes:
    raw = bytes(64 << 20)
    if encoding == "gzip":
        return gzip.compress(raw)
    return zstandard.ZstdCompressor(write_content_size=sized).compress(raw)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("zstd", _bomb("zstd")),
        ("zstd", _bomb("zstd", sized=False)),
        ("gzip", _bomb("gzip")),
        (None, bytes((1 << 20) + 1)),
    ],
)
def test_decompression_bombs_are_refused_in_bounded_memory(
    encoding: str | None, body: bytes
) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TooLarge):
        decode_body(body, encoding, LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 32_000


@pytest.mark.parametrize(("window_log", "taken"), [(23, True), (24, False)])
def test_zstd_that_asks_for_a_long_history_is_refused(window_log: int, *, taken: bool) -> None:
    """It would take as much memory, however short the body is."""
    asking = zstandard.ZstdCompressionParameters(window_log=window_log, write_content_size=0)
    out = io.BytesIO()
    packer = zstandard.ZstdCompressor(compression_params=asking)
    with packer.stream_writer(out, closefd=False) as writer:
        writer.write(b"short")
    if taken:
        assert decode_body(out.getvalue(), "zstd", LIMITS) == b"short"
        return
    with pytest.raises(BadChunk, match="not zstd"):
        decode_body(out.getvalue(), "zstd", LIMITS)


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 10), slice(0, 0)])
@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_truncated_bodies_and_trailing_bytes_are_refused(encoding: str, cut: slice) -> None:
    pack = zstandard.compress if encoding == "zstd" else gzip.compress
    whole = pack(bytes(1000))
    for wrong in (whole[cut], whole + b"x"):
        with pytest.raises(BadChunk):
            decode_body(wrong, encoding, LIMITS)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_mutated_compressed_bodies_are_decoded_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(30):
        encoding = rng.choice(("zstd", "gzip"))
        pack = zstandard.compress if encoding == "zstd" else gzip.compress
        try:
            decode_body(mutated(pack(canonical_body(PIECE)), rng), encoding, LIMITS)
        except BadInput:
            continue
