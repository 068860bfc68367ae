"""Which durations a repetition might have: peaks of the autocorrelation and their relatives."""

from collections.abc import Iterable

import numpy as np

from models.arrays import Floats64
from models.reps.prepare import Prepared
from models.reps.settings import RepsSettings


def autocorrelation(x: Floats64) -> Floats64:
    """(n,) unbiased autocorrelation of (n, c), n ≥ 1, summed over axes, 1 at lag 0.

    >>> autocorrelation(np.array([[1.0], [-1.0], [1.0], [-1.0]])).round(6).tolist()
    [1.0, -1.0, 1.0, -1.0]
    """
    n = len(x)
    size = 1 << (2 * n - 1).bit_length()
    power = (np.abs(np.fft.rfft(x, size, axis=0)) ** 2).sum(axis=1)
    biased = np.fft.irfft(power, size)[:n]
    unbiased = biased / np.arange(n, 0, -1)
    return unbiased / max(float(unbiased[0]), 1e-12)


def highest_peaks(curve: Floats64, first: int, last: int, count: int) -> list[float]:
    """Lags of the highest local maxima within [first, last], refined by a parabola.

    Args:
        curve: (n,) by lag in samples.
        first: least lag, samples.
        last: largest.
        count: at most; highest first, none where there is no maximum above 0.
    """
    last = min(last, len(curve) - 2)
    at = np.arange(max(first, 1), last + 1)
    if not len(at):
        return []
    peaks = at[(curve[at] > curve[at - 1]) & (curve[at] >= curve[at + 1]) & (curve[at] > 0)]
    best = peaks[np.argsort(-curve[peaks], kind="stable")][:count]
    return [refined(curve, int(lag)) for lag in best]


def refined(curve: Floats64, lag: int) -> float:
    """Top, in samples, of the parabola through three points of (n,) around a local maximum."""
    left, mid, right = curve[lag - 1 : lag + 2]
    bend = left - 2 * mid + right
    return lag + (0.5 * float((left - right) / bend) if bend < 0 else 0.0)


def merged(periods: Iterable[float], share: float, most: int) -> list[float]:
    """Drop every period that lies within `share` of an earlier one; at most `most` remain.

    >>> merged([2.0, 2.1, 4.0, 1.0], 0.12, 3)
    [2.0, 4.0, 1.0]
    """
    kept: list[float] = []
    for period in periods:
        if all(abs(np.log(period / other)) > share for other in kept):
            kept.append(period)
    return kept[:most]


def earliest_peak(curve: Floats64, rate_hz: float, settings: RepsSettings) -> list[float]:
    """The shortest lag in seconds at which a movement is as like itself as at any; one or none.

    An even movement has peaks of equal height at all multiples of its period, so that the highest
    may be any of them.

    Args:
        curve: (n,), n ≥ 1, autocorrelation by lag in samples.
        rate_hz: sample rate.
        settings: the counter's constants.
    """
    first, last = round(settings.shortest_even_s * rate_hz), round(settings.longest_s * rate_hz)
    peaks = np.array(sorted(highest_peaks(curve, first, last, len(curve))))
    heights = np.interp(peaks, np.arange(len(curve)), curve)
    high = peaks[heights >= settings.even_share * heights.max(initial=0.0)]
    return (high[:1] / rate_hz).tolist()


def candidate_periods(prepared: Prepared, settings: RepsSettings) -> list[float]:
    """Durations in seconds that a repetition of this set might have, likeliest first.

    The three highest peaks of the autocorrelation of acceleration, of rotation and of their
    mean; half, double and a third of the highest, because a repetition with two similar halves
    peaks at half its length; the shortest at which the movement is as even as at any; for a short
    set also a half and a third of its duration.
    """
    rate = prepared.rate_hz
    sensors = [prepared.x[:, k : k + 3] for k in range(0, prepared.x.shape[1], 3)]
    curves = [autocorrelation(s) for s in sensors]
    if len(curves) > 1:
        curves = [(curves[0] + curves[1]) / 2, *curves]
    first, last = round(settings.shortest_s * rate), round(settings.longest_s * rate)
    peaks_of = [highest_peaks(c, first, last, settings.peaks) for c in curves]
    top = peaks_of[0][:1] or [p for f in peaks_of for p in f[:1]][:1]
    ranked = [
        p / rate for rank in range(settings.peaks) for f in peaks_of for p in f[rank : rank + 1]
    ]
    related = [p / rate * f for p in top for f in (0.5, 2.0, 1 / 3)]
    short = prepared.duration_s < settings.thirds_below_s
    parts = [prepared.duration_s / k for k in (2, 3)] if short else []
    sound = [
        p
        for p in (*ranked[:3], *related, *parts, *ranked[3:])
        if settings.shortest_s <= p <= settings.longest_s
    ]
    sound[3:3] = earliest_peak(curves[0], rate, settings)
    return merged(sound, settings.merge_share, settings.most_candidates)
