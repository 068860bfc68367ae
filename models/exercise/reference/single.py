"""The 24 statistics of one channel: distribution, spectrum, rhythm."""

import numpy as np

from models.arrays import Floats64
from models.signal.windows import RATE_HZ, WINDOW

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BANDS_HZ = (0.125, 0.625, 1.125, 1.875, 3.125, 6.125, 25.1)  # edges of the six bands
ECHO_S = (0.5, 1.0, 1.5, 2.0, 2.5)
QUIET = 1e-6  # variance below which a channel counts as still


def single(x: Floats64) -> Floats64:
    """Statistics of every channel, (m, c, 24), in the order of `SINGLE`.

    Args:
        x: (m, c, 200).
    """
    mean = x.mean(axis=-1)
    centred = x - mean[..., None]
    variance = (centred**2).mean(axis=-1)
    safe = variance + QUIET
    kurtosis = (centred**4).mean(axis=-1) / safe**2
    statistics = [
        mean,
        np.sqrt(variance),  # sd
        *np.quantile(x, QUANTILES, axis=-1),  # q5 ... q95, linear between neighbours
        np.abs(np.diff(x)).mean(axis=-1),  # step: mean change from sample to sample
        (centred**3).mean(axis=-1) / safe**1.5,  # skew: E[x³] / sd³
        np.log(kurtosis + 0.1),  # log_kurtosis: of E[x⁴] / sd⁴
        *_spectrum(centred),
        *_echoes(centred, safe),
    ]
    return np.stack(statistics, axis=-1)


def _spectrum(centred: Floats64) -> list[Floats64]:
    """Centroid in Hz, shares of six bands, crossings per sample, entropy 0 to 1: each (m, c)."""
    at_hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)[1:]  # 0.25, 0.5 ... 25
    power = np.abs(np.fft.rfft(centred)[..., 1:]) ** 2
    share = power / (power.sum(axis=-1, keepdims=True) + QUIET)
    edges = zip(BANDS_HZ, BANDS_HZ[1:], strict=False)
    bands = [share[..., (at_hz >= low) & (at_hz < high)].sum(axis=-1) for low, high in edges]
    crossings = np.diff(centred > 0).mean(axis=-1)  # share of steps from one side to the other
    entropy = -(share * np.log(share + 1e-9)).sum(axis=-1) / np.log(len(at_hz))
    return [share @ at_hz, *bands, crossings, entropy]


def _echoes(centred: Floats64, variance: Floats64) -> list[Floats64]:
    """Autocorrelation at the five lags, E[x(t + lag) x(t)] / variance: each (m, c)."""
    lags = [round(lag_s * RATE_HZ) for lag_s in ECHO_S]
    return [(centred[..., lag:] * centred[..., :-lag]).mean(axis=-1) / variance for lag in lags]
