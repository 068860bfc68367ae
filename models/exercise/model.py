"""The exercise model: linear scores, calibrated probabilities, and abstention from the unknown.

User models and the global one are of the same type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats16, Floats32, Floats64, Ints64
from models.exercise.features import Windows
from models.exercise.names import low_rate_count
from models.exercise.prediction import UNKNOWN_MOVEMENT, Prediction, WindowPrediction
from models.exercise.probability import Calibration, pool_windows
from models.exercise.scores import Scorer, SetScores
from models.exercise.windowing import MovementWindows, SignalWindows, window_movement
from models.signal.wrist import WristSignal
from schemas.inputs import ACC6, InputLayout
from schemas.notes import LOW_RATE, QualityNote

Level = Literal["user", "cluster", "global"]
CLIP = np.float32(5.0)
PROTOTYPE_STEP: Final = 1 / 24  # standard deviations per unit of a stored prototype
FAMILIAR: Final = 0.35
"""Mean strangeness below which a set is familiar: like those of training (decision 18)."""


@dataclass(frozen=True, slots=True)
class LowRateDiscriminant:
    """A second discriminant, for windows of a low sampling rate.

    Attributes:
        weights: int8 (k, s), in units of `step`, one for each of the features of low rates.
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
    """A linear discriminant over standardised features, with prototypes of its training data.

    Attributes:
        model_id: the layout it reads.
        level: the rung of the ladder that it is for.
        labels: k exercises.
        mean, scale: float32 (d,), standardisation; both representable as float16.
        weights: float16 (k, d); bias: float32 (k,).
        prototypes: int8 (p, d), means of each exercise and side, in 1/24 standard deviations.
        precision: float16 (d,), one over the variance around the prototypes.
        typical: log of the mean distance of training windows to their prototype.
        calibration: from scores to probabilities.
        low_rate: scores windows of a low rate that are not familiar; None in evaluations, whose
            stored windows do not tell their sampling rate.
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
        return self._scorer.score_set(x).strangeness

    def score_set(self, x: Floats32, notes: Sequence[QualityNote]) -> SetScores:
        """Scores of the windows of one set, by the low-rate discriminant where needed.

        A familiar set is scored by all features at any rate: then the model was trained on such a
        device.

        Args:
            x: (m, d), m ≥ 1.
            notes: of their samples.
        """
        scores = self._scorer.score_set(x)
        if (
            self._low_rate_scorer is None
            or LOW_RATE not in notes
            or _mean(scores.strangeness) < FAMILIAR
        ):
            return scores
        return self._low_rate_scorer.score_set(x[:, : low_rate_count(self.model_id == ACC6)])

    def probabilities(self, x: Floats32) -> Floats64:
        """Calibrated probabilities of each window, (m, k)."""
        return self._scorer.score_set(x).window_probabilities

    def of_set(self, window_probabilities: Floats64) -> Floats64:
        """Calibrated probabilities of a set from those of its windows (m, k), m ≥ 1; (k,)."""
        c = self.calibration
        pooled = pool_windows(window_probabilities, c.whole)
        return (1 - c.doubt) * pooled + c.doubt / len(pooled)

    def novelty(self, strangeness: float, hesitation: float) -> float:
        """Novelty of a set, from its mean strangeness and its hesitation.

        Known movement on another day is strange or hesitantly named, seldom both.
        """
        return strangeness + self.calibration.hesitation * hesitation

    def known(self, novelty: float) -> float:
        """P(known) for the novelty of a set."""
        return self.calibration.known(novelty)

    def predict(self, signals: Sequence[WristSignal]) -> Prediction:
        """Predict the exercise of a stretch of movement, overall and window by window.

        A signal of another layout is left out; an unknown side is tried on both wrists.
        """
        return self.predict_movement(window_movement(signals))

    def predict_movement(self, movement: MovementWindows) -> Prediction:
        """As `predict`, from windows."""
        windows = self._windows_of(movement)
        if len(windows.x) == 0:
            return self._no_answer(movement)
        return self.predict_windows(windows.t0_ns, windows.x, movement.notes)

    def set_strangeness(self, movement: MovementWindows) -> float | None:
        """Mean strangeness of a stretch of movement; None where there is no window."""
        x = self._windows_of(movement).x
        return _mean(self.score_set(x, movement.notes).strangeness) if len(x) else None

    def predict_windows(
        self, t0_ns: Ints64, x: Floats32, notes: tuple[QualityNote, ...] = ()
    ) -> Prediction:
        """As `predict`, from features: t0_ns (m,), x (m, d), m ≥ 1."""
        seen = self.score_set(x, notes)
        strangeness = _mean(seen.strangeness)
        best = int(seen.set_probabilities.argmax())
        novelty = self.novelty(strangeness, seen.hesitation)
        abstained = novelty > self.calibration.abstain_above
        named = [self.labels[k] for k in seen.window_probabilities.argmax(axis=1).tolist()]
        surest = np.maximum.reduce(seen.window_probabilities, axis=1).tolist()
        windows = tuple(map(WindowPrediction, t0_ns.tolist(), named, surest))
        return Prediction(
            exercise=None if abstained else self.labels[best],
            probability=float(seen.set_probabilities[best]),
            abstained=abstained,
            reason=UNKNOWN_MOVEMENT if abstained else None,
            windows=windows,
            known=self.known(novelty),
            guess=self.labels[best],
            notes=notes,
            strangeness=strangeness,
        )

    def guesses(self, sets: Sequence[Floats32]) -> list[tuple[str, list[str]]]:
        """The most likely exercise of many sets, overall and per window, as `predict_windows`.

        Args:
            sets: features of each set, float32 (m, d), m ≥ 1.
        """
        return [
            (
                self.labels[int(seen.set_probabilities.argmax())],
                [self.labels[k] for k in seen.window_probabilities.argmax(1)],
            )
            for seen in map(self._scorer.score_set, sets)
        ]

    def _scorer_of(self, low_rate: LowRateDiscriminant, places: Floats32) -> Scorer:
        count = low_rate_count(self.model_id == ACC6)
        return Scorer(
            mean=self.mean[:count],
            scale=self.scale[:count],
            weights=low_rate.weights * np.float32(low_rate.step),
            bias=low_rate.bias,
            prototypes=places[:, :count],
            precision=self.precision[:count],
            typical=low_rate.typical,
            calibration=self.calibration,
        )

    def _no_answer(self, movement: MovementWindows) -> Prediction:
        """Abstain without a window, with the reason why there is none."""
        readable = any(signal.layout == self.model_id for signal in movement.signals)
        reason = "too-short" if readable or not movement.signals else "other-layout"
        return Prediction(None, 0.0, abstained=True, reason=reason, notes=movement.notes)

    def _windows_of(self, movement: MovementWindows) -> Windows:
        """The windows that this model can read, on the wrist that is less strange to it."""
        parts = [
            self._likelier_wrist(signal, movement.notes)
            for signal in movement.signals
            if signal.layout == self.model_id
        ]
        if len(parts) == 1:
            return parts[0]
        none = Windows(np.empty(0, np.int64), np.empty((0, len(self.mean)), np.float32))
        return Windows(
            np.concatenate([none.t0_ns, *(part.t0_ns for part in parts)]),
            np.concatenate([none.x, *(part.x for part in parts)]),
        )

    def _likelier_wrist(self, signal: SignalWindows, notes: Sequence[QualityNote]) -> Windows:
        if len(signal.wrists) == 1 or len(signal.wrists[0].x) == 0:
            return signal.wrists[0]
        return min(
            signal.wrists, key=lambda tried: _mean(self.score_set(tried.x, notes).strangeness)
        )


def _mean(strangeness: Floats64) -> float:
    return float(np.add.reduce(strangeness)) / len(strangeness)
