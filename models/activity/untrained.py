"""Finds sets without a model: periodic movement is exercise."""

from collections.abc import Sequence

import numpy as np

from models.activity.borders import ScoredSignal, core_span
from models.activity.periodicity import DOWNSAMPLED_HZ, periodicity
from models.activity.segments import Segment, merge_across_gaps, segment_of
from models.activity.settings import SETTINGS
from models.activity.states import Span, spans_of, viterbi_states
from models.activity.traces import DISTANCE_1S, smoothed, traces
from models.arrays import Flags
from models.signal.windows import RATE_HZ, WINDOW_S, window_starts
from models.signal.wrist import WristSignal


def untrained_segments(signals: Sequence[WristSignal]) -> tuple[Segment, ...]:
    """Sets by periodicity alone, each extended to where the movement stops resembling its core.

    Precision is high and recall lower: sets with uneven repetitions are missed or found in part,
    and borders are coarser than those of a model (figures `s4_*_untrained`, `s4b_*_untrained`).
    """
    segments: list[Segment] = []
    for signal in signals:
        scored = score_by_periodicity(signal)
        states = viterbi_states(scored.log_odds, SETTINGS.untrained_stay)
        spans = spans_of(states, scored.centre_s, signal.duration_s)
        sets = [s for s in spans if s[1] - s[0] >= SETTINGS.min_set_s]
        segments += [segment_of(scored, grown(signal, span)) for span in sets]
    return merge_across_gaps(segments)


def score_by_periodicity(signal: WristSignal) -> ScoredSignal:
    """A signal with log odds from the height of its periodicity."""
    starts = window_starts(len(signal.acc_g), SETTINGS.step_s, signal.filled)
    centre_s = starts / RATE_HZ + WINDOW_S / 2
    height = periodicity(signal, centre_s)[:, 0] - SETTINGS.untrained_threshold
    odds = (
        np.clip(height, -SETTINGS.untrained_threshold, SETTINGS.untrained_threshold)
        * SETTINGS.untrained_scale
    )
    return ScoredSignal(signal, centre_s, odds)


def grown(signal: WristSignal, span: Span) -> Span:
    """A span extended on both sides as long as its surroundings resemble its core.

    Periodicity is measured over twelve seconds, so it starts late and ends early; the distance to
    the core is measured over one.
    """
    distance = traces(signal, core_span(span))[:, DISTANCE_1S]
    alike = smoothed(distance[:, None], round(DOWNSAMPLED_HZ))[:, 0] < SETTINGS.similar_below
    first, last = (round(s * DOWNSAMPLED_HZ) for s in span)
    reach = round(SETTINGS.untrained_reach_s * DOWNSAMPLED_HZ)
    before = run_length(alike[max(0, first - reach) : first][::-1])
    after = run_length(alike[last : last + reach])
    return max(0.0, span[0] - before / DOWNSAMPLED_HZ), min(
        signal.duration_s, span[1] + after / DOWNSAMPLED_HZ
    )


def run_length(flags: Flags) -> int:
    """How many flags (n,) are true before the first that is not; 0 of none.

    >>> run_length(np.array([True, True, False, True]))
    2
    """
    stops = np.flatnonzero(~flags)
    return int(stops[0]) if len(stops) else len(flags)
