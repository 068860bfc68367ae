"""Simulates how another device would have recorded the same movement."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ingest.importers.imported import ImportedRecording
from models.exercise.axis_map import MIRROR
from models.signal.pieces import Piece, Recording
from models.signal.units import STANDARD_GRAVITY

ROUND = (-1, -1, 1)
OTHER_AXES = (1, 2, 0)
HALF = np.sqrt(0.5)
TILT = np.array([[HALF, -HALF, 0], [0.5, 0.5, -HALF], [0.5, 0.5, HALF]])
PieceChange = Callable[[str, Piece], tuple[Piece, ...]]
CHUNK_SAMPLES = 512


def at_rate(rate_hz: float) -> PieceChange:
    """A device with another sampling rate and a regular clock, by linear interpolation."""
    return lambda _, piece: (resampled(piece, rate_hz),)


def drifting(true_hz: float, claimed_hz: float) -> PieceChange:
    """A device whose true rate is not the claimed one; the start time of each chunk is right."""

    def change(_: str, piece: Piece) -> tuple[Piece, ...]:
        """Cut at the true rate, then claim the other one for every chunk."""
        even = resampled(piece, true_hz)
        return tuple(
            replace(
                even,
                rate_hz=claimed_hz,
                t0_ns=even.t0_ns + round(start / true_hz * 1e9),
                counts=even.counts[start : start + CHUNK_SAMPLES],
            )
            for start in range(0, len(even.counts), CHUNK_SAMPLES)
        )

    return change


def resampled(piece: Piece, rate_hz: float) -> Piece:
    """The same movement at another rate."""
    at_s = times_s(piece)
    grid_s = np.arange(int(at_s[-1] * rate_hz) + 1) / rate_hz
    columns = [np.interp(grid_s, at_s, column) for column in piece.counts.T]
    counts = np.rint(np.stack(columns, axis=1)).astype(np.int16)
    return replace(piece, rate_hz=rate_hz, counts=counts, t_ms=None)


def in_ms2(_: str, piece: Piece) -> tuple[Piece, ...]:
    """Acceleration in m/s², labelled as such."""
    if piece.unit != "g":
        return (piece,)
    return (replace(piece, unit="m/s2", scale=piece.scale * STANDARD_GRAVITY),)


def ms2_labelled_g(_: str, piece: Piece) -> tuple[Piece, ...]:
    """Acceleration in m/s² that is labelled as g: at rest it is 9.8."""
    if piece.unit != "g":
        return (piece,)
    return (replace(piece, scale=piece.scale * STANDARD_GRAVITY),)


def other_wrist(kind: str, piece: Piece) -> tuple[Piece, ...]:
    """The mirror image of the movement, as the other wrist feels it."""
    return (_signed(piece, MIRROR.acc if kind == "acc" else MIRROR.gyro),)


def turned_round(_: str, piece: Piece) -> tuple[Piece, ...]:
    """A watch that is worn the other way round, without saying so."""
    return (_signed(piece, ROUND),)


def other_sign(kind: str, piece: Piece) -> tuple[Piece, ...]:
    """Android's acceleration, which has the opposite sign of Apple's; rotation has the same."""
    return (_signed(piece, (-1, -1, -1)) if kind == "acc" else piece,)


def on_other_axes(_: str, piece: Piece) -> tuple[Piece, ...]:
    """A device whose x, y and z lie where another one's y, z and x do."""
    return (replace(piece, counts=np.ascontiguousarray(piece.counts[:, OTHER_AXES])),)


def bare_sensor(kind: str, piece: Piece) -> tuple[Piece, ...]:
    """A sensor whose axes lie otherwise, and whose acceleration has the sign of most chips."""
    return tuple(
        moved for signed in other_sign(kind, piece) for moved in on_other_axes(kind, signed)
    )


def tilted(_: str, piece: Piece) -> tuple[Piece, ...]:
    """A device that is strapped on askew, by 45° around the dial and then 45° around the arm."""
    counts = np.clip(np.rint(piece.counts @ TILT.T), -32768, 32767)
    return (replace(piece, counts=counts.astype(np.int16)),)


def without_rotation(kind: str, piece: Piece) -> tuple[Piece, ...]:
    """A device that has no gyroscope."""
    return (piece,) if kind == "acc" else ()


