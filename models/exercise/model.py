"""The exercise model: linear scores, calibrated probabilities, and the right to say "never seen".

One answer for all levels of the ladder: a user's own model and the global one are the same type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exercise.features import Windows
from models.exercise.layout import ModelId
from models.exercise.probability import hesitation, softmax, whole_set
from models.exercise.reading import Reading, ReadSignal, read
from models.signal.windows import STEP_S
from models.signal.wrist import WristSignal

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width
Level = Literal["user", "cluster", "global"]
CLIP = np.float32(5.0)
PROTOTYPE_STEP: Final = 1 / 24  # standard deviations per unit of a stored prototype
ROWS_AT_ONCE = 32  # half a megabyte of distances: twice as many cost twice as much each


@dataclass(frozen=True, slots=True)
class Calibration:
    """What other people's held-out windows taught about how far scores can be trusted.

    Attributes:
        window: factor on the scores of one window before softmax.
        whole: factor on the mean log probabilities of a set's windows: how many of them are news.
        known_centre, known_slope: P(known) = 1 / (1 + exp(slope · (r - centre))), where r is the
            log of the distance to the nearest prototype over what training windows have.
        abstain_above: novelty of a set from which on the answer is "unknown movement".
        doubt: share of sets of which scores say nothing, however sure they look: another day, a
            label that slipped. There each exercise is as likely as any other.
        hesitation: what a nat of a set's hesitation adds to its mean r; their sum is its novelty.
            0 in bytes that are older than it: they answer as they did.
    """

    window: float = 0.3
    whole: float = 2.0
    known_centre: float = 0.85
    known_slope: float = 5.3
    abstain_above: float = 1.3
    doubt: float = 0.0
    hesitation: float = 0.0


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
    """

    model_id: ModelId
    level: Level
    labels: tuple[str, ...]
    mean: Array
    scale: Array
    weights: NDArray[np.float16]
    bias: Array
    prototypes: NDArray[np.int8]
    precision: NDArray[np.float16]
    typical: float
    calibration: Calibration
    _weights: Array = field(init=False, repr=False, compare=False)
    _places: Array = field(init=False, repr=False, compare=False)
    _roots: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        roots = np.sqrt(self.precision.astype(np.float32))
        places = self.prototypes.astype(np.float32) * np.float32(PROTOTYPE_STEP) * roots
        object.__setattr__(self, "_weights", np.ascontiguousarray(self.weights.T, np.float32))
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_roots", roots)

    def standardised(self, x: Array) -> Array:
        """Features in standard deviations, clipped at 5; float32 (m, d)."""
        z = x - self.mean
        z /= self.scale
        np.minimum(z, CLIP, out=z)
        return np.maximum(z, -CLIP, out=z)

    def scores(self, x: Array) -> Array:
        """Linear scores, float32 (m, k); row by row, so that a batch changes no byte."""
        return self._scores(self.standardised(x))

    def strangeness(self, x: Array) -> Array:
        """Log distance to the nearest prototype over that of training windows, float32 (m,)."""
        return self._strangeness(self.standardised(x))

    def probabilities(self, x: Array) -> NDArray[np.float64]:
        """Calibrated probabilities of each window, (m, k)."""
        return softmax(self.scores(x) * self.calibration.window)

    def probable_and_strange(self, x: Array) -> tuple[NDArray[np.float64], Array]:
        """`probabilities` and `strangeness`, (m, k) and (m,)."""
        z = self.standardised(x)
        return softmax(self._scores(z) * self.calibration.window), self._strangeness(z)

    def _scores(self, z: Array) -> Array:
        return (z[:, None, :] @ self._weights)[:, 0] + self.bias

    def _strangeness(self, z: Array) -> Array:
        scaled = z * self._roots
        nearest = np.empty(len(z), dtype=np.float32)
        for i in range(0, len(z), ROWS_AT_ONCE):
            off = scaled[i : i + ROWS_AT_ONCE, None, :] - self._places
            np.square(off, out=off)
            np.minimum.reduce(np.add.reduce(off, axis=-1), axis=-1, out=nearest[i : i + len(off)])
        return np.log(nearest + np.float32(1e-6)) - np.float32(self.typical)

    def of_set(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of a set from those of its windows (m, k), m ≥ 1; (k,)."""
        c = self.calibration
        return (1 - c.doubt) * whole_set(each, c.whole) + c.doubt / each.shape[1]

    def novelty(self, strange: float, each: NDArray[np.float64]) -> float:
        """Of a set, from its mean strangeness and the probabilities of its windows (m, k), m ≥ 1.

        Movement that was learned, on another day, is strange or hesitantly named, seldom both.
        """
        return strange + self.calibration.hesitation * hesitation(each)

    def known(self, strangeness: ArrayLike) -> NDArray[np.float64]:
        """P(known) for the strangeness of windows, or the novelty of sets."""
        c = self.calibration
        off = c.known_slope * (np.asarray(strangeness) - c.known_centre)
        return 1 / (1 + np.exp(np.minimum(np.maximum(off, -30), 30), dtype=np.float64))

    def answer(self, signals: Sequence[WristSignal], step_s: float = STEP_S) -> Answer:
        """The exercise of a stretch of movement, overall and window by window.

        A signal of another layout is left out; an unknown side is tried on both wrists.
        """
        return self.answer_readings([read(signals, step_s)])[0]

    def answer_readings(self, readings: Sequence[Reading]) -> list[Answer]:
        """The same for many stretches whose windows have been read, computed together."""
        windows = [self._windows_of(reading) for reading in readings]
        x = np.concatenate([one.x for one in windows]) if windows else np.empty((0, 0))
        if len(x) == 0:
            return [self._no_answer(reading) for reading in readings]
        each, strange = self.probable_and_strange(x)
        found: list[Answer] = []
        end = 0
        for reading, one in zip(readings, windows, strict=True):
            mine = slice(end, end := end + len(one.t0_ns))
            found.append(
                self._answer(one.t0_ns, each[mine], strange[mine], reading.notes)
                if mine.start < mine.stop
                else self._no_answer(reading)
            )
        return found

    def strangeness_of(self, readings: Sequence[Reading]) -> list[float | None]:
        """`Answer.strange` of many stretches, and nothing else; None where there is no window."""
        parts = [self._windows_of(reading).x for reading in readings]
        if not any(map(len, parts)):
            return [None] * len(parts)
        each = np.split(self.strangeness(np.concatenate(parts)), _ends(parts))
        return [_mean(mine) if len(mine) else None for mine in each]

    def answer_windows(
        self, t0_ns: NDArray[np.int64], x: Array, notes: tuple[str, ...] = ()
    ) -> Answer:
        """The same from features: t0_ns (m,), x (m, d), m ≥ 1."""
        return self._answer(t0_ns, *self.probable_and_strange(x), notes)

    def _answer(
        self,
        t0_ns: NDArray[np.int64],
        each: NDArray[np.float64],
        strangeness: Array,
        notes: tuple[str, ...],
    ) -> Answer:
        """From the probabilities (m, k) and the strangeness (m,) of a stretch's windows."""
        overall = self.of_set(each)
        strange = _mean(strangeness)
        best = int(overall.argmax())
        novelty = self.novelty(strange, each)
        abstained = novelty > self.calibration.abstain_above
        named = [self.labels[k] for k in each.argmax(axis=1).tolist()]
        surest = np.maximum.reduce(each, axis=1).tolist()
        windows = tuple(map(WindowAnswer, t0_ns.tolist(), named, surest))
        return Answer(
            exercise=None if abstained else self.labels[best],
            probability=float(overall[best]),
            abstained=abstained,
            reason="unknown-movement" if abstained else None,
            windows=windows,
            known=float(self.known(novelty)),
            guess=self.labels[best],
            notes=notes,
            strange=strange,
        )

    def guesses(self, sets: Sequence[Array]) -> list[tuple[str, list[str]]]:
        """What `answer_windows` names, overall and per window, for many sets and nothing else.

        Args:
            sets: features of each set, float32 (m, d), m ≥ 1.
        """
        if not sets:
            return []
        each = self.probabilities(np.concatenate(sets))
        found: list[tuple[str, list[str]]] = []
        for p in np.split(each, _ends(sets)):
            overall = int(whole_set(p, self.calibration.whole).argmax())
            found.append((self.labels[overall], [self.labels[k] for k in p.argmax(axis=1)]))
        return found

    def _no_answer(self, reading: Reading) -> Answer:
        """Why there is no window to answer from."""
        readable = any(one.layout == self.model_id for one in reading.signals)
        reason = "too-short" if readable or not reading.signals else "other-layout"
        return Answer(None, 0.0, abstained=True, reason=reason, notes=reading.notes)

    def _windows_of(self, reading: Reading) -> Windows:
        """The windows that this model can read, on the wrist that is less strange to it."""
        parts = [self._likelier_wrist(s) for s in reading.signals if s.layout == self.model_id]
        if len(parts) == 1:
            return parts[0]
        none = Windows(np.empty(0, np.int64), np.empty((0, len(self.mean)), np.float32))
        return Windows(
            np.concatenate([none.t0_ns, *(part.t0_ns for part in parts)]),
            np.concatenate([none.x, *(part.x for part in parts)]),
        )

    def _likelier_wrist(self, signal: ReadSignal) -> Windows:
        if len(signal.wrists) == 1 or len(signal.wrists[0].x) == 0:
            return signal.wrists[0]
        return min(signal.wrists, key=lambda tried: float(self.strangeness(tried.x).mean()))


def _mean(strangeness: Array) -> float:
    return float(np.add.reduce(strangeness) / np.float32(len(strangeness)))


def _ends(parts: Sequence[Array]) -> list[int]:
    """Where each part but the last one ends, among the rows of all."""
    return list(accumulate(len(part) for part in parts))[:-1]
