"""Corrects what a recording claims about itself, by what a wrist can feel.

Some phone apps write m/s² under the name g, or g under the name m/s², and turn all axes round when
they do; some stamp samples when they arrive. What is noticed is put right and noted. It is judged
on the whole recording, and parts are cut afterwards.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from models.signal.batches import BATCHED, unbatched
from models.signal.pieces import Piece, Recording
from models.signal.sign import looks_turned
from models.signal.timing import cut_timed, in_unit, true_clock
from models.signal.units import (
    FASTEST_RAD_S,
    MEDIAN_OF_MS2,
    factor_of,
    notice_degrees,
    notice_unit,
)

WRONG_UNIT = "unit-was-m/s2"
TOO_LIGHT = "unit-was-g"
WRONG_ROTATION = "unit-was-deg/s"
TURNED = "axes-were-turned"
STUCK_ROTATION = "rotation-is-constant"
NO_GRAVITY = "gravity-is-missing"
LOW_RATE = "rate-is-low"
LEAST_GRAVITY = 0.4  # median length of acceleration in one second's mean, g: at least .6 on wrists
TENTH_OF_GRAVITY = (0.08, 0.125)  # g: the middle one of a second's means in g under m/s²
LEAST_TENTH, MOST_TENTH = 0.07, 0.15  # the first and the ninth decile of them (decision 35)
SURE_S = 10.0  # in less, 2 % of stretches without gravity look so
LEAST_HZ = 22.0  # below, features look for more than was recorded (decision 41)
SAME_SCALE = 4.0
"""How far the scales of one device's chunks may differ from one to the next larger. Chunks that are
scaled to their own largest value differ by less; sensors of one range that speak g and m/s² differ
by ten."""
SECOND = 50


@dataclass(frozen=True, slots=True)
class Timeline:
    """A corrected recording, from which parts are cut at the cost of what is in them.

    Attributes:
        truth: the recording under its real unit and sign.
        notes: what had to be put right.
        acc, gyro: its pieces by their true clock, with when each and those before it are over.
    """

    truth: Recording
    notes: tuple[str, ...]
    acc: "_Track"
    gyro: "_Track"

    def cut(self, start_ns: int, end_ns: int) -> Recording:
        """The raw samples of [start_ns, end_ns); counts are slices of what was received."""
        parts = [
            cut_timed(track.around(start_ns, end_ns), start_ns, end_ns)
            for track in (self.acc, self.gyro)
        ]
        return Recording(parts[0], parts[1], self.truth.side)


@dataclass(frozen=True, slots=True)
class _Track:
    pieces: tuple[Piece, ...]
    over_ns: tuple[int, ...]

    def around(self, start_ns: int, end_ns: int) -> tuple[Piece, ...]:
        """All pieces that may hold samples of [start_ns, end_ns)."""
        first = bisect_left(self.over_ns, start_ns)
        return self.pieces[first : bisect_left(self.pieces, end_ns, key=lambda one: one.t0_ns)]


def timeline(recording: Recording) -> Timeline:
    """Correct a recording once, judged where there is most to see.

    >>> piece = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> len(timeline(Recording((piece,), (), None)).cut(500_000_000, 10**9).acc[0].counts)
    25

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    truth, notes = truthful(recording)
    return Timeline(truth, notes, _track(truth.acc), _track(truth.gyro))


def _track(pieces: Sequence[Piece]) -> _Track:
    timed = sorted(true_clock(pieces), key=lambda piece: piece.t0_ns)
    return _Track(tuple(timed), tuple(accumulate((piece.end_ns for piece in timed), max)))


def cut(recording: Recording, start_ns: int, end_ns: int) -> Recording:
    """The raw samples of [start_ns, end_ns), with the unit that the whole recording shows.

    A wrong unit is judged before the cut and written into the pieces. To cut several parts, make a
    `timeline` once.
    """
    return timeline(recording).cut(start_ns, end_ns)


