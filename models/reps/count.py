"""Count the repetitions of one set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.arrays import Floats64
from models.reps.borders import Bounds, bounds
from models.reps.confidence import Confidence, traits_of
from models.reps.explain import Explanation, explain
from models.reps.measure import Repetition, measured
from models.reps.periods import candidate_periods
from models.reps.prepare import Prepared, prepare
from models.reps.settings import RepsSettings
from models.reps.stretches import joined
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

SETTINGS = RepsSettings()
# Where nothing repeats within 10 s. Of repetitions of 12 s and more the trend is most of the
# movement; faster sets are without it, because it would be mistaken for their repetitions.
SLOW_SETTINGS = replace(SETTINGS, longest_s=40.0, trend_from_s=math.inf)
SLOW_FROM_S = 2 * SETTINGS.longest_s  # in less there is no second repetition of that kind
# The sway of a plank that is slowly entered seldom looks both as slow and as sure (2 of 124); three
# quarters of gym sets that are slowed to 11 to 20 s a repetition do (scripts outside the tree).
LEAST_SLOW_S = 8.0  # of a set, by repetition
LEAST_SLOW_CONFIDENCE = 0.5
# What `evaluate.learned_confidence` learns on SPAR-10 and the gym days, with and without
# rotation. `muvr evaluate reps` reports how far it is from that (`s5_shipped_confidence_gap`), and
# how such a confidence does on people and days that it did not see.
CONFIDENCE = Confidence((18.456, 4.737, -0.867, -0.754, -1.741), -16.788)


@dataclass(frozen=True, slots=True)
class Repetitions:
    """The repetitions of a set.

    Attributes:
        count: how many; 0 where nothing repeats.
        confidence: probability that the count is exactly right, on data like that it was
            learned on. Good for ranking a person's sets, not a promise across devices.
        repetitions: each of them, in order; as many as `count`.
    """

    count: int
    confidence: float
    repetitions: tuple[Repetition, ...]


@dataclass(frozen=True, slots=True)
class RankedExplanations:
    """A set with every explanation that was considered, best first, each with its borders."""

    ranked: tuple[tuple[Explanation, Bounds], ...]

    def traits(self, settings: RepsSettings) -> Floats64:
        """(5,) what the confidence of the best explanation's count depends on."""
        best, borders = self.ranked[0]
        others = [(e.score(settings), len(b.spans)) for e, b in self.ranked[1:]]
        return traits_of(best, borders, others, settings)


def explanations(prepared: Prepared, settings: RepsSettings) -> list[Explanation]:
    """Every way to cover the set that pays, one per candidate period."""
    periods = candidate_periods(prepared, settings)
    tried = (explain(prepared, period_s, settings) for period_s in periods)
    return [explanation for explanation in tried if explanation is not None]


def ranked(tried: Sequence[Explanation], settings: RepsSettings) -> RankedExplanations:
    """Order explanations by score and find the repetitions of each."""
    order = sorted(tried, key=lambda e: -e.score(settings))
    return RankedExplanations(tuple((e, bounds(e, settings)) for e in order))


def count_in_arrays(acc_g: Floats64, gyro: Floats64 | None, rate_hz: float) -> Repetitions:
    """Count repetitions in plain arrays.

    Args:
        acc_g: (n, 3) acceleration in g, gravity included.
        gyro: (n, 3) rotation in rad/s, or None.
        rate_hz: sample rate of both, 25 Hz or more.

    Returns:
        The repetitions, times in seconds after row 0. Less than two seconds, or a wrist that
        never moves, holds none, with confidence 0.
    """
    counted = _counted(acc_g, gyro, rate_hz, SETTINGS)
    if counted is None and len(acc_g) >= SLOW_FROM_S * rate_hz:
        slow = _counted(acc_g, gyro, rate_hz, SLOW_SETTINGS)
        counted = slow if slow and _is_slow(slow, len(acc_g) / rate_hz) else None
    return counted or Repetitions(0, 0.0, ())


def _is_slow(counted: Repetitions, duration_s: float) -> bool:
    """Whether a count by `SLOW_SETTINGS` is one of slow repetitions, not of sway."""
    slow = duration_s >= LEAST_SLOW_S * counted.count
    return slow and counted.confidence >= LEAST_SLOW_CONFIDENCE


def _counted(
    acc_g: Floats64, gyro: Floats64 | None, rate_hz: float, settings: RepsSettings
) -> Repetitions | None:
    """The repetitions as `count_in_arrays` returns them; None where nothing repeats."""
    prepared = prepare(acc_g, gyro, rate_hz, settings)
    tried = explanations(prepared, settings) if prepared is not None else []
    if prepared is None or not tried:
        return None
    counted = ranked(tried, settings)
    best, borders = counted.ranked[0]
    step_s, offset_s = best.grid.step_s, prepared.offset_s
    spans_s = [(offset_s + a * step_s, offset_s + b * step_s) for a, b in borders.spans]
    repetitions = measured(acc_g, gyro, rate_hz, spans_s)
    return Repetitions(len(repetitions), CONFIDENCE.of(counted.traits(settings)), repetitions)


def count_repetitions(signal: WristSignal | Sequence[WristSignal]) -> Repetitions:
    """Count the repetitions of one set.

    Args:
        signal: the wrist during the set, or its pieces where samples were lost. Gaps up to
            `SETTINGS.longest_gap_s` are bridged, longer ones counted on either side. Either
            wrist, with or without rotation; where one bridged piece lacks rotation, the others
            around it are counted without theirs.

    Returns:
        The repetitions, times in seconds after the first sample of the earliest piece.
    """
    signals = (signal,) if isinstance(signal, WristSignal) else tuple(signal)
    parts = joined(signals, SETTINGS.longest_gap_s)
    counted = [count_in_arrays(p.acc_g, p.gyro, RATE_HZ) for p in parts]
    repetitions = [
        r.later(p.start_s) for p, c in zip(parts, counted, strict=True) for r in c.repetitions
    ]
    confidence = min((c.confidence for c in counted), default=0.0)
    return Repetitions(len(repetitions), confidence, tuple(repetitions))
