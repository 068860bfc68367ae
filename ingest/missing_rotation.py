"""Notes sets whose rotation is missing although the session declares a gyroscope."""

from bisect import bisect_left
from dataclasses import replace

from ingest.wrist_streams import WristStreams
from models.recognition.sets import RecognisedSet
from models.signal.pieces import Recording
from models.signal.windows import WINDOW_S
from schemas.notes import NO_ROTATION, QualityNote
from schemas.times import NS_PER_S

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


def with_rotation_notes(
    wrist: WristStreams, recording: Recording, until_ns: int, recognised: RecognisedSet
) -> RecognisedSet:
    """A set with the note if its rotation is missing; after `until_ns` it may still arrive."""
    end_ns = min(recognised.end_ns, until_ns)
    notes = rotation_notes(wrist, recording, recognised.start_ns, end_ns)
    return replace(recognised, notes=(*recognised.notes, *notes)) if notes else recognised
