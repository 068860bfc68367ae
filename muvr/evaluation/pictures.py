"""Pictures of what was right and what was wrong."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from models.activity.evaluate import ActivityRecording, Found, border_errors
from models.activity.model import Segment
from models.exercise.figures import Outcome, confusion
from models.reps.count import count_repetitions
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

BINS = 10
SHOWN = 4  # recordings of each kind: best and worst


def confusion_matrix(outcome: Outcome) -> Picture:
    """Shares of each true exercise, by what was named; windows."""
    counts = confusion(outcome).astype(float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = Picture(figsize=(6.5, 5.5))
    axes = picture.subplots()
    axes.imshow(shares, cmap="BuGn", vmin=0, vmax=1)
    axes.set_xticks(range(len(outcome.labels)), outcome.labels, rotation=40, ha="right")
    axes.set_yticks(range(len(outcome.labels)), outcome.labels)
    axes.set_xlabel("named")
    axes.set_ylabel("was")
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        colour = "white" if share > 0.6 else "black"
        text = f"{share:.0%}" if share >= 0.005 else "·"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_title("windows, share of each exercise")
    return picture


def reliability(outcome: Outcome) -> Picture:
    """How often a named exercise was right, by the probability that was said."""
    said = np.concatenate([a.probability for a in outcome.asked])
    right = np.concatenate([a.truth == a.named for a in outcome.asked])
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    filled = [b for b in range(BINS) if (bins == b).any()]
    picture = Picture(figsize=(4.5, 4))
    axes = picture.subplots()
    axes.plot([0, 1], [0, 1], color="#c0c8cf", linewidth=1)
    axes.plot(
        [said[bins == b].mean() for b in filled],
        [right[bins == b].mean() for b in filled],
        marker="o",
        color="#0b7a75",
    )
    axes.set_xlabel("probability said")
    axes.set_ylabel("share right")
    axes.set_title(f"reliability, {len(said):,} windows")
    return picture


def telling(found: Sequence[Found]) -> list[Found]:
    """The recordings with the best and the worst borders."""
    judged = [(one, *border_errors([one])) for one in found]
    with_sets = [(one, np.abs([*s, *e]).max()) for one, s, e in judged if len(s)]
    ranked = [one for one, _ in sorted(with_sets, key=lambda pair: pair[1])]
    return ranked[:SHOWN] + ranked[-SHOWN:] if len(ranked) > 2 * SHOWN else ranked


def recording(truth: ActivityRecording, segments: Sequence[Segment]) -> Picture:
    """One recording: acceleration, labelled sets, found sets, repetitions."""
    signal = max(truth.signals, key=lambda s: len(s.acc_g))
    picture = Picture(figsize=(10, 2.4))
    axes = picture.subplots()
    at_s = np.arange(len(signal.acc_g)) / RATE_HZ
    for axis, colour in zip(range(3), ("#7aa6c2", "#a8c686", "#d9a86c"), strict=True):
        axes.plot(at_s, signal.acc_g[:, axis], color=colour, linewidth=0.5)
    _bars(axes, signal, truth.sets_ns, 3.2, "#16202a")
    spans = [(s.start_ns, s.end_ns) for s in segments]
    _bars(axes, signal, spans, -3.4, "#0b7a75")
    for start_ns, end_ns in spans:
        _ticks(axes, signal, start_ns, end_ns)
    axes.set_ylim(-4, 4)
    axes.set_xlabel("s")
    axes.set_ylabel("g")
    axes.set_title(f"{truth.group}: {_border_text(truth, segments)}", fontsize=9)
    return picture


def _bars(
    axes: Axes, signal: WristSignal, spans: Sequence[tuple[int, int]], at: float, colour: str
) -> None:
    for start_ns, end_ns in spans:
        start_s, end_s = (start_ns - signal.t0_ns) / 1e9, (end_ns - signal.t0_ns) / 1e9
        axes.plot([start_s, end_s], [at, at], color=colour, linewidth=5, solid_capstyle="butt")


def _ticks(axes: Axes, signal: WristSignal, start_ns: int, end_ns: int) -> None:
    """The beginning of every counted repetition."""
    first = max(0, round((start_ns - signal.t0_ns) / 1e9 * RATE_HZ))
    last = round((end_ns - signal.t0_ns) / 1e9 * RATE_HZ)
    gyro = None if signal.gyro_rad_s is None else signal.gyro_rad_s[first:last]
    part = replace(signal, acc_g=signal.acc_g[first:last], gyro_rad_s=gyro)
    for one in count_repetitions(part).repetitions:
        axes.axvline(first / RATE_HZ + one.start_s, color="#0b7a75", linewidth=0.6, alpha=0.6)


def _border_text(truth: ActivityRecording, segments: Sequence[Segment]) -> str:
    starts, ends = border_errors([(truth, tuple(segments))])
    if not len(starts):
        return f"{len(segments)} sets found"
    return ", ".join(f"start {s:+.1f} s, end {e:+.1f} s" for s, e in zip(starts, ends, strict=True))
