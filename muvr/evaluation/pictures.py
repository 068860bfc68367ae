"""Plots of confusion, reliability, and recordings with their found sets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray

from models.activity.evaluate import RecordingSegments
from models.activity.examples import relative_spans
from models.activity.states import Span
from models.exercise.protocols.outcome import ProtocolOutcome, confusion
from models.reps.count import Repetitions, count_repetitions
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal, slice_of
from muvr.evaluation.drawing import ACCENT, AXES, INK, ON_ACCENT, SOFT, TRUTH, plain

BINS = 10
AROUND_S = 20.0  # of a recording before and after its sets
DARK = 0.55  # a cell fuller than this carries light text
WIDE, LOW = 10.0, 2.7
EVERY = 2  # samples of a signal are drawn: a hand moves slower, a page is smaller


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """A set with its repetitions.

    Attributes:
        group: person or day.
        signal: the set and nothing else.
        reps: how many it has.
        counted: what the counter made of it.
    """

    group: str
    signal: WristSignal
    reps: int
    counted: Repetitions


def confusion_matrix(outcome: ProtocolOutcome) -> Picture:
    """The confusion matrix of windows, or of sets where no windows were kept."""
    of_sets = not any(len(a.truth) for a in outcome.predictions)
    counts = confusion(outcome, of_sets=of_sets)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals[:, None], 1)
    size = len(outcome.labels)
    picture = Picture(figsize=(1.8 + 0.5 * size, 1.2 + 0.42 * size))
    axes = picture.subplots()
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = float(shares[row, column])
        axes.fill_between(
            [column - 0.48, column + 0.48],
            row - 0.46,
            row + 0.46,
            color=ACCENT,
            alpha=share,
            linewidth=0,
        )
        text = f"{100 * share:.0f}" if share >= 0.005 else "·"
        colour = ON_ACCENT if share > DARK else INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set_xticks(range(size), outcome.labels, rotation=35, ha="right")
    named = [f"{label}  ({n:,})" for label, n in zip(outcome.labels, totals, strict=True)]
    axes.set_yticks(range(size), named)
    axes.set_xlabel("named")
    axes.set_ylabel(f"was (number of {'sets' if of_sets else 'windows'})")
    plain(axes)
    axes.tick_params(length=0, colors=INK)
    return picture


def reliability(outcome: ProtocolOutcome) -> Picture:
    """The reliability diagram: accuracy by predicted probability; below, the histogram.

    Over windows, or over sets where no windows were kept.
    """
    predicted, right = predictions_of(outcome)
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    filled = [b for b in range(BINS) if (bins == b).any()]
    picture = Picture(figsize=(3.9, 4.2))
    above, below = picture.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    shares = np.bincount(bins, minlength=BINS) / len(bins)
    above.scatter(
        [predicted[bins == b].mean() for b in filled],
        [right[bins == b].mean() for b in filled],
        s=10 + 90 * np.sqrt(shares[filled]),
        color=ACCENT,
    )
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that was right")
    below.bar((np.arange(BINS) + 0.5) / BINS, shares, width=0.09, color=ACCENT, alpha=0.5)
    below.set(xlabel="probability that was said", ylabel="how often", ylim=(0, 1))
    for axes in (above, below):
        plain(axes)
    return picture


def predictions_of(outcome: ProtocolOutcome) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Predicted probabilities and whether the answers were right: of windows, or else of sets."""
    if any(len(a.truth) for a in outcome.predictions):
        predicted = [a.probability for a in outcome.predictions]
        right = [a.truth == a.predicted for a in outcome.predictions]
    else:
        predicted = [a.set_probability for a in outcome.predictions]
        right = [a.set_truth == a.set_predicted for a in outcome.predictions]
    return np.concatenate(predicted), np.concatenate(right)


