"""Sets while a recording goes on: those that are over, and the one that is being done.

The last minutes are looked at again and again. A set is over when nothing of it was heard for a
while; from then on it stays as it was told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.recognition.sets import Learned, RecognisedSet, segments_of, sets_among
from models.recognition.wearing import as_worn
from models.signal.pieces import Recording
from models.signal.truth import timeline
from models.signal.wrist import wrist_signals

OVER_NS = 10 * 10**9
"""A set that ended so long before the newest sample is over: its border moves no more."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look sees.

    Attributes:
        over: sets that are over since the looks before, in order.
        current: the set that is being done, or has just ended; None between sets.
    """

    over: tuple[RecognisedSet, ...]
    current: RecognisedSet | None


def look(
    recording: Recording, learned: Learned, told: Sequence[RecognisedSet], heard_ns: int
) -> Sight:
    """Look at the last minutes of a recording.

    Args:
        recording: they.
        learned: the models to ask.
        told: sets that are over by earlier looks; what overlaps them is not told again.
        heard_ns: up to when every sensor was heard, nanoseconds since the epoch.
    """
    segments = [
        one
        for one in segments_of(wrist_signals(recording), learned)
        if not any(one.start_ns < old.end_ns and old.start_ns < one.end_ns for old in told)
    ]
    worn, notes = as_worn(timeline(recording), segments, learned.ladder)
    seen = sets_among(worn, segments, learned, notes)
    over = tuple(one for one in seen if one.end_ns <= heard_ns - OVER_NS)
    return Sight(over, seen[-1] if len(over) < len(seen) else None)
