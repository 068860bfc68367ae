"""The answer while nothing was learned: what repeats itself is exercise."""

from collections.abc import Sequence

import numpy as np

from models.activity.borders import Scored, core_of
from models.activity.periodicity import DOWNSAMPLED_HZ, periodicity
from models.activity.segments import Segment, joined, segment_of
from models.activity.settings import SETTINGS
from models.activity.states import Span, likeliest_states, spans_of
from models.activity.traces import LIKE_1S, smoothed, traces
from models.arrays import Flags
from models.signal.windows import RATE_HZ, WINDOW_S, window_starts
from models.signal.wrist import WristSignal


def segments_by_rhythm(signals: Sequence[WristSignal]) -> tuple[Segment, ...]:
    """Sets by their periodicity alone, each grown to where it stops being like itself.

    It misses sets rather than inventing them. What it finds is exercise, but some sets with uneven
    repetitions are missed or found in part, and the borders are coarser than those of a model
    (`evaluate` has the numbers, `s4_*_untrained` and `s4b_*_untrained`).
    """
    found: list[Segment] = []
    for signal in signals:
        scored = scored_by_rhythm(signal)
        states = likeliest_states(scored.log_odds, SETTINGS.free_stay)
        spans = spans_of(states, scored.centre_s, signal.duration_s)
        long = [s for s in spans if s[1] - s[0] >= SETTINGS.least_set_s]
        found += [segment_of(scored, grown(signal, span)) for span in long]
    return joined(found)


def scored_by_rhythm(signal: WristSignal) -> Scored:
    """A signal's windows with log odds from the height of their periodicity."""
    starts = window_starts(len(signal.acc_g), SETTINGS.step_s, signal.filled)
    centre_s = starts / RATE_HZ + WINDOW_S / 2
    height = periodicity(signal, centre_s)[:, 0] - SETTINGS.free_from
    odds = np.clip(height, -SETTINGS.free_from, SETTINGS.free_from) * SETTINGS.free_scale
    return Scored(signal, centre_s, odds)


def grown(signal: WristSignal, span: Span) -> Span:
    """A span extended on both sides as long as its surroundings are like its middle.

    Periodicity needs twelve seconds and so begins late and ends early; likeness needs one.
    """
    unlike = traces(signal, core_of(span, SETTINGS))[:, LIKE_1S]
    alike = smoothed(unlike[:, None], round(DOWNSAMPLED_HZ))[:, 0] < SETTINGS.unlike
    first, last = (round(s * DOWNSAMPLED_HZ) for s in span)
    reach = round(SETTINGS.free_reach_s * DOWNSAMPLED_HZ)
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