def with_packet_loss(packet_s: float, share: float) -> PieceChange:
    """A device that loses random packets, the same times of both sensors.

    Packets are intervals of the clock, and a packet's number is the seed that decides whether it is
    lost: the same in every run.

    Args:
        packet_s: length of a packet.
        share: of the packets that are lost.
    """

    def change(_: str, piece: Piece) -> tuple[Piece, ...]:
        """What arrived, each sample with its own time; nothing when no packet did."""
        at_ms = np.rint(times_s(piece) * 1e3).astype(np.int32)
        number = (piece.t0_ns // 10**6 + at_ms.astype(np.int64)) // round(packet_s * 1e3)
        arrived = {n: np.random.default_rng(n).random() >= share for n in set(number.tolist())}
        kept = np.array([arrived[n] for n in number.tolist()])
        return (replace(piece, counts=piece.counts[kept], t_ms=at_ms[kept]),) if kept.any() else ()

    return change


def zeros_for_losses(packet_s: float, share: float) -> PieceChange:
    """A device that loses packets as `with_packet_loss` does, and sends zeros in their place.

    Args:
        packet_s: length of a packet.
        share: of the packets that are lost.
    """
    lose = with_packet_loss(packet_s, share)

    def change(kind: str, piece: Piece) -> tuple[Piece, ...]:
        """As many samples as there were."""
        at_ms = np.rint(times_s(piece) * 1e3).astype(np.int32)
        came_ms = [part.t_ms for part in lose(kind, piece) if part.t_ms is not None]
        arrived = np.isin(at_ms, np.concatenate([[-1], *came_ms]))
        return (replace(piece, counts=piece.counts * arrived[:, None]),)

    return change


def clipped_at(most_g: float) -> PieceChange:
    """A device that clips acceleration at `most_g` on each axis."""

    def change(_: str, piece: Piece) -> tuple[Piece, ...]:
        """Acceleration cut off at the largest value; rotation as it is."""
        if piece.unit != "g":
            return (piece,)
        most = min(32767, round(most_g / piece.scale))
        return (replace(piece, counts=np.clip(piece.counts, -most, most)),)

    return change


def in_8_bits(most_g: float) -> PieceChange:
    """A device with 8 bits of acceleration: 256 steps from -most_g to most_g."""
    step_g = most_g / 128

    def change(_: str, piece: Piece) -> tuple[Piece, ...]:
        """Acceleration rounded to its steps; rotation as it is."""
        if piece.unit != "g":
            return (piece,)
        steps = np.rint(piece.counts * (piece.scale / step_g))
        return (replace(piece, scale=step_g, counts=np.clip(steps, -128, 127).astype(np.int16)),)

    return change


def with_jitter(off_ms: float) -> PieceChange:
    """A device that stamps every sample, with uniform jitter of up to `off_ms`.

    The time of the first sample is the seed: the same in every run.
    """

    def change(_: str, piece: Piece) -> tuple[Piece, ...]:
        """The same samples with jittered, non-decreasing times."""
        at_ms = times_s(piece) * 1e3
        dice = np.random.default_rng(piece.t0_ns // 10**6)
        stamps = np.rint(at_ms + dice.uniform(-off_ms, off_ms, len(at_ms)))
        stamps = np.maximum.accumulate(np.maximum(stamps, 0)).astype(np.int32)
        return (replace(piece, t_ms=stamps),)

    return change


def without_side(recording: ImportedRecording) -> ImportedRecording:
    """A device that does not report on which wrist it is worn."""
    return replace(recording, recording=replace(recording.recording, side=None))


def other_wrist_without_side(recording: ImportedRecording) -> ImportedRecording:
    """A device on the other wrist that does not report on which one it is worn."""
    return without_side(as_recorded_by(recording, other_wrist))


def as_recorded_by(recording: ImportedRecording, change: PieceChange) -> ImportedRecording:
    """A recording as another device would have made it."""
    raw = recording.recording
    side = raw.side
    if change is other_wrist and side is not None:
        side = "left" if side == "right" else "right"
    changed = Recording(
        acc=tuple(changed for piece in raw.acc for changed in change("acc", piece)),
        gyro=tuple(changed for piece in raw.gyro for changed in change("gyro", piece)),
        side=side,
    )
    return replace(recording, recording=changed)


def _signed(piece: Piece, signs: tuple[int, int, int]) -> Piece:
    counts = np.clip(piece.counts.astype(np.int32) * np.array(signs), -32768, 32767)
    return replace(piece, counts=counts.astype(np.int16))


def times_s(piece: Piece) -> NDArray[np.float64]:
    """Seconds of every sample after the first."""
    if piece.t_ms is None:
        return np.arange(len(piece.counts)) / piece.rate_hz
    return (piece.t_ms - piece.t_ms[0]) / 1e3
