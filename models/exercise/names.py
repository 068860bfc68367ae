"""The 515 features of a window by name, in their order; 214 without rotation.

Those that a low sampling rate preserves come first: what is learned of them is the leading part of
what is learned of all.
"""

from functools import lru_cache

import numpy as np

from models.arrays import Indices

SINGLE = (
    "mean",
    "sd",
    "q5",
    "q25",
    "q50",
    "q75",
    "q95",
    "step",
    "skew",
    "log_kurtosis",
    "centroid",
    "band0",
    "band1",
    "band2",
    "band3",
    "band4",
    "band5",
    "crossings",
    "entropy",
    "echo_0.5s",
    "echo_1.0s",
    "echo_1.5s",
    "echo_2.0s",
    "echo_2.5s",
)
"""Statistics of one channel: distribution, spectrum, rhythm."""

FAST = (
    *("step", "centroid", "crossings", "entropy", "log_kurtosis", "log_cov"),
    *(f"band{k}" for k in range(6)),
    *(f"spread{k}" for k in range(3)),
)
"""Statistics that depend on movement above 5 Hz, however small; samples at 10 Hz do not show it."""

LAGS = (6, 15, 30)  # samples: 0.12, 0.3, 0.6 s
PAIRS = [(i, j) for i in range(3) for j in range(i, 3)]
TRIPLES = [(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)]


@lru_cache(maxsize=2)
def feature_names(with_gyro: bool) -> tuple[str, ...]:
    """A name per feature, `channel.statistic`; names with "lag" are the cross-correlations.

    >>> len(feature_names(True)), len(feature_names(False))
    (515, 214)
    """
    computed = _computed_names(with_gyro)
    return tuple(computed[k] for k in computed_columns(with_gyro).tolist())


@lru_cache(maxsize=2)
def computed_columns(with_gyro: bool) -> Indices:
    """(d,) where each feature is among those that are computed: channel by channel, then joint.

    >>> computed_columns(True)[:4].tolist(), computed_columns(True)[-2:].tolist()
    ([0, 1, 2, 3], [485, 486])
    """
    shown = [_shown_at_low_rates(name, with_gyro) for name in _computed_names(with_gyro)]
    return np.concatenate([np.flatnonzero(shown), np.flatnonzero(np.logical_not(shown))])


@lru_cache(maxsize=2)
def low_rate_count(with_gyro: bool) -> int:
    """How many features, the first ones, hardly depend on the sampling rate, from 10 Hz on.

    >>> low_rate_count(True), low_rate_count(False)
    (248, 139)
    """
    return sum(_shown_at_low_rates(name, with_gyro) for name in _computed_names(with_gyro))


def _shown_at_low_rates(name: str, with_gyro: bool) -> bool:
    """Whether samples at 10 Hz give the same value.

    With rotation, "lag" features are left out, as in activity models; without rotation they are
    needed: too few others are left.
    """
    return name.rpartition(".")[2] not in FAST and not (with_gyro and "lag" in name)


@lru_cache(maxsize=2)
def _computed_names(with_gyro: bool) -> tuple[str, ...]:
    """The names in the order that the features are computed in."""
    axes = [f"acc_{a}" for a in "xyz"] + ([f"gyro_{a}" for a in "xyz"] if with_gyro else [])
    scalars = ["acc_norm", "linear_down", "linear_level"]
    if with_gyro:
        scalars += ["gyro_norm", "gyro_down", "gyro_level"]
    singles = [f"{channel}.{s}" for channel in axes + scalars for s in SINGLE]
    return (*singles, *_joint_names(axes, scalars))


def _joint_names(axes: list[str], scalars: list[str]) -> list[str]:
    """Of what channels have in common."""
    n = len(axes)
    names = [f"{a}~{b}.corr" for i, a in enumerate(axes) for b in axes[i + 1 :]]
    names += [f"{a}~{b}.corr" for i, a in enumerate(scalars) for b in scalars[i + 1 :]]
    names += [f"down_{a}.{s}" for s in ("mean", "sd", "q5", "q95") for a in "xyz"]
    names += [f"{axes[i]}~{axes[j]}.log_cov" for i in range(n) for j in range(i, n)]
    names += [f"{a}~{b}.lag{lag}" for lag in LAGS for a in axes for b in axes]
    for sensor in ("linear", "gyro")[: n // 3]:
        names += [f"{sensor}.axis_{'xyz'[i]}{'xyz'[j]}" for i, j in PAIRS]
        names += [f"{sensor}.spread{k}" for k in range(3)]
        names += [f"{sensor}.odd_{'xyz'[i]}{'xyz'[j]}{'xyz'[k]}" for i, j, k in TRIPLES]
    if n == 6:
        names += [f"couple_{'xyz'[i]}{'xyz'[j]}_{k}" for i, j in PAIRS for k in "xyz"]
    return names