def truthful(recording: Recording) -> tuple[Recording, tuple[str, ...]]:
    """The recording under its real unit and sign, at its real times, and what had to be put right.

    A unit that was wrong becomes "m/s2", "g" or "deg/s"; turned axes become a negative scale;
    times in batches become none. Counts stay.

    Raises:
        BadSamples: an unknown unit, or a scale that is no usable number.
    """
    acc, gyro = unbatched(recording.acc), unbatched(recording.gyro)
    if acc is recording.acc and gyro is recording.gyro:
        return _in_real_units(recording)
    fixed, notes = _in_real_units(replace(recording, acc=tuple(acc), gyro=tuple(gyro)))
    return fixed, (*notes, BATCHED)


def _in_real_units(recording: Recording) -> tuple[Recording, tuple[str, ...]]:
    if _says_radians_in_degrees(recording.gyro):
        gyro = tuple(replace(p, unit="deg/s") for p in recording.gyro)
        fixed, notes = _in_real_units(replace(recording, gyro=gyro))
        return fixed, (WRONG_ROTATION, *notes)
    light = _denied(recording.acc, "m/s2", _says_g_in_ms2)
    if light:
        fixed, notes = _in_real_units(replace(recording, acc=_in(recording.acc, light, "g")))
        return fixed, (TOO_LIGHT, *notes)
    wrong = _denied(recording.acc, "g", _says_ms2_in_g)
    if not wrong:
        return recording, ()
    acc = _in(recording.acc, wrong, "m/s2")
    notes = [WRONG_UNIT]
    fixed = replace(recording, acc=acc)
    under_suspicion = tuple(p for p, bad in zip(acc, wrong, strict=True) if bad)
    if looks_turned(replace(fixed, acc=under_suspicion)):
        notes.append(TURNED)
        turned = zip(acc, wrong, strict=True)
        fixed = replace(fixed, acc=tuple(_turn(p) if bad else p for p, bad in turned))
    return fixed, tuple(notes)


def _in(acc: Sequence[Piece], wrong: Sequence[bool], unit: str) -> tuple[Piece, ...]:
    """The pieces, the wrong ones under this unit."""
    both = zip(acc, wrong, strict=True)
    return tuple(replace(piece, unit=unit) if bad else piece for piece, bad in both)


def _denied(acc: Sequence[Piece], unit: str, deny: Callable[[Sequence[Piece]], bool]) -> list[bool]:
    """Which pieces claim a unit that all samples of their device contradict; [] if none does.

    A single set is too vigorous, and a pause too still, to tell.
    """
    if len(acc) == 1:
        return [True] if acc[0].unit == unit and deny(acc) else []
    wrong = [False] * len(acc)
    for device in _devices(acc, unit):
        if deny([acc[n] for n in device]):
            for n in device:
                wrong[n] = True
    return wrong if any(wrong) else []


def _devices(acc: Sequence[Piece], unit: str) -> list[list[int]]:
    """Numbers of pieces that claim a unit, grouped by rate and scale: each may be one sensor's."""
    claimed = [n for n, piece in enumerate(acc) if piece.unit == unit]
    found: list[list[int]] = []
    for n in sorted(claimed, key=lambda n: (acc[n].rate_hz, abs(acc[n].scale))):
        if found and _alike(acc[found[-1][-1]], acc[n]):
            found[-1].append(n)
        else:
            found.append([n])
    return found


def _alike(before: Piece, piece: Piece) -> bool:
    near = abs(piece.scale) <= SAME_SCALE * abs(before.scale)
    return near and piece.rate_hz == before.rate_hz


def _says_ms2_in_g(pieces: Sequence[Piece]) -> bool:
    """Whether values claimed to be in g are m/s², by their median length.

    Pieces in which no value is large enough are not looked at: that saves converting them.
    """
    if max(map(_largest, pieces)) * math.sqrt(3) <= MEDIAN_OF_MS2[0]:
        return False
    claimed_g = [in_unit("acc", piece) for piece in pieces]
    return notice_unit(claimed_g[0] if len(pieces) == 1 else np.concatenate(claimed_g)) != 1.0


