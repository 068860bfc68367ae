"""Training examples of activity models: windows in sets are exercise, between them idle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.features import ActivityWindows, activity_features
from models.activity.settings import SETTINGS
from models.activity.states import Span
from models.arrays import Flags, Floats64
from models.exercise.layout import as_layout
from models.exercise.statistics import Statistics, statistics_of, total
from models.signal.wrist import WristSignal
from schemas.inputs import InputLayout

EXERCISE, IDLE = "exercise", "idle"


@dataclass(frozen=True, slots=True)
class ActivityExample:
    """A stretch of recording whose sets are known.

    Attributes:
        group: the session or day, left out as a whole when its first guesses are made.
        signal: at 50 Hz.
        windows: its features.
        sets_s: start and end of its sets, seconds after its first sample.
        statistics: sums over its windows of exercise and of idle.
    """

    group: str
    signal: WristSignal
    windows: ActivityWindows
    sets_s: tuple[Span, ...]
    statistics: Statistics


def activity_examples(
    signals: Sequence[WristSignal],
    sets_ns: Sequence[tuple[int, int]],
    group: str,
    model_id: InputLayout,
) -> list[ActivityExample]:
    """Training examples of a recording: its confirmed sets are exercise, everything else idle.

    Args:
        signals: the stretches of the recording. Those that lack the layout's rotation, or are
            shorter than a window, give no example.
        sets_ns: start and end of every set that was done, nanoseconds since the epoch. A set
            that is missing here is learned as idle.
        group: session or day.
        model_id: the layout to learn; rotation is ignored for "wrist-acc3".
    """
    examples: list[ActivityExample] = []
    for signal in signals:
        used = as_layout(signal, model_id)
        if used is None:
            continue
        windows = activity_features(used, SETTINGS.step_s)
        if windows.still.all():
            continue
        spans_s = relative_spans(sets_ns, signal)
        sets_s = tuple((a, b) for a, b in spans_s if b > 0 and a < signal.duration_s)
        examples.append(
            ActivityExample(group, used, windows, sets_s, window_statistics(windows, sets_s, used))
        )
    return examples


def relative_spans(spans_ns: Sequence[tuple[int, int]], signal: WristSignal) -> list[Span]:
    """Spans in seconds after a signal's first sample."""
    return [((a - signal.t0_ns) / 1e9, (b - signal.t0_ns) / 1e9) for a, b in spans_ns]


def window_statistics(
    windows: ActivityWindows, sets_s: Sequence[Span], signal: WristSignal
) -> Statistics:
    """Statistics of a stretch: every window that moves, labelled by its middle."""
    active = labels_of(windows.centre_s, sets_s)
    idle = ~active & ~windows.still
    parts = [(EXERCISE, windows.x[active & ~windows.still]), (IDLE, windows.x[idle])]
    return total(
        [statistics_of(x, label, signal.side, SETTINGS.step_s) for label, x in parts if len(x)]
    )


def labels_of(at_s: Floats64, sets_s: Sequence[Span]) -> Flags:
    """(m,) whether a time lies in a set.

    >>> labels_of(np.array([1.0, 3.0]), [(2.0, 4.0)]).tolist()
    [False, True]
    """
    active = np.zeros(len(at_s), dtype=bool)
    for start_s, end_s in sets_s:
        active |= (at_s >= start_s) & (at_s < end_s)
    return active
