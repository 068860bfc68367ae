"""How a watch is worn: turned round, on the other wrist than it says, or with the other sign.

A recording does not tell by itself; a person's own model does, because it knows how this person's
movement feels. Where the sets of a recording are strange to it as declared, and far less strange
in one other reading, they are read in that one.

How often it turns what was worn as declared, and finds what was turned: decision 18. Two faults at
once (the other wrist, and turned round) look too much like other exercises.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.activity.segments import Segment
from models.exercise.features import window_features
from models.exercise.layout import layout_of
from models.exercise.model import ExerciseModel
from models.recognition.naming import Rung
from models.signal.pieces import Piece, Recording, Side
from models.signal.truth import cut
from models.signal.wrist import wrist_signals

TRIED_FROM = 0.35  # mean strangeness from which on other readings are tried
CLEARLY = 0.3  # so much less strange must another reading be
Signs = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Wearing:
    """A way to wear a watch other than it says.

    Attributes:
        note: its name in answers.
        acc, gyro: signs that turn it into what was declared.
    """

    note: str
    acc: Signs
    gyro: Signs


ROUND = Wearing("watch-was-turned-round", (-1, -1, 1), (-1, -1, 1))
OTHER_WRIST = Wearing("was-the-other-wrist", (-1, 1, 1), (1, -1, -1))
OTHER_SIGN = Wearing("axes-were-turned", (-1, -1, -1), (1, 1, 1))


def as_worn(
    recording: Recording, segments: Sequence[Segment], ladder: Sequence[Rung]
) -> tuple[Recording, tuple[str, ...]]:
    """A recording as its watch was worn, and what had to be put right.

    Args:
        recording: raw pieces of one wrist.
        segments: where its sets are.
        ladder: models to ask; only the user's own knows how this user's movement feels.
    """
    own = next((rung.model for rung in ladder if rung.level == "user"), None)
    if own is None:
        return recording, ()
    declared = _strangeness(recording, segments, own)
    if declared is None or declared < TRIED_FROM:
        return recording, ()
    ways = (ROUND, OTHER_SIGN) if recording.side is None else (ROUND, OTHER_SIGN, OTHER_WRIST)
    turned = [(turn(recording, way), way.note) for way in ways]
    strange = [_strangeness(other, segments, own) or declared for other, _ in turned]
    least = int(np.argmin(strange))
    if declared - strange[least] < CLEARLY:
        return recording, ()
    return turned[least][0], (turned[least][1],)


def turn(recording: Recording, way: Wearing) -> Recording:
    """The recording under other signs.

    >>> piece = Piece(0, 50.0, "g", 1.0, np.array([[1, 2, -32768]], dtype=np.int16))
    >>> turn(Recording((piece,), (), None), OTHER_SIGN).acc[0].counts.tolist()
    [[-1, -2, 32767]]
    """
    return replace(
        recording,
        acc=tuple(_signed(piece, way.acc) for piece in recording.acc),
        gyro=tuple(_signed(piece, way.gyro) for piece in recording.gyro),
    )


def _signed(piece: Piece, signs: Signs) -> Piece:
    counts = np.minimum(piece.counts.astype(np.int32) * np.array(signs), np.iinfo(np.int16).max)
    return replace(piece, counts=counts.astype(np.int16))


def _strangeness(
    recording: Recording, segments: Sequence[Segment], model: ExerciseModel
) -> float | None:
    """Of all windows in the segments, on the likelier wrist; None where there is none to read."""
    inside = [
        signal
        for one in segments
        for signal in wrist_signals(cut(recording, one.start_ns, one.end_ns))
        if layout_of(signal) == model.model_id
    ]
    sides: tuple[Side, ...] = (recording.side,) if recording.side else ("left", "right")
    means: list[float] = []
    for side in sides:
        parts = [window_features(signal, side=side).x for signal in inside]
        if any(len(x) for x in parts):
            means.append(float(model.strangeness(np.concatenate(parts)).mean()))
    return min(means, default=None)
