"""The exercise model: linear scores, calibrated probabilities, and the right to say "never seen".

One answer for all levels of the ladder: a user's own model and the global one are the same type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats16, Floats32, Floats64, Ints64
from models.exercise.features import Windows
from models.exercise.names import low_rate_features
from models.exercise.probability import Calibration, whole_set
from models.exercise.reading import Reading, ReadSignal, read
from models.exercise.scores import Scorer, Seen
from models.signal.truth import LOW_RATE
from models.signal.windows import STEP_S
from models.signal.wrist import WristSignal
from schemas.inputs import ACC6, InputLayout

Level = Literal["user", "cluster", "global"]
CLIP = np.float32(5.0)
PROTOTYPE_STEP: Final = 1 / 24  # standard deviations per unit of a stored prototype
FAMILIAR: Final = 0.35
"""Mean strangeness below which a set is like those that were learned (decision 18)."""


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """What one window of 4 s looks like.

    Attributes:
        t0_ns: its first sample, nanoseconds since the epoch.
        exercise: the most probable exercise.
        probability: of that exercise.
    """

    t0_ns: int
    exercise: str
    probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stretch of movement is.

    Attributes:
        exercise: None when abstained.
        probability: of the exercise, or of the best guess when abstained.
        abstained: True when no exercise is named.
        reason: why not: "unknown-movement", "too-short", "other-layout", or of `naming`; None
            otherwise.
        windows: every window by itself.
        known: P(known), None when there was no window.
        guess: the most probable exercise whether abstained or not.
        notes: what was put right in the samples, and what they lack.
        strange: mean log distance to what was learned over the usual one; None without a window.
    """

    exercise: str | None
    probability: float
    abstained: bool
    reason: str | None
    windows: tuple[WindowAnswer, ...] = ()
    known: float | None = None
    guess: str | None = None
    notes: tuple[str, ...] = ()
    strange: float | None = None


@dataclass(frozen=True, slots=True)
class LowRateDiscriminant:
    """A second discriminant, for windows of a low sampling rate.

    Attributes:
        weights: int8 (k, s), in units of `step`, one per `low_rate_features`.
        step: score per unit of a weight and standard deviation.
        bias: float32 (k,).
        typical: as the model's, over these features.
    """

    weights: NDArray[np.int8]
    step: float
    bias: Floats32
    typical: float


