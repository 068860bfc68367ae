"""Corrects acceleration whose unit is declared wrongly: m/s² as g, and g as m/s².

Some phone apps that declare g for values in m/s² invert all axes, too. What is plausible on a wrist
tells: gravity is in every second of it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from models.signal.gravity import second_means_g
from models.signal.pieces import MAX_RATE_RATIO, Piece, Recording, largest_value
from models.signal.rates import sampling_rate_hz
from models.signal.sign import looks_inverted
from models.signal.units import MS2_MEDIAN_RANGE, detect_unit_factor, in_unit
from schemas.notes import AXES_TURNED, UNIT_WAS_G, UNIT_WAS_MS2, QualityNote

TENTH_RANGE = (0.08, 0.125)  # g: median of those norms where values in g are declared as m/s²
MIN_TENTH, MAX_TENTH = 0.07, 0.15  # the first and the ninth decile of them (decision 35)
MIN_JUDGED_S = 10.0  # of shorter stretches without gravity 2 % look so
MAX_SCALE_RATIO = 4.0
"""Largest ratio of neighbouring scales, in ascending order, of one device's chunks. Chunks that are
scaled to their own maximum differ by less; sensors of one range in g and in m/s² differ by ten."""


def correct_acceleration_unit(recording: Recording) -> tuple[Recording, tuple[QualityNote, ...]]:
    """The recording with acceleration in its real unit and sign, and the corrections.

    A wrong unit is replaced by "m/s2" or "g", inverted axes by a negative scale; the same object
    where nothing was wrong.

    Args:
        recording: with true times; rotation in its real unit.
    """
    g_flags = _wrong_unit_flags(recording.acc, "m/s2", _is_g_labelled_ms2)
    if g_flags:
        in_g = replace(recording, acc=_with_unit(recording.acc, g_flags, "g"))
        fixed, notes = correct_acceleration_unit(in_g)
        return fixed, (UNIT_WAS_G, *notes)
    wrong_flags = _wrong_unit_flags(recording.acc, "g", _is_ms2_labelled_g)
    if not wrong_flags:
        return recording, ()
    acc = _with_unit(recording.acc, wrong_flags, "m/s2")
    fixed = replace(recording, acc=acc)
    suspects = tuple(p for p, bad in zip(acc, wrong_flags, strict=True) if bad)
    if not looks_inverted(replace(fixed, acc=suspects)):
        return fixed, (UNIT_WAS_MS2,)
    turned = zip(acc, wrong_flags, strict=True)
    fixed = replace(fixed, acc=tuple(_invert(p) if bad else p for p, bad in turned))
    return fixed, (UNIT_WAS_MS2, AXES_TURNED)


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


def _invert(piece: Piece) -> Piece:
    return replace(piece, scale=-piece.scale)
