"""Samples exactly as a device sent them, and the blob in which a labelled set keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from models.arrays import Ints16, Ints32
from models.signal.codec import (
    CODEC,
    CODECS,
    decode_samples,
    encode_samples,
    pack_bytes,
    unpack_bytes,
)
from schemas.errors import BadSamples
from schemas.times import NS_PER_S

Side = Literal["left", "right"]
MAX_RATE_RATIO = 1.1  # of the rates that one device claims for its pieces


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of one stream without a gap.

    Attributes:
        t0_ns: time of the first sample, nanoseconds since the epoch.
        rate_hz: rate that the device claims.
        unit: unit that the device claims ("g", "m/s2", "rad/s", "deg/s").
        scale: unit per count.
        counts: int16 (n, 3).
        t_ms: int32 (n,), milliseconds after t0_ns, where a device is irregular.
    """

    t0_ns: int
    rate_hz: float
    unit: str
    scale: float
    counts: Ints16
    t_ms: Ints32 | None = None

    @property
    def end_ns(self) -> int:
        """When its last sample is over, nanoseconds since the epoch."""
        last_ms = None if self.t_ms is None else int(self.t_ms[-1])
        return end_of(self.t0_ns, self.rate_hz, len(self.counts), last_ms)


def end_of(t0_ns: int, rate_hz: float, n: int, last_ms: int | None) -> int:
    """When the last of n samples is over: one step after it, where the next one would be.

    Args:
        t0_ns: time of the first sample, nanoseconds since the epoch.
        rate_hz: rate that the device claims.
        n: number of samples.
        last_ms: milliseconds from the first to the last, None where the rate says when they are.

    >>> end_of(0, 50.0, 2, None), end_of(0, 50.0, 2, 900)
    (40000000, 920000000)
    """
    if last_ms is None:
        return t0_ns + int(n / rate_hz * NS_PER_S)
    return t0_ns + last_ms * 1_000_000 + int(NS_PER_S / rate_hz)


@dataclass(frozen=True, slots=True)
class Recording:
    """Both streams of one wrist, each as pieces in time order; gyro may be empty.

    Attributes:
        units_judged: whether it is part of a recording whose units were corrected as a whole: they
            are not judged again, as a part tells less.
    """

    acc: tuple[Piece, ...]
    gyro: tuple[Piece, ...]
    side: Side | None
    units_judged: bool = False


class _Packed(msgspec.Struct, array_like=True):
    t0_ns: int
    rate_hz: float
    unit: str
    scale: float
    n: int
    counts: bytes
    t_ms: bytes | None


class _Blob(msgspec.Struct, array_like=True, tag="muvr-pieces-1"):
    codec: int
    side: Side | None
    acc: list[_Packed]
    gyro: list[_Packed]


def pack_pieces(acc: Sequence[Piece], gyro: Sequence[Piece], side: Side | None) -> bytes:
    """The blob of a set: a msgpack head and the sample bytes; the same pieces, the same bytes.

    Raises:
        BadSamples: a piece without samples, or whose times are not as many as its samples.
    """
    blob = _Blob(CODEC, side, [_pack(p) for p in acc], [_pack(p) for p in gyro])
    return msgspec.msgpack.encode(blob)


def unpack_pieces(blob: bytes) -> Recording:
    """What `pack_pieces` was given, bit for bit.

    Raises:
        BadSamples: anything else.
    """
    try:
        packed = msgspec.msgpack.decode(blob, type=_Blob)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadSamples(f"this is no set of samples: {error}") from error
    if packed.codec not in CODECS:
        raise BadSamples(f"sample codec {packed.codec} is not known here, {sorted(CODECS)} are")
    return Recording(
        acc=tuple(_unpack(p) for p in packed.acc),
        gyro=tuple(_unpack(p) for p in packed.gyro),
        side=packed.side,
        units_judged=True,  # what is stored was cut from a corrected recording
    )


def _pack(piece: Piece) -> _Packed:
    t_ms = None
    if piece.t_ms is not None:
        if piece.t_ms.shape != (len(piece.counts),):
            raise BadSamples(f"{len(piece.counts)} samples have times {piece.t_ms.shape}")
        steps = np.diff(piece.t_ms.astype("<i4"), prepend=np.int32(0)).astype("<i4")
        t_ms = pack_bytes(np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 4).T).tobytes())
    return _Packed(
        t0_ns=int(piece.t0_ns),
        rate_hz=float(piece.rate_hz),
        unit=piece.unit,
        scale=float(piece.scale),
        n=len(piece.counts),
        counts=encode_samples(piece.counts),
        t_ms=t_ms,
    )


def _unpack(packed: _Packed) -> Piece:
    t_ms = None
    if packed.t_ms is not None:
        planes = np.frombuffer(unpack_bytes(packed.t_ms, 4 * packed.n), dtype=np.uint8)
        steps = np.ascontiguousarray(planes.reshape(4, -1).T).view("<i4").reshape(-1)
        t_ms = np.cumsum(steps, dtype=np.int32)
    return Piece(
        t0_ns=packed.t0_ns,
        rate_hz=packed.rate_hz,
        unit=packed.unit,
        scale=packed.scale,
        counts=decode_samples(packed.counts, packed.n),
        t_ms=t_ms,
    )


def is_near_rate(a_hz: float, b_hz: float) -> bool:
    """Whether two rates are those of one device: some claim what they measured over a piece.

    >>> is_near_rate(49.87, 50.12), is_near_rate(50.0, 56.0)
    (True, False)
    """
    return max(a_hz, b_hz) <= MAX_RATE_RATIO * min(a_hz, b_hz)


def mean_rate_hz(pieces: Sequence[Piece]) -> float:
    """The rate that pieces claim together; exactly that of each where all claim the same."""
    first_hz = pieces[0].rate_hz
    if all(piece.rate_hz == first_hz for piece in pieces):
        return first_hz
    took_s = sum(len(piece.counts) / piece.rate_hz for piece in pieces)
    return sum(len(piece.counts) for piece in pieces) / took_s


def largest_value(piece: Piece) -> float:
    """The largest value on one axis, in the claimed unit."""
    if not len(piece.counts):
        return 0.0
    return max(int(piece.counts.max()), -int(piece.counts.min())) * abs(piece.scale)
