"""Codec of samples: lossless, and junk is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.signal import planes
from models.signal.codec import decode_samples, encode_samples, pack_bytes
from models.signal.pieces import Piece, pack_pieces, unpack_pieces
from models.signal.planes import split
from schemas.errors import BadSamples, NoKernel

COUNTS = hnp.arrays(np.int16, st.tuples(st.integers(1, 300), st.just(3)))


@given(COUNTS)
def test_counts_round_trip_unchanged(counts):
    assert np.array_equal(decode_samples(encode_samples(counts), len(counts)), counts)


@given(COUNTS)
def test_compiled_split_equals_the_numpy_reference(counts):
    delta = np.diff(counts.T, axis=1, prepend=np.int16(0))
    zigzag = ((delta << 1) ^ (delta >> 15)).view(np.uint16).reshape(-1)
    head, high = split(counts)
    low_bits = head[0]
    usual_bits = int(np.ceil(np.log2(max(1.0, zigzag.mean()))))
    assert low_bits == min(8, max(0, int(zigzag.max()).bit_length() - 8, usual_bits - 4))
    planes = [np.packbits((zigzag >> bit & 1).astype(np.uint8)) for bit in range(low_bits)]
    assert head[1:] == b"".join(plane.tobytes() for plane in planes)
    assert bytes(high) == (zigzag >> low_bits).astype(np.uint8).tobytes()


def test_codec_library_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(planes, "VERSION", 99)
    planes._compiled.cache_clear()
    with pytest.raises(NoKernel, match="another release"):
        split(np.zeros((1, 3), np.int16))


def test_samples_in_the_first_format_are_decoded():
    counts = np.array([[1, -2, 3], [300, -2, 4], [-32768, 32767, 0]], np.int16)
    delta = np.diff(counts.T.astype(np.int64), axis=1, prepend=0).astype(np.int16).astype(np.int64)
    zigzag = np.where(delta < 0, -2 * delta - 1, 2 * delta).reshape(-1).astype("<u2")
    blob = pack_bytes(zigzag.view(np.uint8).reshape(-1, 2).T.tobytes())
    assert np.array_equal(decode_samples(blob, 3), counts)


@pytest.mark.parametrize("spread", [0, 1, 15, 16, 17, 200, 5000, 32767])
def test_counts_of_every_magnitude_round_trip(spread):
    rng = np.random.default_rng(spread)
    counts = rng.integers(-spread, spread + 1, size=(999, 3)).astype(np.int16)
    assert np.array_equal(decode_samples(encode_samples(counts), 999), counts)
    counts[500] = (32767, -32768, 0)  # one jolt must not spoil the rest
    assert np.array_equal(decode_samples(encode_samples(counts), 999), counts)


@given(st.integers(0, 8), st.binary(max_size=200), st.integers(-3, 2**32))
def test_junk_after_a_valid_first_byte_is_refused(low_bits, junk, n):
    with pytest.raises(BadSamples):
        decode_samples(bytes((low_bits,)) + junk, n)


@given(st.binary(max_size=200), st.integers(-3, 2**32))
def test_junk_bytes_are_refused(blob, n):
    with pytest.raises(BadSamples):
        decode_samples(blob, n)


def test_decompression_bomb_is_refused_by_its_header():
    bomb = encode_samples(np.zeros((100_000, 3), np.int16))
    with pytest.raises(BadSamples, match="claim"):
        decode_samples(bomb, 10)


def test_smooth_movement_takes_less_than_three_bytes_per_sample():
    t_s = np.arange(4096) / 50
    waves = [0.5 * np.sin(2 * np.pi * t_s), 0.3 * np.cos(2 * np.pi * t_s), 1 + 0 * t_s]
    counts = np.rint(np.stack(waves, axis=1) * 4096).astype(np.int16)
    assert len(encode_samples(counts)) / len(counts) < 3.0


@given(COUNTS, st.booleans(), st.sampled_from(["left", "right", None]))
def test_packed_pieces_round_trip(counts, timed, side):
    t_ms = np.cumsum(np.abs(counts[:, 0].astype(np.int32))).astype(np.int32) if timed else None
    sent = Piece(1_700_000_000_123_456_789, 48.9, "m/s2", 0.01, counts, t_ms)
    blob = pack_pieces([sent], [sent, sent], side)
    assert pack_pieces([sent], [sent, sent], side) == blob
    found = unpack_pieces(blob)
    assert found.side == side
    assert len(found.gyro) == 2
    assert replace(found.acc[0], counts=None, t_ms=None) == replace(sent, counts=None, t_ms=None)
    assert np.array_equal(found.acc[0].counts, counts)
    assert (found.acc[0].t_ms is None) == (not timed)
    if timed:
        assert np.array_equal(found.acc[0].t_ms, t_ms)


@given(st.binary(max_size=100))
def test_junk_pieces_are_refused(blob):
    with pytest.raises(BadSamples):
        unpack_pieces(blob)
