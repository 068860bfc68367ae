"""Notes sets whose rotation is missing although the session declares a gyroscope."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from ingest.wrist_streams import WristStreams
from models.recognition.sets import RecognisedSet
from models.signal.pieces import Recording
from models.signal.windows import WINDOW_S
from models.signal.wrist import WristSignal
from schemas.notes import (
    NO_OVERLAP,
    NO_ROTATION,
    STUCK_ROTATION,
    UNIT_IMPLAUSIBLE,
    QualityNote,
)
from schemas.times import NS_PER_S

LEFT_OUT = frozenset({STUCK_ROTATION, UNIT_IMPLAUSIBLE, NO_OVERLAP})
MIN_MISSING_NS = int(WINDOW_S * NS_PER_S)  # less is no window: nothing is named without rotation


def rotation_notes(
    wrist: WristStreams, recording: Recording, start_ns: int, end_ns: int
) -> tuple[QualityNote, ...]:
    """`NO_ROTATION` where a declared gyroscope is silent for 4 s or more of a span, or for all.

    >>> wrist, silent = WristStreams(("acc",), ("gyro",), None), Recording((), (), None)
    >>> rotation_notes(wrist, silent, 0, NS_PER_S)
    ('rotation-is-missing',)
    >>> rotation_notes(WristStreams(("acc",), (), None), silent, 0, NS_PER_S)
    ()
    """
    if not wrist.gyro:
        return ()
    first = bisect_left(recording.gyro, start_ns, key=lambda piece: piece.t0_ns)
    last = bisect_left(recording.gyro, end_ns, key=lambda piece: piece.t0_ns)
    reached_ns, missing_ns = start_ns, 0
    for piece in recording.gyro[max(0, first - 1) : last]:
        missing_ns = max(missing_ns, piece.t0_ns - reached_ns)
        reached_ns = max(reached_ns, piece.end_ns)
    missing_ns = max(missing_ns, end_ns - reached_ns)
    return (NO_ROTATION,) if missing_ns >= min(MIN_MISSING_NS, end_ns - start_ns) else ()


def lacks_rotation(recording: Recording, signals: Sequence[WristSignal]) -> bool:
    """Whether 4 s or more of acceleration in a row are without rotation, though that was recorded.

    Rotation that is left out has a note of its own, as a stuck gyroscope.

    Args:
        recording: as it was received.
        signals: of it.
    """
    bare = [signal for signal in signals if signal.gyro_rad_s is None and recording.gyro]
    return any(s.duration_s >= WINDOW_S and not LEFT_OUT.intersection(s.notes) for s in bare)


def with_rotation_notes(
    wrist: WristStreams, recording: Recording, until_ns: int, recognised: RecognisedSet
) -> RecognisedSet:
    """A set with the note if its rotation is missing; after `until_ns` it may still arrive."""
    end_ns = min(recognised.end_ns, until_ns)
    notes = rotation_notes(wrist, recording, recognised.start_ns, end_ns)
    return replace(recognised, notes=(*recognised.notes, *notes)) if notes else recognised
