"""Corrects wrong times, units and signs that a recording declares, by what is plausible on a wrist.

Some apps stamp samples or chunks on arrival, or poll a slow sensor too fast, which is noted as a
low rate; some declare the wrong unit. All is decided on the whole recording; parts are cut
afterwards (`timeline.py`).
"""

from collections.abc import Sequence
from dataclasses import replace

from models.signal.acceleration_unit import correct_acceleration_unit
from models.signal.batches import undo_batching
from models.signal.late_starts import undo_delays
from models.signal.pieces import Piece, Recording
from models.signal.repeats import without_repeats
from models.signal.rotation_unit import correct_rotation_unit
from models.signal.units import Kind
from schemas.notes import BATCHED_TIMES, QualityNote

SensorNote = tuple[Kind, QualityNote]
"""The sensor that a note is about, and the note."""


def corrected(recording: Recording) -> tuple[Recording, tuple[SensorNote, ...]]:
    """The recording with correct units, signs and times, and each sensor's corrections.

    A wrong unit is replaced by "m/s2", "g", "deg/s" or "rad/s", inverted axes by a negative scale,
    and times in batches by none. Counts stay, but for repeats of a sensor that was polled too fast.
    Rotation that is too fast for a gyroscope in either unit is left out.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    acc, acc_notes = _correct_times(recording.acc)
    gyro, gyro_notes = _correct_times(recording.gyro)
    timed = acc is recording.acc and gyro is recording.gyro
    punctual = recording if timed else replace(recording, acc=tuple(acc), gyro=tuple(gyro))
    turning, gyro_units = correct_rotation_unit(punctual)
    fixed, acc_units = correct_acceleration_unit(turning)
    notes: list[tuple[Kind, Sequence[QualityNote]]] = [
        ("gyro", gyro_units),
        ("acc", acc_units),
        ("acc", acc_notes),
        ("gyro", gyro_notes),
    ]
    return fixed, tuple((sensor, note) for sensor, several in notes for note in several)


def _correct_times(pieces: Sequence[Piece]) -> tuple[Sequence[Piece], tuple[QualityNote, ...]]:
    """A stream with correct times and real samples, the same object where nothing was wrong."""
    punctual = undo_delays(undo_batching(pieces))
    return without_repeats(punctual), () if punctual is pieces else (BATCHED_TIMES,)
