"""The activity model: finds sets in a recording. `untrained` does so without a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.borders import (
    BorderDistribution,
    ScoredSignal,
    best_time,
    candidates,
    certain_border,
    core_span,
    posture_means,
)
from models.activity.features import ActivityWindows, activity_features
from models.activity.logit import BorderModel
from models.activity.resumed import merge_resumed
from models.activity.segments import Segment, merge_across_gaps, segment_of
from models.activity.settings import SETTINGS
from models.activity.states import Span, spans_of, viterbi_states
from models.activity.traces import postures, traces
from models.activity.untrained import untrained_segments
from models.arrays import Floats32, Floats64
from models.exercise.layout import as_layout
from models.signal.wrist import WristSignal
from schemas.inputs import InputLayout
from schemas.notes import LOW_RATE

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
        low_rate: scores signals of a low rate.
    """

    model_id: InputLayout
    mean: Floats32
    scale: Floats32
    weights: Floats32
    bias: float
    start: BorderModel | None
    end: BorderModel | None
    low_rate: LowRateDiscriminant

    def log_odds(self, x: Floats32, *, low_rate: bool = False) -> Floats64:
        """(m,) log odds of exercise of windows (m, d), clipped at `score_clip`."""
        weights, bias = self.weights, self.bias
        if low_rate:
            weights, bias = self.low_rate.weights, self.low_rate.bias
        z = np.clip((x - self.mean) / self.scale, -FEATURE_CLIP, FEATURE_CLIP)
        odds = z.astype(np.float64) @ weights.astype(np.float64) + bias
        return np.clip(odds, -SETTINGS.score_clip, SETTINGS.score_clip)

    def scored(self, signal: WristSignal, windows: ActivityWindows | None = None) -> ScoredSignal:
        """The signal's windows with their log odds."""
        features = activity_features(signal, SETTINGS.step_s) if windows is None else windows
        odds = self.log_odds(features.x, low_rate=LOW_RATE in signal.notes)
        odds = np.where(features.still, -SETTINGS.score_clip, odds)
        return ScoredSignal(signal, features.centre_s, odds)

    def spans(self, scored: ScoredSignal) -> list[Span]:
        """The sets with refined borders, seconds after the first sample."""
        return [
            self.refined(scored, span) for span in merge_resumed(scored.signal, first_spans(scored))
        ]

    def refined(self, scored: ScoredSignal, span: Span) -> Span:
        """A set with refined borders; those at an end of the signal stay."""
        core_s = core_span(span)
        trace = traces(scored.signal, core_s)
        start, end = certain_border(span[0]), certain_border(span[1])
        if self.start is not None and span[0] > 0:
            at_s, x = candidates(scored, trace, span[0], end=False)
            start = BorderDistribution(at_s, self.start.probabilities(x))
        if self.end is not None and span[1] < scored.signal.duration_s:
            at_s, x = candidates(scored, trace, span[1], end=True)
            like = posture_means(postures(scored.signal, core_s), at_s, start, end=True)
            end = BorderDistribution(at_s, self.end.probabilities(np.hstack([x, like])))
        start_s, end_s = (best_time(border, SETTINGS.border_within_s) for border in (start, end))
        return (start_s, end_s) if end_s - start_s >= SETTINGS.min_set_s / 2 else span

    def segments(self, signals: Sequence[WristSignal]) -> tuple[Segment, ...]:
        """The sets of a recording, in order.

        Args:
            signals: its stretches without gaps. A model without rotation ignores it; a stretch
                that lacks the rotation that a model needs falls back to `untrained_segments`.
        """
        segments: list[Segment] = []
        for signal in signals:
            read = as_layout(signal, self.model_id)
            if read is None:
                segments += untrained_segments([signal])
            else:
                segments += self.segments_in(self.scored(read))
        return merge_across_gaps(segments)

    def segments_in(self, scored: ScoredSignal) -> tuple[Segment, ...]:
        """The sets of a stretch without gaps, in order."""
        return merge_across_gaps([segment_of(scored, span) for span in self.spans(scored)])


def first_spans(scored: ScoredSignal) -> list[Span]:
    """The sets by the scores of windows alone, before their borders are refined."""
    states = viterbi_states(scored.log_odds, SETTINGS.stay)
    spans = spans_of(states, scored.centre_s, scored.signal.duration_s)
    return [s for s in spans if s[1] - s[0] >= SETTINGS.min_set_s]
