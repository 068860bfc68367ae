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
from models.signal.slower import with_true_rates
from models.signal.units import Kind
from schemas.notes import BATCHED_TIMES, LOWER_RATE, QualityNote

SensorNote = tuple[Kind, QualityNote]
"""The sensor that a note is about, and the note."""


def corrected(recording: Recording) -> tuple[Recording, tuple[SensorNote, ...]]:
    """The recording with correct units, signs and times, and each sensor's corrections.

    A wrong unit is replaced by "m/s2", "g", "deg/s" or "rad/s", inverted axes by a negative scale,
    and times in batches by none. Counts stay, but for repeats of a sensor that was polled too fast.
    Rotation that is too fast for a gyroscope in either unit is left out. Units and signs of a
    recording whose `units_judged` is true stay.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    (acc, acc_notes), (gyro, gyro_notes) = _correct_times(recording.acc, recording.gyro)
    timed = acc is recording.acc and gyro is recording.gyro
    punctual = recording if timed else replace(recording, acc=tuple(acc), gyro=tuple(gyro))
    fixed, unit_notes = (punctual, ()) if punctual.units_judged else _correct_units(punctual)
    return fixed, (*unit_notes, *_of("acc", acc_notes), *_of("gyro", gyro_notes))


def _correct_times(
    *streams: Sequence[Piece],
) -> list[tuple[Sequence[Piece], list[QualityNote]]]:
    """Streams with correct times and real samples, the same object where nothing was wrong."""
    on_time = [undo_delays(undo_batching(pieces)) for pieces in streams]
    real = [without_repeats(pieces) for pieces in on_time]
    at_rate = with_true_rates(*real)
    found: list[tuple[Sequence[Piece], list[QualityNote]]] = []
    for k, sent in enumerate(streams):
        notes = [BATCHED_TIMES] if on_time[k] is not sent else []
        notes += [LOWER_RATE] if at_rate[k] is not real[k] else []
        found.append((at_rate[k], notes))
    return found


def _correct_units(recording: Recording) -> tuple[Recording, tuple[SensorNote, ...]]:
    """The recording with correct units and signs, and each sensor's corrections."""
    turning, gyro_notes = correct_rotation_unit(recording)
    fixed, acc_notes = correct_acceleration_unit(turning)
    return fixed, (*_of("gyro", gyro_notes), *_of("acc", acc_notes))


def _of(sensor: Kind, notes: Sequence[QualityNote]) -> list[SensorNote]:
    return [(sensor, note) for note in notes]
