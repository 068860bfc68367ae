"""The one way from raw pieces to signals in g and rad/s at 50 Hz: ingest, training and serving."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from models.arrays import Flags, Floats32, Floats64
from models.signal.corrections import SensorNote, corrected
from models.signal.fillers import without_fillers
from models.signal.pieces import Recording, Side
from models.signal.quality import quality_notes
from models.signal.resample import resample, within
from models.signal.runs import MAX_CACHED_TIMES, GaplessRun, Gaps, runs
from models.signal.stuck import is_stuck, without_stuck
from models.signal.timing import clock_notes
from models.signal.windows import RATE_HZ
from schemas.notes import FILLED_GAPS, NO_GRAVITY, NO_OVERLAP, STUCK_ROTATION, QualityNote
from schemas.times import NS_PER_S

MAX_RECORDING_S = 86_400.0
"""The longest recording that is read, in seconds; later samples are ignored. A day at 50 Hz takes a
gigabyte, and a few kilobytes of samples at 1 Hz reach over weeks."""

EDGE_S = 0.1  # the two sensors start and stop a few samples apart
MIN_BARE_S = 1.0
"""The shortest stretch without rotation that is kept beside rotation. It has no window up to 4 s,
but may hold most of a repetition. A set with such a stretch is counted without its rotation, which
shorter ones are not worth."""
SIGNAL_VERSION = "wrist-10"
"""Changes when the same samples give other signals: version 2 bridges losses (decision 24), version
3 corrects what odd devices claim (decision 35), version 4 leaves out rotation that gets stuck
(decision 45), version 5 corrects rad/s that is declared as deg/s (decision 35), version 6 leaves
out rotation that is too fast in any unit, judges chunks of any size alike (decision 52), version 7
corrects late chunks, repeated samples and rates that were measured (decision 53), version 8 does
not count pauses and losses as a low rate (decision 60), version 9 keeps rotation of up to 35 rad/s,
and leaves out what stands for lost samples (decision 71), version 10 keeps acceleration beside
rotation that starts late, judges units before a set is cut, drops times that are far too late, and
corrects rates that are lower than claimed (decision 74)."""


@dataclass(frozen=True, slots=True)
class WristSignal:
    """A wrist at 50 Hz without a long gap.

    Attributes:
        t0_ns: time of the first sample, nanoseconds since the epoch.
        acc_g: float32 (n, 3), gravity included.
        gyro_rad_s: float32 (n, 3), or None where only acceleration was recorded.
        side: the wrist, None where nobody said.
        notes: what was corrected, and what is lacking (`schemas/notes.py`).
        filled: (n,) samples that were lost, on a line between those around them; None where none
            was.
    """

    t0_ns: int
    acc_g: Floats32
    gyro_rad_s: Floats32 | None
    side: Side | None
    notes: tuple[QualityNote, ...] = ()
    filled: Flags | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.acc_g) / RATE_HZ

    @property
    def recorded_s(self) -> float:
        """Seconds that were really recorded, not filled in."""
        filled = 0 if self.filled is None else int(self.filled.sum())
        return (len(self.acc_g) - filled) / RATE_HZ


def slice_of(signal: WristSignal, first: int, end: int) -> WristSignal:
    """Samples `first` to `end` of a signal."""
    gyro, filled = signal.gyro_rad_s, signal.filled
    return replace(
        signal,
        t0_ns=signal.t0_ns + round(first / RATE_HZ * NS_PER_S),
        acc_g=signal.acc_g[first:end],
        gyro_rad_s=None if gyro is None else gyro[first:end],
        filled=None if filled is None else filled[first:end],
    )


@dataclass(frozen=True, slots=True)
class JudgedSensors:
    """The sensors of a recording, corrected, without rotation that is of no use.

    Attributes:
        acc, gyro: without a gap over 6 s each.
        notes: corrections and what is lacking, each with the sensor that it is about.
    """

    acc: list[GaplessRun]
    gyro: list[GaplessRun]
    notes: tuple[SensorNote, ...]


def judge(recording: Recording) -> JudgedSensors:
    """Correct a recording, and judge what it lacks.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    fixed, corrections = corrected(recording)
    notes = list(corrections)
    notes.extend(("acc", note) for note in clock_notes(fixed.acc))
    notes.extend(("gyro", note) for note in clock_notes(fixed.gyro))
    lacking = quality_notes(fixed)
    notes.extend(("acc", note) for note in lacking)
    # After the clock was judged, which needs whole chunks; where gravity lacks, zeros are rest.
    real = fixed.acc if NO_GRAVITY in lacking else without_fillers(fixed.acc)
    acc, gyro = first_day(runs("acc", real)), first_day(runs("gyro", fixed.gyro))
    if acc and gyro and not any([_overlapping_runs(run, gyro) for run in acc]):
        gyro = []
        notes.append(("gyro", NO_OVERLAP))
    moving = [] if is_stuck(fixed.gyro) else without_stuck(gyro, acc)
    if moving is not gyro:
        notes.append(("gyro", STUCK_ROTATION))
    return JudgedSensors(acc, moving, tuple(notes))


