"""Protocols S4 and S4b: exercise or idle per second, and the borders of sets, leave a day out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.border_examples import matched
from models.activity.examples import ActivityExample, activity_examples, labels_of
from models.activity.fit import fit_activity
from models.activity.rhythm import segments_by_rhythm
from models.activity.segments import Segment
from models.activity.states import Span
from models.arrays import Floats64, Indices
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout

BORDER_S = 2.0
EDGE_S = 0.5

FoundSegments = tuple["ActivityRecording", tuple[Segment, ...]]


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


def found_without_the_day(
    recordings: Sequence[ActivityRecording], model_id: InputLayout
) -> list[FoundSegments]:
    """Every recording with the segments of a model that never saw its day.

    All that is learned (discriminant, borders, the first guesses that borders are learned on)
    comes from the other days.
    """
    examples: list[ActivityExample] = []
    for r in recordings:
        examples += activity_examples(r.signals, r.sets_ns, r.group, model_id)
    out: list[FoundSegments] = []
    for day in sorted({r.group for r in recordings}):
        model = fit_activity([e for e in examples if e.group != day], model_id)
        out += [(r, model.segments(r.signals)) for r in recordings if r.group == day]
    return out


def seconds_of(
    recording: ActivityRecording, segments: Sequence[Segment], margin_s: float
) -> Indices:
    """(3,) right exercise, wrong exercise, missed exercise: seconds of one recording.

    Args:
        recording: with the truth.
        segments: what was found.
        margin_s: seconds whose middle is nearer to a labelled border are left out.
    """
    counts = np.zeros(3, dtype=np.intp)
    for signal in recording.signals:
        at_s = np.arange(0.5, int(signal.duration_s), dtype=np.float64)
        truth_s = relative(recording.sets_ns, signal)
        found_s = relative([(s.start_ns, s.end_ns) for s in segments], signal)
        borders = np.array([b for span in truth_s for b in span])
        clear = np.abs(at_s[:, None] - borders[None, :]).min(axis=1, initial=np.inf) >= margin_s
        true, found = labels_of(at_s, truth_s), labels_of(at_s, found_s)
        hits = (found & true, found & ~true, ~found & true)
        counts += np.array([int((h & clear).sum()) for h in hits])
    return counts


def relative(spans_ns: Sequence[tuple[int, int]], signal: WristSignal) -> list[Span]:
    """Spans in seconds after a signal's first sample."""
    return [((a - signal.t0_ns) / 1e9, (b - signal.t0_ns) / 1e9) for a, b in spans_ns]


def precision_recall(found: Sequence[FoundSegments], margin_s: float) -> tuple[float, float]:
    """Precision and recall of exercise per second, over all recordings."""
    right, wrong, missed = sum(
        (seconds_of(r, s, margin_s) for r, s in found), start=np.zeros(3, dtype=np.intp)
    )
    return float(right / max(right + wrong, 1)), float(right / max(right + missed, 1))


def border_errors(found: Sequence[FoundSegments]) -> tuple[Floats64, Floats64]:
    """Found minus labelled start and end, s, of every set that has idle before and after it.

    A set that was not found at all has an infinite error. Sets of recordings that begin or end
    with them are left out: where such a set is cut says nothing.

    Returns:
        Errors of starts and of ends, (e,) each; (0,) where no set has idle around it.
    """
    starts: list[float] = []
    ends: list[float] = []
    for recording, segments in found:
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
    """Whether samples lie before and after a set."""
    first_ns = min(s.t0_ns for s in recording.signals)
    last_ns = max(s.t0_ns + s.duration_s * 1e9 for s in recording.signals)
    return start_ns - first_ns > EDGE_S * 1e9 and last_ns - end_ns > EDGE_S * 1e9


def figures_of(found: Sequence[FoundSegments], tail: str) -> dict[str, float]:
    """The figures of one way to find sets, each name ending in `tail`."""
    precision, recall = precision_recall(found, BORDER_S)
    strict_precision, strict_recall = precision_recall(found, 0.0)
    starts, ends = (np.abs(e) for e in border_errors(found))
    extra = sum(len(s) for _, s in found) - sum(len(r.sets_ns) for r, _ in found)
    figures = {
        "s4_precision": precision,
        "s4_recall": recall,
        "s4_precision_with_borders": strict_precision,
        "s4_recall_with_borders": strict_recall,
        "s4b_start": float((starts <= 2).mean()),
        "s4b_end": float((ends <= 2).mean()),
        "s4b_both_2s": float(((starts <= 2) & (ends <= 2)).mean()),
        "s4b_both_3s": float(((starts <= 3) & (ends <= 3)).mean()),
        "s4b_sets": float(len(starts)),
        "s4b_found_minus_labelled": float(extra),
    }
    return {f"{name}{tail}": value for name, value in figures.items()}


def activity_figures(recordings: Sequence[ActivityRecording]) -> dict[str, float]:
    """Protocols S4 and S4b, leave one day out, with rotation, without, and untrained.

    Args:
        recordings: continuous, of several days, all with rotation.

    Returns:
        `s4_precision`, `s4_recall`: seconds of exercise, those within 2 s of a labelled border
        left out, because people who label do not agree on borders better than that;
        `..._with_borders`: all seconds. `s4b_start`, `s4b_end`, `s4b_both_2s`: borders within
        2 s; `s4b_both_3s`: both within 3 s. Each also `_acc_only` and `_untrained` (by
        periodicity, nothing learned).
    """
    ways: dict[str, Callable[[], list[FoundSegments]]] = {
        "": lambda: found_without_the_day(recordings, ACC6),
        "_acc_only": lambda: found_without_the_day(recordings, ACC3),
        "_untrained": lambda: [(r, segments_by_rhythm(r.signals)) for r in recordings],
    }
    return {k: v for tail, find in ways.items() for k, v in figures_of(find(), tail).items()}
