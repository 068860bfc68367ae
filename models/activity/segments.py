"""Segments of exercise: sets that were found, in absolute time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.borders import ScoredSignal
from models.activity.settings import SETTINGS
from models.activity.states import Span

EVIDENCE_PER_WINDOW = 0.25  # neighbouring windows share seven eighths of their samples


@dataclass(frozen=True, slots=True)
class Segment:
    """A set that was found.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch.
        probability: that it is exercise; a ranking, not calibrated on other people.
    """

    start_ns: int
    end_ns: int
    probability: float


def segment_of(scored: ScoredSignal, span: Span) -> Segment:
    """A span in absolute time, with the joint probability of its windows."""
    inside = (scored.centre_s >= span[0]) & (scored.centre_s < span[1])
    odds = float(scored.log_odds[inside].mean()) * EVIDENCE_PER_WINDOW if inside.any() else 0.0
    t0_ns = scored.signal.t0_ns
    return Segment(
        start_ns=t0_ns + round(span[0] * 1e9),
        end_ns=t0_ns + round(span[1] * 1e9),
        probability=float(1 / (1 + np.exp(-odds))),
    )


def merge_across_gaps(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments in order; those that only a short loss of samples separates are merged.

    >>> parts = [Segment(0, 10**9, 0.5), Segment(2 * 10**9, 4 * 10**9, 0.75)]
    >>> merge_across_gaps(parts)
    (Segment(start_ns=0, end_ns=4000000000, probability=0.75),)
    """
    out: list[Segment] = []
    for segment in sorted(segments, key=lambda s: s.start_ns):
        if out and segment.start_ns - out[-1].end_ns <= SETTINGS.merge_gap_s * 1e9:
            likelier = max(out[-1].probability, segment.probability)
            out[-1] = Segment(out[-1].start_ns, max(out[-1].end_ns, segment.end_ns), likelier)
        else:
            out.append(segment)
    return tuple(out)
