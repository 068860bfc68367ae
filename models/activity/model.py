"""Finds sets in a recording with a learned model; `rhythm` does without one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.activity.borders import (
    Maybe,
    Scored,
    best_time,
    candidates,
    core_of,
    posture_means,
    surely,
)
from models.activity.features import ActivityWindows, activity_features
from models.activity.logit import BorderModel
from models.activity.periodicity import DOWNSAMPLED_HZ
from models.activity.rhythm import segments_by_rhythm
from models.activity.segments import Segment, joined, segment_of
from models.activity.settings import SETTINGS, ActivitySettings
from models.activity.states import Span, likeliest_states, spans_of
from models.activity.traces import LIKE_2S, postures, traces
from models.arrays import Floats32, Floats64
from models.exercise.layout import layout_of
from models.signal.truth import LOW_RATE
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout

FEATURE_CLIP = 5.0


@dataclass(frozen=True, slots=True)
class LowRateDiscriminant:
    """A second discriminant, for signals of a low sampling rate.

    Attributes:
        weights: float32 (d,), zero for features that a low rate distorts.
        bias: as the model's.
    """

    weights: Floats32
    bias: float


@dataclass(frozen=True, slots=True)
class ActivityModel:
    """What was learned about one layout.

    Attributes:
        model_id: the layout it reads.
        mean, scale: float32 (d,) standardisation of features.
        weights: float32 (d,) and bias: log odds of exercise are x @ weights + bias.
        start, end: models of the borders; None where no labelled border had idle beside it.
            An end also knows the posture in which its set began.
        low_rate: scores signals of a low rate; None in models older than it.
    """

    model_id: InputLayout
    mean: Floats32
    scale: Floats32
    weights: Floats32
    bias: float
    start: BorderModel | None
    end: BorderModel | None
    low_rate: LowRateDiscriminant | None = None

    def log_odds(self, x: Floats32, *, low_rate: bool = False) -> Floats64:
        """(m,) log odds of exercise of windows (m, d), clipped to what is as good as certain."""
        linear = self.low_rate if low_rate and self.low_rate is not None else self
        z = np.clip((x - self.mean) / self.scale, -FEATURE_CLIP, FEATURE_CLIP)
        odds = z.astype(np.float64) @ linear.weights.astype(np.float64) + linear.bias
        return np.clip(odds, -SETTINGS.score_clip, SETTINGS.score_clip)

    def scored(self, signal: WristSignal, windows: ActivityWindows | None = None) -> Scored:
        """The signal's windows with their log odds."""
        found = activity_features(signal, SETTINGS.step_s) if windows is None else windows
        odds = self.log_odds(found.x, low_rate=LOW_RATE in signal.notes)
        odds = np.where(found.still, -SETTINGS.score_clip, odds)
        return Scored(signal, found.centre_s, odds)

    def spans(self, scored: Scored) -> list[Span]:
        """The sets in seconds after the first sample, with the second look at their borders."""
        return [self.refined(scored, span) for span in resumed(scored, first_spans(scored))]

    def refined(self, scored: Scored, span: Span) -> Span:
        """A set's borders after the second look; those at an end of the signal stay."""
        core_s = core_of(span, SETTINGS)
        trace = traces(scored.signal, core_s)
        start, end = surely(span[0]), surely(span[1])
        if self.start is not None and span[0] > 0:
            at_s, x = candidates(scored, trace, span[0], SETTINGS, end=False)
            start = Maybe(at_s, self.start.probabilities(x))
        if self.end is not None and span[1] < scored.signal.duration_s:
            at_s, x = candidates(scored, trace, span[1], SETTINGS, end=True)
            like = posture_means(postures(scored.signal, core_s), at_s, start, end=True)
            end = Maybe(at_s, self.end.probabilities(np.hstack([x, like])))
        start_s, end_s = (best_time(border, SETTINGS.border_within_s) for border in (start, end))
        return (start_s, end_s) if end_s - start_s >= SETTINGS.least_set_s / 2 else span

    def segments(self, signals: Sequence[WristSignal]) -> tuple[Segment, ...]:
        """The sets of a recording, in order.

        Args:
            signals: its stretches without gaps. Rotation is ignored by a model that learned
                without it; a stretch that lacks what the model needs is answered by the rule
                of `models.activity.rhythm`.
        """
        found: list[Segment] = []
        for signal in signals:
            if self.model_id == ACC6 and layout_of(signal) == ACC3:
                found += segments_by_rhythm([signal])
                continue
            read = replace(signal, gyro_rad_s=None) if self.model_id == ACC3 else signal
            found += self.segments_in(self.scored(read))
        return joined(found)

    def segments_in(self, scored: Scored) -> tuple[Segment, ...]:
        """The sets of a stretch without gaps, in order."""
        return joined([segment_of(scored, span) for span in self.spans(scored)])


def first_spans(scored: Scored, settings: ActivitySettings = SETTINGS) -> list[Span]:
    """The sets by the scores of windows alone, before their borders are looked at again."""
    states = likeliest_states(scored.log_odds, settings.stay)
    spans = spans_of(states, scored.centre_s, scored.signal.duration_s)
    return [s for s in spans if s[1] - s[0] >= settings.least_set_s]


def resumed(
    scored: Scored, spans: Sequence[Span], settings: ActivitySettings = SETTINGS
) -> list[Span]:
    """Spans in order, those one that are a set and, after a short breath, the rest of it."""
    found: list[Span] = []
    for span in spans:
        if found and goes_on(scored, found[-1], span, settings):
            found[-1] = (found[-1][0], span[1])
        else:
            found.append(span)
    return found


def goes_on(scored: Scored, before: Span, after: Span, settings: ActivitySettings) -> bool:
    """Whether two spans are one set: little time between them, and the same movement."""
    if after[0] - before[1] > settings.breath_s:
        return False
    longer, other = sorted((before, after), key=lambda span: span[0] - span[1])
    near_s = after[1] - before[0]
    unlike = traces(scored.signal, core_of(longer, settings), near_s)[:, LIKE_2S]
    first, end = (round(s * DOWNSAMPLED_HZ) for s in core_of(other, settings))
    return float(unlike[first:end].mean()) < settings.unlike