def recording(recording_segments: RecordingSegments) -> Picture:
    """One recording: labelled sets, found sets with their repetitions, acceleration below.

    Of a recording with gaps, the stretch is drawn that shares most time with its sets.
    """
    truth, segments = recording_segments
    found_ns = [(s.start_ns, s.end_ns) for s in segments]
    signal = max(truth.signals, key=lambda s: _shared_s([*truth.sets_ns, *found_ns], s))
    labelled, spans = (_spans_within(several, signal) for several in (truth.sets_ns, found_ns))
    everything = [*labelled, *spans] or [(0.0, signal.duration_s)]
    first_s = max(0.0, min(a for a, _ in everything) - AROUND_S)
    last_s = min(signal.duration_s, max(b for _, b in everything) + AROUND_S)
    picture = Picture(figsize=(WIDE, LOW))
    bars, below = picture.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    bands(bars, labelled, 1, TRUTH)
    bands(bars, spans, 0, ACCENT)
    for span in spans:
        first = round(span[0] * RATE_HZ)
        part = slice_of(signal, first, round(span[1] * RATE_HZ))
        for repetition in count_repetitions(part).repetitions:
            bars.vlines(
                first / RATE_HZ + repetition.start_s, -0.4, 0.4, color=ON_ACCENT, linewidth=1
            )
    bars.set_yticks([1, 0], ["labelled", "found"])
    bars.set_ylim(-0.6, 1.6)
    acceleration(below, signal, first_s, last_s)
    for edge in (edge for span in labelled for edge in span):
        below.axvline(edge, color=TRUTH, linewidth=1, linestyle=":")
    plain(bars)
    bars.spines["bottom"].set_visible(False)
    bars.tick_params(length=0, colors=INK)
    return picture


def _spans_within(spans_ns: Sequence[tuple[int, int]], signal: WristSignal) -> list[Span]:
    """The parts of spans that lie in a stretch, in seconds after its first sample."""
    parts = [
        (max(start, 0.0), min(end, signal.duration_s))
        for start, end in relative_spans(spans_ns, signal)
    ]
    return [(start, end) for start, end in parts if start < end]


def _shared_s(spans_ns: Sequence[tuple[int, int]], signal: WristSignal) -> tuple[float, float]:
    """What a stretch has in common with spans, and how long it is: seconds, to compare by."""
    shared_s = sum(end - start for start, end in _spans_within(spans_ns, signal))
    return shared_s, signal.duration_s


def counted_set(drawn_set: DrawnSet) -> Picture:
    """A set with its counted repetitions numbered and shaded in turn."""
    picture = Picture(figsize=(WIDE, 1.9))
    axes = picture.subplots()
    for k, repetition in enumerate(drawn_set.counted.repetitions):
        shade = 0.22 if k % 2 else 0.1
        axes.axvspan(repetition.start_s, repetition.end_s, color=ACCENT, alpha=shade, linewidth=0)
        middle = (repetition.start_s + repetition.end_s) / 2
        axes.text(
            middle, 1.01, str(k + 1), transform=axes.get_xaxis_transform(), ha="center", color=SOFT
        )
    acceleration(axes, drawn_set.signal, 0.0, drawn_set.signal.duration_s)
    return picture


def bands(axes: Axes, spans: Sequence[Span], at: float, colour: str) -> None:
    """A bar for every span."""
    axes.broken_barh([(a, b - a) for a, b in spans], (at - 0.4, 0.8), color=colour, linewidth=0)


def acceleration(axes: Axes, signal: WristSignal, first_s: float, last_s: float) -> None:
    """The three axes of acceleration, g over s."""
    first, last = round(first_s * RATE_HZ), round(last_s * RATE_HZ)
    at_s = np.arange(first, min(last, len(signal.acc_g)), EVERY) / RATE_HZ
    for axis, colour in enumerate(AXES):
        axes.plot(at_s, signal.acc_g[first:last:EVERY, axis], color=colour, linewidth=0.7)
    axes.set(xlim=(first_s, last_s), xlabel="seconds", ylabel="g")
    plain(axes)