@dataclass(frozen=True, slots=True)
class ExerciseModel:
    """A linear discriminant over standardised features, with prototypes of what it has seen.

    Attributes:
        model_id: the layout it reads.
        level: the rung of the ladder it stands on.
        labels: k exercises.
        mean, scale: float32 (d,), standardisation; both representable as float16.
        weights: float16 (k, d); bias: float32 (k,).
        prototypes: int8 (p, d), means of each exercise and side, in 1/24 standard deviations.
        precision: float16 (d,), one over the variance around the prototypes.
        typical: log of the mean distance of training windows to their prototype.
        calibration: from scores to probabilities.
        low_rate: scores windows of a low rate that are not familiar; None in models older than it.
    """

    model_id: InputLayout
    level: Level
    labels: tuple[str, ...]
    mean: Floats32
    scale: Floats32
    weights: Floats16
    bias: Floats32
    prototypes: NDArray[np.int8]
    precision: Floats16
    typical: float
    calibration: Calibration
    low_rate: LowRateDiscriminant | None = None
    _scorer: Scorer = field(init=False, repr=False, compare=False)
    _low_rate_scorer: Scorer | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        places = self.prototypes * np.float32(PROTOTYPE_STEP)
        scorer = Scorer(
            mean=self.mean,
            scale=self.scale,
            weights=self.weights,
            bias=self.bias,
            prototypes=places,
            precision=self.precision,
            typical=self.typical,
            calibration=self.calibration,
        )
        object.__setattr__(self, "_scorer", scorer)
        if self.low_rate is not None:
            object.__setattr__(self, "_low_rate_scorer", self._scorer_of(self.low_rate, places))

    def standardised(self, x: Floats32) -> Floats32:
        """Features in standard deviations, clipped at 5; float32 (m, d)."""
        z = x - self.mean
        z /= self.scale
        np.minimum(z, CLIP, out=z)
        return np.maximum(z, -CLIP, out=z)

    def scores(self, x: Floats32) -> Floats32:
        """Linear scores, float32 (m, k); row by row, so that a batch changes no byte."""
        return self._scorer.scores(x)

    def strangeness(self, x: Floats32) -> Floats64:
        """Log distance to the nearest prototype over that of training windows, (m,)."""
        return self._scorer.see(x).strange

    def looked_at(self, x: Floats32, notes: Sequence[str]) -> Seen:
        """Windows of one set as a whole, or by what a low rate shows of them.

        A device that has always sent such samples has taught the model how they look: what is
        familiar is looked at as a whole at any rate.

        Args:
            x: (m, d), m ≥ 1.
            notes: of their samples.
        """
        seen = self._scorer.see(x)
        if self._low_rate_scorer is None or LOW_RATE not in notes or _mean(seen.strange) < FAMILIAR:
            return seen
        return self._low_rate_scorer.see(x[:, low_rate_features(self.model_id == ACC6)])

    def probabilities(self, x: Floats32) -> Floats64:
        """Calibrated probabilities of each window, (m, k)."""
        return self._scorer.see(x).each

    def of_set(self, each: Floats64) -> Floats64:
        """Calibrated probabilities of a set from those of its windows (m, k), m ≥ 1; (k,)."""
        c = self.calibration
        return (1 - c.doubt) * whole_set(each, c.whole) + c.doubt / each.shape[1]

    def novelty(self, strange: float, hesitation: float) -> float:
        """Of a set, from its mean strangeness and its hesitation.

        Movement that was learned, on another day, is strange or hesitantly named, seldom both.
        """
        return strange + self.calibration.hesitation * hesitation

    def known(self, novelty: float) -> float:
        """P(known) for the novelty of a set."""
        return self.calibration.known(novelty)

    def answer(self, signals: Sequence[WristSignal], step_s: float = STEP_S) -> Answer:
        """The exercise of a stretch of movement, overall and window by window.

        A signal of another layout is left out; an unknown side is tried on both wrists.
        """
        return self.answer_reading(read(signals, step_s))

    def answer_reading(self, reading: Reading) -> Answer:
        """The same for a stretch whose windows have been read."""
        windows = self._windows_of(reading)
        if len(windows.x) == 0:
            return self._no_answer(reading)
        return self.answer_windows(windows.t0_ns, windows.x, reading.notes)

    def strangeness_of(self, reading: Reading) -> float | None:
        """`Answer.strange` of a stretch, and nothing else; None where there is no window."""
        x = self._windows_of(reading).x
        return _mean(self.looked_at(x, reading.notes).strange) if len(x) else None

    def answer_windows(self, t0_ns: Ints64, x: Floats32, notes: tuple[str, ...] = ()) -> Answer:
        """The same as `answer` from features: t0_ns (m,), x (m, d), m ≥ 1."""
        seen = self.looked_at(x, notes)
        strange = _mean(seen.strange)
        best = int(seen.whole.argmax())
        novelty = self.novelty(strange, seen.hesitation)
        abstained = novelty > self.calibration.abstain_above
        named = [self.labels[k] for k in seen.each.argmax(axis=1).tolist()]
        surest = np.maximum.reduce(seen.each, axis=1).tolist()
        windows = tuple(map(WindowAnswer, t0_ns.tolist(), named, surest))
        return Answer(
            exercise=None if abstained else self.labels[best],
            probability=float(seen.whole[best]),
            abstained=abstained,
            reason="unknown-movement" if abstained else None,
            windows=windows,
            known=self.known(novelty),
            guess=self.labels[best],
            notes=notes,
            strange=strange,
        )

    def guesses(self, sets: Sequence[Floats32]) -> list[tuple[str, list[str]]]:
        """What `answer_windows` names, overall and per window, for many sets and nothing else.

        Args:
            sets: features of each set, float32 (m, d), m ≥ 1.
        """
        return [
            (self.labels[int(seen.whole.argmax())], [self.labels[k] for k in seen.each.argmax(1)])
            for seen in map(self._scorer.see, sets)
        ]

    def _scorer_of(self, low_rate: LowRateDiscriminant, places: Floats32) -> Scorer:
        kept = low_rate_features(self.model_id == ACC6)
        return Scorer(
            mean=self.mean[kept],
            scale=self.scale[kept],
            weights=low_rate.weights * np.float32(low_rate.step),
            bias=low_rate.bias,
            prototypes=places[:, kept],
            precision=self.precision[kept],
            typical=low_rate.typical,
            calibration=self.calibration,
        )

    def _no_answer(self, reading: Reading) -> Answer:
        """Why there is no window to answer from."""
        readable = any(one.layout == self.model_id for one in reading.signals)
        reason = "too-short" if readable or not reading.signals else "other-layout"
        return Answer(None, 0.0, abstained=True, reason=reason, notes=reading.notes)

    def _windows_of(self, reading: Reading) -> Windows:
        """The windows that this model can read, on the wrist that is less strange to it."""
        parts = [
            self._likelier_wrist(one, reading.notes)
            for one in reading.signals
            if one.layout == self.model_id
        ]
        if len(parts) == 1:
            return parts[0]
        none = Windows(np.empty(0, np.int64), np.empty((0, len(self.mean)), np.float32))
        return Windows(
            np.concatenate([none.t0_ns, *(part.t0_ns for part in parts)]),
            np.concatenate([none.x, *(part.x for part in parts)]),
        )

    def _likelier_wrist(self, signal: ReadSignal, notes: Sequence[str]) -> Windows:
        if len(signal.wrists) == 1 or len(signal.wrists[0].x) == 0:
            return signal.wrists[0]
        return min(signal.wrists, key=lambda tried: _mean(self.looked_at(tried.x, notes).strange))


def _mean(strangeness: Floats64) -> float:
    return float(np.add.reduce(strangeness)) / len(strangeness)
