"""Recognition during a recording: sets that are finished, and the one under way.

The last minutes are recognised again and again. A set is finished when it ended some time before
the newest sample; it is reported once and not changed afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.recognition.sets import (
    RecognisedSet,
    RecognitionModels,
    find_segments,
    recognise_segments,
)
from models.signal.pieces import Recording

FINISHED_AFTER_NS = 10 * 10**9
"""A set that ended so long before the newest sample is finished: its border will not move."""


@dataclass(frozen=True, slots=True)
class LiveSets:
    """Sets of the last minutes of a recording.

    Attributes:
        finished: sets that are finished and were not reported before, in order.
        current: the set under way, or one that has just ended; None between sets.
        unfinished_from_ns: where the first set begins that is not finished; None between sets.
    """

    finished: tuple[RecognisedSet, ...]
    current: RecognisedSet | None
    unfinished_from_ns: int | None = None


def recognise_live(
    recording: Recording,
    models: RecognitionModels,
    reported: Sequence[RecognisedSet],
    received_until_ns: int,
) -> LiveSets:
    """Recognise the last minutes of a recording.

    Args:
        recording: the last minutes.
        models: to recognise with.
        reported: finished sets of earlier calls; what overlaps them is not reported again.
        received_until_ns: until when the samples of all sensors are here, nanoseconds since the
            epoch.
    """
    worn, segments = find_segments(recording, models, reported)
    sets = recognise_segments(worn.line, segments, models, worn.notes)
    finished = tuple(s for s in sets if s.end_ns <= received_until_ns - FINISHED_AFTER_NS)
    unfinished = [s for s in sets if s.end_ns > received_until_ns - FINISHED_AFTER_NS]
    if not unfinished:
        return LiveSets(finished, None)
    return LiveSets(finished, sets[-1], min(s.start_ns for s in unfinished))
