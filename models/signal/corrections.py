"""Corrects wrong units, signs and times that a recording declares, by what is plausible on a wrist.

Some phone apps declare g for values in m/s², or m/s² for g, and invert all axes when they do; some
stamp samples or chunks on arrival, or poll a slow sensor too fast. Corrections are noted, the last
one as a low rate. All is decided on the whole recording; parts are cut afterwards.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from models.signal.batches import BATCHED, undo_batching
from models.signal.gravity import second_means_g
from models.signal.late_starts import undo_delays
from models.signal.pieces import MAX_RATE_RATIO, Piece, Recording, largest_value
from models.signal.rates import sampling_rate_hz
from models.signal.repeats import without_repeats
from models.signal.rotation_unit import fast_rotation, is_rad_labelled_deg, judge_fast_rotation
from models.signal.sign import looks_inverted
from models.signal.slower import SLOWER, with_true_rate
from models.signal.timing import cut_timed, in_unit, true_clock
from models.signal.units import MS2_MEDIAN_RANGE, Kind, detect_unit_factor

UNIT_WAS_MS2 = "unit-was-m/s2"
UNIT_WAS_G = "unit-was-g"
UNIT_WAS_DEG_S = "unit-was-deg/s"
UNIT_WAS_RAD_S = "unit-was-rad/s"
AXES_TURNED = "axes-were-turned"
STUCK_ROTATION = "rotation-is-constant"
NO_GRAVITY = "gravity-is-missing"
UNIT_IMPLAUSIBLE = "unit-is-implausible"
LOW_RATE = "rate-is-low"
MIN_GRAVITY = 0.4  # median norm of a second's mean acceleration, g: at least .6 on wrists
MAX_GRAVITY = 3.0
"""Largest plausible median of those norms, g: an arm that is swung in circles, once a second, has
2.8, and in a straight line it would gain 20 m/s every second. In 335 recordings it is .6 to 1.8.
Milli-g that are declared as g make 1,000, and as m/s² 100."""
TENTH_RANGE = (0.08, 0.125)  # g: median of those norms where values in g are declared as m/s²
MIN_TENTH, MAX_TENTH = 0.07, 0.15  # the first and the ninth decile of them (decision 35)
MIN_JUDGED_S = 10.0  # of shorter stretches without gravity 2 % look so
MIN_RATE_HZ = 22.0  # below it features describe more than was recorded (decision 41)
MAX_SCALE_RATIO = 4.0
"""Largest ratio of neighbouring scales, in ascending order, of one device's chunks. Chunks that are
scaled to their own maximum differ by less; sensors of one range in g and in m/s² differ by ten."""
Note = tuple[Kind, str]
"""The sensor that a note is about, and the note."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A corrected recording, from which parts can be cut cheaply.

    Attributes:
        recording: with correct units and signs.
        notes: the corrections.
        acc, gyro: its pieces by their true clock, with the running maximum of their ends.
    """

    recording: Recording
    notes: tuple[str, ...]
    acc: "_Track"
    gyro: "_Track"

    def cut(self, start_ns: int, end_ns: int) -> Recording:
        """The raw samples of [start_ns, end_ns); counts are slices of what was received."""
        parts = [
            cut_timed(track.around(start_ns, end_ns), start_ns, end_ns)
            for track in (self.acc, self.gyro)
        ]
        return replace(self.recording, acc=parts[0], gyro=parts[1])


@dataclass(frozen=True, slots=True)
class _Track:
    pieces: tuple[Piece, ...]
    ends_ns: tuple[int, ...]

    def around(self, start_ns: int, end_ns: int) -> tuple[Piece, ...]:
        """All pieces that may hold samples of [start_ns, end_ns)."""
        first = bisect_left(self.ends_ns, start_ns)
        return self.pieces[first : bisect_left(self.pieces, end_ns, key=lambda piece: piece.t0_ns)]


def timeline(recording: Recording) -> Timeline:
    """Correct a recording once, as a whole.

    >>> piece = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> len(timeline(Recording((piece,), (), None)).cut(500_000_000, 10**9).acc[0].counts)
    25

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    fixed, noted = corrected(recording)
    notes = tuple(dict.fromkeys(note for _, note in noted))
    judged = replace(fixed, units_judged=True)
    return Timeline(judged, notes, _track(fixed.acc), _track(fixed.gyro))


