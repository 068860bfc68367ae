"""One period's view of a set: 24 samples a period, few components, and a first template."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from models.arrays import Flags, Floats64
from models.reps.prepare import Prepared
from models.reps.settings import RepsSettings


@dataclass(frozen=True, slots=True)
class Grid:
    """A set resampled so that one candidate period has a fixed number of samples.

    Attributes:
        y: (n, k) principal components, unit total variance.
        moving: (n,) true where the wrist moves.
        step_s: seconds per sample.
    """

    y: Floats64
    moving: Flags
    step_s: float


def grid(prepared: Prepared, period_s: float, settings: RepsSettings) -> Grid:
    """Smooth by a share of the period, resample to `per_period` of it, turn to its main axes."""
    rate = prepared.rate_hz
    x = gaussian_filter1d(
        prepared.x, max(settings.smooth_share * period_s * rate, 1e-3), axis=0, mode="nearest"
    )
    step_s = period_s / settings.per_period
    count = max(2, int((len(x) - 1) / rate / step_s) + 1)
    at = np.arange(count) * step_s * rate
    low = np.minimum(at.astype(np.intp), len(x) - 2)
    part = (at - low)[:, None]
    y = x[low] * (1 - part) + x[low + 1] * part
    y = y - y.mean(axis=0)
    _, axes = np.linalg.eigh(y.T @ y)
    y = y @ axes[:, ::-1][:, : settings.components]
    y = y / max(float(np.sqrt(y.var(axis=0).sum())), 1e-6)
    moving = prepared.moving[np.minimum(np.rint(at).astype(np.intp), len(x) - 1)]
    return Grid(y, moving, step_s)


def phase_template(y: Floats64, settings: RepsSettings) -> Floats64:
    """A first guess of one repetition: samples averaged by the phase of the narrow band.

    Args:
        y: (n, k) components on a grid of `per_period` samples a period.
        settings: the counter's constants.

    Returns:
        (points, k) template over one period.
    """
    from scipy.signal import hilbert  # 23 MB: see `models.reps.prepare`

    n = len(y)
    spectrum = np.fft.rfft(y, axis=0)
    cycles = n / settings.per_period
    place = np.arange(len(spectrum)) / cycles
    weight = np.exp(-0.5 * ((place - 1) / 0.25) ** 2)
    narrow = np.fft.irfft(spectrum * weight[:, None], n, axis=0)
    _, axes = np.linalg.eigh(narrow.T @ narrow)
    phase = np.angle(np.asarray(hilbert(narrow @ axes[:, -1])))
    place = (phase / (2 * np.pi) * settings.points) % settings.points
    distance = np.abs(place[:, None] - np.arange(settings.points)[None, :])
    distance = np.minimum(distance, settings.points - distance)
    share = np.exp(-0.5 * (distance / 0.6) ** 2)
    return (share.T @ y) / np.maximum(share.sum(axis=0), 1e-9)[:, None]
