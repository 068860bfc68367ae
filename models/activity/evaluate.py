"""Protocols S4 and S4b: exercise or idle per second, and the borders of sets, leave a day out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.border_examples import matched
from models.activity.examples import ActivityExample, activity_examples, labels_of, relative_spans
from models.activity.fit import fit_activity
from models.activity.segments import Segment
from models.activity.untrained import untrained_segments
from models.arrays import Floats64, Indices
from models.mean import mean
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC3, ACC6, InputLayout

BORDER_S = 2.0
EDGE_S = 0.5
MIN_DAYS = 2

RecordingSegments = tuple["ActivityRecording", tuple[Segment, ...]]


@dataclass(frozen=True, slots=True)
class ActivityRecording:
    """A recording whose sets are known.

    Attributes:
        group: the day; a day is never on both sides of a split.
        signals: its stretches without gaps.
        sets_ns: start and end of every set.
    """

    group: str
    signals: tuple[WristSignal, ...]
    sets_ns: tuple[tuple[int, int], ...]


def leave_one_day_out(
    recordings: Sequence[ActivityRecording], model_id: InputLayout
) -> list[RecordingSegments]:
    """Every recording with the segments of a model that was learned on the other days.

    That holds for the discriminant, the borders and the first guesses that borders are learned on.

    Raises:
        NotEnoughLabels: there is one day alone, or less than 20 s of exercise or of idle on the
            other days.
    """
    days = sorted({r.group for r in recordings})
    if len(days) < MIN_DAYS:
        raise NotEnoughLabels(f"a day is left out of two or more, and there is {len(days)}")
    examples: list[ActivityExample] = []
    for r in recordings:
        examples += activity_examples(r.signals, r.sets_ns, r.group, model_id)
    out: list[RecordingSegments] = []
    for day in days:
        model = fit_activity([e for e in examples if e.group != day], model_id)
        out += [(r, model.segments(r.signals)) for r in recordings if r.group == day]
    return out


def confusion_seconds(
    recording: ActivityRecording, segments: Sequence[Segment], margin_s: float
) -> Indices:
    """(3,) true positive, false positive and false negative seconds of one recording.

    Args:
        recording: with the truth.
        segments: as predicted.
        margin_s: seconds whose middle is nearer to a labelled border are not counted.
    """
    counts = np.zeros(3, dtype=np.intp)
    for signal in recording.signals:
        at_s = np.arange(0.5, int(signal.duration_s), dtype=np.float64)
        actual_s = relative_spans(recording.sets_ns, signal)
        predicted_s = relative_spans([(s.start_ns, s.end_ns) for s in segments], signal)
        borders = np.array([b for span in actual_s for b in span])
        counted = np.abs(at_s[:, None] - borders[None, :]).min(axis=1, initial=np.inf) >= margin_s
        actual, predicted = labels_of(at_s, actual_s), labels_of(at_s, predicted_s)
        outcomes = (predicted & actual, predicted & ~actual, ~predicted & actual)
        counts += np.array([int((h & counted).sum()) for h in outcomes])
    return counts


def precision_recall(results: Sequence[RecordingSegments], margin_s: float) -> tuple[float, float]:
    """Precision and recall of exercise per second, over all recordings."""
    right, wrong, missed = sum(
        (confusion_seconds(r, s, margin_s) for r, s in results), start=np.zeros(3, dtype=np.intp)
    )
    return float(right / max(right + wrong, 1)), float(right / max(right + missed, 1))


def border_errors(results: Sequence[RecordingSegments]) -> tuple[Floats64, Floats64]:
    """Predicted minus labelled start and end, s, of every set with idle before and after it.

    A set that was not found has an infinite error. Sets that a recording begins or ends with are
    left out: their borders are the recording's.

    Returns:
        Errors of starts and of ends, (e,) each; (0,) where no set has idle around it.
    """
    starts: list[float] = []
    ends: list[float] = []
    for recording, segments in results:
        spans = [(s.start_ns / 1e9, s.end_ns / 1e9) for s in segments]
        for start_ns, end_ns in recording.sets_ns:
            if not has_idle_around(recording, start_ns, end_ns):
                continue
            truth = (start_ns / 1e9, end_ns / 1e9)
            pair = matched(spans, [truth])
            starts.append(pair[0][0][0] - truth[0] if pair else np.inf)
            ends.append(pair[0][0][1] - truth[1] if pair else np.inf)
    return np.array(starts), np.array(ends)


def has_idle_around(recording: ActivityRecording, start_ns: int, end_ns: int) -> bool:
    """Whether samples lie before and after a set; not where the recording has no stretch."""
    if not recording.signals:
        return False
    first_ns = min(s.t0_ns for s in recording.signals)
    last_ns = max(s.t0_ns + s.duration_s * 1e9 for s in recording.signals)
    return start_ns - first_ns > EDGE_S * 1e9 and last_ns - end_ns > EDGE_S * 1e9


def figures_of(results: Sequence[RecordingSegments], suffix: str) -> dict[str, float]:
    """The figures of one method, each name ending in `suffix`."""
    precision, recall = precision_recall(results, BORDER_S)
    strict_precision, strict_recall = precision_recall(results, 0.0)
    starts, ends = (np.abs(e) for e in border_errors(results))
    extra = sum(len(s) for _, s in results) - sum(len(r.sets_ns) for r, _ in results)
    figures = {
        "s4_precision": precision,
        "s4_recall": recall,
        "s4_precision_with_borders": strict_precision,
        "s4_recall_with_borders": strict_recall,
        "s4b_start": mean(starts <= 2),
        "s4b_end": mean(ends <= 2),
        "s4b_both_2s": mean((starts <= 2) & (ends <= 2)),
        "s4b_both_3s": mean((starts <= 3) & (ends <= 3)),
        "s4b_sets": float(len(starts)),
        "s4b_found_minus_labelled": float(extra),
    }
    return {f"{name}{suffix}": value for name, value in figures.items()}


def activity_figures(recordings: Sequence[ActivityRecording]) -> dict[str, float]:
    """Protocols S4 and S4b, leave one day out, with rotation, without, and untrained.

    Args:
        recordings: continuous, of several days, all with rotation.

    Returns:
        `s4_precision`, `s4_recall`: of seconds of exercise, without those within 2 s of a labelled
        border, on which human labels do not agree; `..._with_borders`: of all seconds. `s4b_start`,
        `s4b_end`, `s4b_both_2s`: shares of borders within 2 s; `s4b_both_3s`: both within 3 s. Each
        also `_acc_only` (without rotation) and `_untrained` (by periodicity alone). Shares are NaN
        where no set has idle around it.

    Raises:
        NotEnoughLabels: as `leave_one_day_out`.
    """
    methods: dict[str, Callable[[], list[RecordingSegments]]] = {
        "": lambda: leave_one_day_out(recordings, ACC6),
        "_acc_only": lambda: leave_one_day_out(recordings, ACC3),
        "_untrained": lambda: [(r, untrained_segments(r.signals)) for r in recordings],
    }
    return {
        k: v
        for suffix, evaluate in methods.items()
        for k, v in figures_of(evaluate(), suffix).items()
    }
