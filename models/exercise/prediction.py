"""The prediction for a stretch of movement and for its windows, or why no exercise is named."""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.notes import QualityNote

AbstainReason = Literal[
    "unknown-movement", "too-short", "other-layout", "no-model", "no-gravity", "low-rate"
]
"""`too-short`: there is no window; `other-layout`: the model reads samples of another layout;
`no-gravity`, `low-rate`: the samples lack what the model learned from."""
UNKNOWN_MOVEMENT: Final = "unknown-movement"


@dataclass(frozen=True, slots=True)
class WindowPrediction:
    """The prediction for one window of 4 s.

    Attributes:
        t0_ns: its first sample, nanoseconds since the epoch.
        exercise: the most probable exercise.
        probability: of that exercise.
    """

    t0_ns: int
    exercise: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for a stretch of movement.

    Attributes:
        exercise: None when abstained.
        probability: of the exercise, or of the best guess when abstained.
        abstained: True when no exercise is named.
        reason: why abstained; None otherwise.
        windows: the prediction for every window.
        known: P(known), None without a window.
        guess: the most probable exercise, whether abstained or not.
        notes: what was corrected in the samples, and what they lack.
        strangeness: mean log distance to the nearest prototype over that of training windows; None
            without a window.
    """

    exercise: str | None
    probability: float
    abstained: bool
    reason: AbstainReason | None
    windows: tuple[WindowPrediction, ...] = ()
    known: float | None = None
    guess: str | None = None
    notes: tuple[QualityNote, ...] = ()
    strangeness: float | None = None