def _track(pieces: Sequence[Piece]) -> _Track:
    timed = sorted(true_clock(pieces), key=lambda piece: piece.t0_ns)
    return _Track(tuple(timed), tuple(accumulate((piece.end_ns for piece in timed), max)))


def cut(recording: Recording, start_ns: int, end_ns: int) -> Recording:
    """The raw samples of [start_ns, end_ns), corrected as part of the whole recording.

    To cut several parts, make a `timeline` once.
    """
    return timeline(recording).cut(start_ns, end_ns)


def corrected(recording: Recording) -> tuple[Recording, tuple[Note, ...]]:
    """The recording with correct units, signs and times, and each sensor's corrections.

    A wrong unit is replaced by "m/s2", "g", "deg/s" or "rad/s", inverted axes by a negative scale,
    and times in batches by none. Counts stay, but for repeats of a sensor that was polled too fast.
    Rotation that is too fast for a gyroscope in either unit is left out. Units and signs of a
    recording whose `units_judged` is true stay.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    acc, acc_notes = _correct_times("acc", recording.acc)
    gyro, gyro_notes = _correct_times("gyro", recording.gyro)
    timed = acc is recording.acc and gyro is recording.gyro
    punctual = recording if timed else replace(recording, acc=tuple(acc), gyro=tuple(gyro))
    fixed, notes = (punctual, ()) if punctual.units_judged else _correct_units(punctual)
    return fixed, (*notes, *acc_notes, *gyro_notes)


def _correct_times(kind: Kind, pieces: Sequence[Piece]) -> tuple[Sequence[Piece], tuple[Note, ...]]:
    """A stream with correct times and real samples, the same object where nothing was wrong."""
    punctual = undo_delays(undo_batching(pieces))
    notes: tuple[Note, ...] = () if punctual is pieces else ((kind, BATCHED),)
    once = without_repeats(punctual)
    slower = with_true_rate(once)
    return slower, notes if slower is once else (*notes, (kind, SLOWER))


def _correct_units(recording: Recording) -> tuple[Recording, tuple[Note, ...]]:
    """The recording with correct units, and the corrections; without rotation that fits no unit."""
    fast = judge_fast_rotation(recording, fast_rotation(recording.gyro))
    if fast == "deg/s":
        fixed, notes = _correct_acc(_with_gyro_unit(recording, "deg/s"))
        return fixed, (("gyro", UNIT_WAS_DEG_S), *notes)
    if fast == "implausible":
        fixed, notes = _correct_acc(replace(recording, gyro=()))
        return fixed, (("gyro", UNIT_IMPLAUSIBLE), *notes)
    if is_rad_labelled_deg(recording):
        fixed, notes = _correct_acc(_with_gyro_unit(recording, "rad/s"))
        return fixed, (("gyro", UNIT_WAS_RAD_S), *notes)
    return _correct_acc(recording)


def _with_gyro_unit(recording: Recording, unit: str) -> Recording:
    return replace(recording, gyro=tuple(replace(p, unit=unit) for p in recording.gyro))


def _correct_acc(recording: Recording) -> tuple[Recording, tuple[Note, ...]]:
    g_flags = _wrong_unit_flags(recording.acc, "m/s2", _is_g_labelled_ms2)
    if g_flags:
        fixed, notes = _correct_acc(replace(recording, acc=_with_unit(recording.acc, g_flags, "g")))
        return fixed, (("acc", UNIT_WAS_G), *notes)
    wrong_flags = _wrong_unit_flags(recording.acc, "g", _is_ms2_labelled_g)
    if not wrong_flags:
        return recording, ()
    acc = _with_unit(recording.acc, wrong_flags, "m/s2")
    found: list[Note] = [("acc", UNIT_WAS_MS2)]
    fixed = replace(recording, acc=acc)
    suspects = tuple(p for p, bad in zip(acc, wrong_flags, strict=True) if bad)
    if looks_inverted(replace(fixed, acc=suspects)):
        found.append(("acc", AXES_TURNED))
        turned = zip(acc, wrong_flags, strict=True)
        fixed = replace(fixed, acc=tuple(_invert(p) if bad else p for p, bad in turned))
    return fixed, tuple(found)


def _with_unit(acc: Sequence[Piece], wrong_flags: Sequence[bool], unit: str) -> tuple[Piece, ...]:
    """The pieces, the flagged ones with another unit."""
    both = zip(acc, wrong_flags, strict=True)
    return tuple(replace(piece, unit=unit) if bad else piece for piece, bad in both)


def _wrong_unit_flags(
    acc: Sequence[Piece], unit: str, contradicts: Callable[[Sequence[Piece]], bool]
) -> list[bool]:
    """Which pieces declare a unit that all samples of their device contradict; [] if none does.

    It is decided by device, as a single set is too vigorous and a pause too still to tell.
    """
    if len(acc) == 1:
        return [True] if acc[0].unit == unit and contradicts(acc) else []
    wrong_flags = [False] * len(acc)
    for device in _by_device(acc, unit):
        if contradicts([acc[n] for n in device]):
            for n in device:
                wrong_flags[n] = True
    return wrong_flags if any(wrong_flags) else []


def _by_device(acc: Sequence[Piece], unit: str) -> list[list[int]]:
    """Numbers of the pieces that declare a unit, grouped by about their rate and scale."""
    claimed = [n for n, piece in enumerate(acc) if piece.unit == unit]
    return [
        device
        for one_rate in _grouped(claimed, lambda n: acc[n].rate_hz, MAX_RATE_RATIO)
        for device in _grouped(one_rate, lambda n: abs(acc[n].scale), MAX_SCALE_RATIO)
    ]


def _grouped(
    numbers: Sequence[int], value_of: Callable[[int], float], most: float
) -> list[list[int]]:
    """Numbers in the order of their values, parted where one is over `most` times the one before.

    >>> _grouped([0, 1, 2], [50.1, 100.0, 49.9].__getitem__, 1.1)
    [[2, 0], [1]]
    """
    groups: list[list[int]] = []
    for n in sorted(numbers, key=value_of):
        if groups and value_of(n) <= most * value_of(groups[-1][-1]):
            groups[-1].append(n)
        else:
            groups.append([n])
    return groups


def _is_ms2_labelled_g(pieces: Sequence[Piece]) -> bool:
    """Whether values declared as g are m/s², by their median norm.

    Pieces without a value that is large enough are not converted, which saves time.
    """
    if max(map(largest_value, pieces)) * math.sqrt(3) <= MS2_MEDIAN_RANGE[0]:
        return False
    claimed_g = [in_unit("acc", piece) for piece in pieces]
    return (
        detect_unit_factor(claimed_g[0] if len(pieces) == 1 else np.concatenate(claimed_g)) != 1.0
    )


def _is_g_labelled_ms2(pieces: Sequence[Piece]) -> bool:
    """Whether values declared as m/s² are g, by the mean of every second.

    Each must be about a tenth of gravity. Acceleration without gravity may come near that, but not
    second after second.
    """
    rates_hz = [sampling_rate_hz(piece) for piece in pieces]
    both = zip(pieces, rates_hz, strict=True)
    if sum([len(piece.counts) / rate_hz for piece, rate_hz in both]) < MIN_JUDGED_S:
        return False
    means_g = sorted(second_means_g(pieces, rates_hz))
    n = len(means_g)
    low, high = TENTH_RANGE
    middle = low < means_g[n // 2] < high
    return middle and means_g[n // 10] > MIN_TENTH and means_g[n * 9 // 10] < MAX_TENTH


def quality_notes(recording: Recording) -> tuple[str, ...]:
    """Notes on missing or impossible gravity, and on a low rate, which models rely on.

    Some phones offer acceleration with gravity removed. A second's mean of that is nearly 0,
    whatever the wrist does; with gravity it is about 1 g.

    Args:
        recording: corrected.

    >>> still = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> quality_notes(Recording((still,), (), None))
    ('gravity-is-missing',)
    """
    if not recording.acc:
        return ()
    rates_hz = [sampling_rate_hz(piece) for piece in recording.acc]
    means_g = second_means_g(recording.acc, rates_hz)
    gravity_g = _upper_median(means_g) if means_g else 1.0
    conditions = (
        (NO_GRAVITY, gravity_g < MIN_GRAVITY),
        (UNIT_IMPLAUSIBLE, gravity_g > MAX_GRAVITY),
        (LOW_RATE, _upper_median(rates_hz) < MIN_RATE_HZ),
    )
    return tuple(note for note, is_so in conditions if is_so)


def _upper_median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]  # a tenth of the time of a median


def _invert(piece: Piece) -> Piece:
    return replace(piece, scale=-piece.scale)
