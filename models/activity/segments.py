"""What is found in a recording: segments of exercise on the clock."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.borders import Scored
from models.activity.settings import SETTINGS, ActivitySettings
from models.activity.states import Span

EVIDENCE = 0.25  # neighbouring windows share seven eighths of their samples


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


def segment_of(scored: Scored, span: Span) -> Segment:
    """A span on the clock, with the probability that its windows give together."""
    inside = (scored.centre_s >= span[0]) & (scored.centre_s < span[1])
    odds = float(scored.log_odds[inside].mean()) * EVIDENCE if inside.any() else 0.0
    t0_ns = scored.signal.t0_ns
    return Segment(
        start_ns=t0_ns + round(span[0] * 1e9),
        end_ns=t0_ns + round(span[1] * 1e9),
        probability=float(1 / (1 + np.exp(-odds))),
    )


def joined(
    segments: Sequence[Segment], settings: ActivitySettings = SETTINGS
) -> tuple[Segment, ...]:
    """Segments in order, those one that only lost samples part.

    >>> parts = [Segment(0, 10**9, 0.5), Segment(2 * 10**9, 4 * 10**9, 0.75)]
    >>> joined(parts)
    (Segment(start_ns=0, end_ns=4000000000, probability=0.75),)
    """
    out: list[Segment] = []
    for segment in sorted(segments, key=lambda s: s.start_ns):
        if out and segment.start_ns - out[-1].end_ns <= settings.join_s * 1e9:
            likelier = max(out[-1].probability, segment.probability)
            out[-1] = Segment(out[-1].start_ns, max(out[-1].end_ns, segment.end_ns), likelier)
        else:
            out.append(segment)
    return tuple(out)