def wrist_signals(recording: Recording) -> list[WristSignal]:
    """The stretches of a recording in which acceleration has no gap over 6 s.

    Shorter gaps are filled, and the signal says which samples those are. Where rotation is missing
    for longer than that, or begins later or ends earlier, the stretch is split: the part without it
    has `gyro_rad_s` None, and is dropped when it is shorter than `MIN_BARE_S`. Beyond
    `MAX_RECORDING_S`, gaps not counted, samples are ignored.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    sensors = judge(recording)
    notes = tuple(dict.fromkeys(note for _, note in sensors.notes))
    return [
        part for acc in sensors.acc for part in _merge(acc, sensors.gyro, recording.side, notes)
    ]


def first_day(runs: Iterable[GaplessRun]) -> list[GaplessRun]:
    """The runs of a stream, truncated after `MAX_RECORDING_S` in all.

    >>> t_s = np.arange(3) * 30_000.0
    >>> one = GaplessRun(0, t_s, np.zeros((3, 3), dtype=np.float32))
    >>> [run.t_s.tolist() for run in first_day([one, one, one])]
    [[0.0, 30000.0, 60000.0], [0.0]]
    """
    kept: list[GaplessRun] = []
    left_s = MAX_RECORDING_S
    for run in runs:
        n = int(run.t_s.searchsorted(left_s, side="right"))
        if n < len(run.t_s):
            gaps_s = tuple(gap for gap in run.gaps_s if gap[1] <= left_s)
            kept.append(GaplessRun(run.t0_ns, run.t_s[:n], run.values[:n], gaps_s))
            break
        kept.append(run)
        left_s -= float(run.t_s[-1])
    return kept


def _merge(
    acc: GaplessRun, gyro_runs: list[GaplessRun], side: Side | None, notes: tuple[QualityNote, ...]
) -> Iterator[WristSignal]:
    """One acceleration run on its 50 Hz grid, split where rotation begins or ends."""
    n = int(acc.t_s[-1] * RATE_HZ + 1.001)
    grid_s = _grid_s(n) if n <= MAX_CACHED_TIMES else _grid_s.__wrapped__(n)
    acc_g = resample(acc.t_s, acc.values, grid_s, acc.gaps_s)
    if _same_times(acc, gyro_runs):
        gyro = resample(acc.t_s, gyro_runs[0].values, grid_s)
        yield WristSignal(acc.t0_ns, acc_g, gyro, side, notes)
        return
    gaps_s = acc.gaps_s
    gyro_rad_s = np.zeros(acc_g.shape, dtype=np.float32)
    known = np.zeros(len(grid_s), dtype=np.bool_)
    for run in _overlapping_runs(acc, gyro_runs):
        late_s = (run.t0_ns - acc.t0_ns) / NS_PER_S
        at_s = run.t_s + late_s
        first = int(grid_s.searchsorted(at_s[0] - EDGE_S))
        covered = slice(first, int(grid_s.searchsorted(at_s[-1] + EDGE_S, side="right")))
        if covered.start < covered.stop:
            lost_s = tuple((a + late_s, b + late_s) for a, b in run.gaps_s)
            gyro_rad_s[covered] = resample(at_s, run.values, grid_s[covered], lost_s)
            known[covered] = True
            gaps_s += lost_s
    changes = (known[1:] != known[:-1]).nonzero()[0] + 1
    for first, end in pairwise([0, *changes.tolist(), len(known)]):
        if not known[first] and gyro_runs and end - first < MIN_BARE_S * RATE_HZ:
            continue
        filled = _filled(gaps_s, grid_s[first:end])
        yield WristSignal(
            t0_ns=acc.t0_ns + round(first / RATE_HZ * NS_PER_S),
            acc_g=acc_g[first:end],
            gyro_rad_s=gyro_rad_s[first:end] if known[first] else None,
            side=side,
            notes=notes if filled is None else (*notes, FILLED_GAPS),
            filled=filled,
        )


def _same_times(acc: GaplessRun, gyro_runs: list[GaplessRun]) -> bool:
    """Whether rotation has the same sample times as acceleration, and nothing was lost.

    That is so in most requests with a few seconds of samples; the general path gives the same in
    three times the time.
    """
    if len(gyro_runs) != 1 or acc.gaps_s or gyro_runs[0].gaps_s:
        return False
    gyro = gyro_runs[0]
    return gyro.t0_ns == acc.t0_ns and gyro.t_s is acc.t_s  # regular times are shared


def _overlapping_runs(acc: GaplessRun, gyro_runs: list[GaplessRun]) -> list[GaplessRun]:
    """The rotation runs that overlap an acceleration run, by binary search."""
    first = bisect_left(gyro_runs, acc.t0_ns - NS_PER_S, key=_end_ns)
    end = bisect_right(gyro_runs, _end_ns(acc) + NS_PER_S, key=lambda run: run.t0_ns)
    return gyro_runs[first:end]


def _end_ns(run: GaplessRun) -> float:
    return run.t0_ns + run.t_s[-1] * NS_PER_S


def _filled(gaps_s: Gaps, grid_s: Floats64) -> Flags | None:
    """Which times of a grid lie in a gap; None where none does."""
    rows = [row for row in within(gaps_s, grid_s) if row.start < row.stop]
    if not rows:
        return None
    filled = np.zeros(len(grid_s), dtype=np.bool_)
    for row in rows:
        filled[row] = True
    return filled


@lru_cache(maxsize=64)
def _grid_s(n: int) -> Floats64:
    """Times of n samples at 50 Hz; shared, so not to be written to."""
    grid_s = np.arange(n) / RATE_HZ
    grid_s.flags.writeable = False
    return grid_s