def _says_g_in_ms2(pieces: Sequence[Piece]) -> bool:
    """Whether values claimed to be in m/s² are g, by the mean of every second.

    Each must be about a tenth of gravity. With gravity taken out a wrist may come near that, but
    not second after second.
    """
    rates_hz = [_rate_hz(piece) for piece in pieces]
    both = list(zip(pieces, rates_hz, strict=True))
    if sum([len(piece.counts) / rate_hz for piece, rate_hz in both]) < SURE_S:
        return False
    carried = sorted([mean_g for piece, rate_hz in both for mean_g in _carried_g(piece, rate_hz)])
    n = len(carried)
    low, high = TENTH_OF_GRAVITY
    middle = low < carried[n // 2] < high
    return middle and carried[n // 10] > LEAST_TENTH and carried[n * 9 // 10] < MOST_TENTH


def _says_radians_in_degrees(gyro: tuple[Piece, ...]) -> bool:
    """Whether rad/s are deg/s, judged on all of it: a resting wrist turns slowly in any unit."""
    if not gyro or any(piece.unit != "rad/s" for piece in gyro):
        return False
    if all(_largest(piece) * math.sqrt(3) <= FASTEST_RAD_S for piece in gyro):
        return False  # the usual case, decided in a tenth of the time
    return notice_degrees(np.concatenate([in_unit("gyro", piece) for piece in gyro]))


def _largest(piece: Piece) -> float:
    """The largest value on one axis, in the claimed unit."""
    if not len(piece.counts):
        return 0.0
    return max(int(piece.counts.max()), -int(piece.counts.min())) * abs(piece.scale)


def lacking(truth: Recording) -> tuple[str, ...]:
    """What a recording lacks that models rely on: gravity, or enough samples a second.

    Some phones offer acceleration with gravity taken out. A second's mean of that is nearly
    nothing, whatever the wrist does; with gravity it is about one.

    Args:
        truth: under its real unit.

    >>> still = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> lacking(Recording((still,), (), None))
    ('gravity-is-missing',)
    """
    rates_hz = [_rate_hz(piece) for piece in truth.acc]
    carried_g: list[float] = []
    for piece, rate_hz in zip(truth.acc, rates_hz, strict=True):
        carried_g += _carried_g(piece, rate_hz)
    found = ((NO_GRAVITY, carried_g, LEAST_GRAVITY), (LOW_RATE, rates_hz, LEAST_HZ))
    return tuple(note for note, values, least in found if values and _middle(values) < least)


def is_stuck(gyro: Sequence[Piece]) -> bool:
    """Whether rotation never changes: a sensor that is switched off, or broken.

    >>> off = Piece(0, 50.0, "rad/s", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> is_stuck([off]), is_stuck([])
    (True, False)
    """
    if sum([len(piece.counts) for piece in gyro]) < SECOND:
        return False
    first, last = gyro[0].counts, gyro[-1].counts
    if first.item(0) != last.item(-1 - 2):  # the x axis nearly always decides, at no cost
        return False
    return all((piece.counts == first[0]).all() for piece in gyro)


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]  # a tenth of the time of a median


def _rate_hz(piece: Piece) -> float:
    """Samples per second; as claimed where no sample has its own time."""
    if piece.t_ms is None or len(piece.t_ms) < 2 or piece.t_ms[-1] <= piece.t_ms[0]:
        return piece.rate_hz
    later = np.count_nonzero(np.diff(piece.t_ms))  # of two samples of one time the first counts
    return 1e3 * later / float(piece.t_ms[-1] - piece.t_ms[0])


def _carried_g(piece: Piece, rate_hz: float) -> list[float]:
    """Length of the mean acceleration of every second, g; of all of a shorter piece."""
    n = max(1, min(len(piece.counts), round(rate_hz)))
    seconds = piece.counts[: len(piece.counts) // n * n].reshape(-1, n, 3)
    sums = np.add.reduce(seconds, axis=1, dtype=np.float64).tolist()
    mean_g = abs(piece.scale) * factor_of("acc", piece.unit) / n
    return [math.hypot(*one) * mean_g for one in sums]


def _turn(piece: Piece) -> Piece:
    return replace(piece, scale=-piece.scale)
