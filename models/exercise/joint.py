"""What the channels of a window have in common: correlations, axes, shapes of the movement."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.exercise.channels import Channels
from models.exercise.single import QUIET, mean_of, mean_product, quantiles

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width
FLOOR = np.float32(1e-4)  # added to a covariance before its logarithm
LAGS = (6, 15, 30)  # samples: 0.12, 0.3, 0.6 s
TRIPLES = [(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)]
PAIRS = [(i, j) for i in range(3) for j in range(i, 3)]
FIRST, SECOND = np.array(PAIRS, dtype=np.intp).T.copy()
ODD = np.array([3 * PAIRS.index((i, j)) + k for i, j, k in TRIPLES], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Principal:
    """Directions and sizes of a movement: what takes an eigenvalue problem to find.

    Attributes:
        log_covariance: (m, a, a), matrix logarithm of the covariance of the a axes.
        sizes: (m, s, 3) for s sensors, second moments along principal axes, ascending.
        main: (m, s, 3), the axis of the largest.
    """

    log_covariance: Array
    sizes: Array
    main: Array

    def turned(self, turn: Array) -> "Principal":
        """The same after rotations (m, 3, 3) of the sensors' axes."""
        m, a, _ = self.log_covariance.shape
        whole = np.zeros((m, a, a), dtype=np.float32)
        for first in range(0, a, 3):
            whole[:, first : first + 3, first : first + 3] = turn
        return Principal(
            whole @ self.log_covariance @ whole.swapaxes(1, 2),
            self.sizes,
            (turn[:, None] @ self.main[..., None])[..., 0],
        )


def joint(c: Channels, centred: Array, principal: Principal | None) -> tuple[Array, Principal]:
    """Joint features, float32 (m, 227) with rotation, (m, 70) without, and principal axes.

    Args:
        c: the channels.
        centred: (m, n, 200): every channel minus its mean.
        principal: where they are known already.
    """
    axes = c.axes
    covariance = centred @ centred.swapaxes(1, 2)
    covariance /= np.float32(centred.shape[-1])
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) + QUIET)
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    moving = _moving(c.linear, centred[:, 3:axes])
    products = _products(moving)
    if principal is None:
        principal = _principal(covariance[:, :axes, :axes], moving)
    parts = [
        _upper(correlation[:, :axes, :axes], 1),
        _upper(correlation[:, axes:, axes:], 1),
        _posture(c.down),
        _upper(principal.log_covariance, 0),
        *_lagged(centred[:, :axes], deviation[:, :axes]),
        _shape(moving, products, principal),
    ]
    if axes == 6:
        parts.append(_coupling(c.linear, products[:, 0], moving[:, 1]))
    return np.concatenate(parts, axis=1), principal


def joint_names(axes: list[str], scalars: list[str]) -> list[str]:
    """Names of `joint`'s columns."""
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


def _posture(down: Array) -> Array:
    """Where gravity points: mean, deviation and range of its unit vector, (m, 12)."""
    found = np.empty((len(down), 4, 3), dtype=np.float32)
    mean = found[:, 0] = mean_of(down)
    off = down - mean[..., None]
    np.sqrt(mean_product(off, off), out=found[:, 1])
    quantiles(down, (0.05, 0.95), found[:, 2:].swapaxes(1, 2))
    return found.reshape(len(down), -1)


def _moving(linear: Array, turning: Array) -> Array:
    """What moves, sensor by sensor: (m, 2, 3, 200), or (m, 1, 3, 200) without rotation."""
    if turning.shape[1] == 0:
        return linear[:, None]
    return np.stack([linear, turning], axis=1)


def _principal(covariance: Array, moving: Array) -> Principal:
    """Solve the eigenvalue problems of a window."""
    sizes, axes = np.linalg.eigh(moving @ moving.swapaxes(2, 3) / np.float32(moving.shape[-1]))
    return Principal(_log_covariance(covariance), sizes, axes[..., 2])


def _log_covariance(covariance: Array) -> Array:
    """Matrix logarithm of the covariance: a flat picture of its cone."""
    n = covariance.shape[1]
    values, vectors = np.linalg.eigh(covariance + FLOOR * np.eye(n, dtype=np.float32))
    scaled = vectors * np.log(np.maximum(values, FLOOR / 2))[:, None, :]
    return scaled @ vectors.swapaxes(1, 2)


def _upper(matrices: Array, first: int) -> Array:
    """The upper triangles of (m, n, n) in a row, from diagonal `first` on."""
    n = matrices.shape[1]
    return matrices.reshape(len(matrices), n * n).take(_places(n, first), axis=1)


@lru_cache(maxsize=8)
def _places(n: int, first: int) -> NDArray[np.intp]:
    return np.flatnonzero(np.triu(np.ones((n, n)), first))


def _lagged(x: Array, deviation: Array) -> list[Array]:
    """Which axis follows which, at three lags; each (m, n·n)."""
    scale = deviation[:, :, None] * deviation[:, None, :]
    found: list[Array] = []
    for lag in LAGS:
        product = x[:, :, lag:] @ x[:, :, :-lag].swapaxes(1, 2)
        found.append((product / (np.float32(x.shape[-1] - lag) * scale)).reshape(len(x), -1))
    return found


def _products(moving: Array) -> Array:
    """Products of every two axes of a sensor, (m, s, 6, 200) in the order of `PAIRS`."""
    m, sensors, _, n = moving.shape
    found = np.empty((m, sensors, len(PAIRS), n), dtype=np.float32)
    for k, (i, j) in enumerate(PAIRS):
        np.multiply(moving[:, :, i], moving[:, :, j], out=found[:, :, k])
    return found


def _shape(moving: Array, products: Array, principal: Principal) -> Array:
    """Of each sensor its axis as a projector, log spreads, third moments: (m, s · 19).

    A projector has no sign to guess; the odd moments say which way the fast half goes.
    """
    m, sensors, _, n = moving.shape
    main, sizes = principal.main, principal.sizes
    found = np.empty((m, sensors, 19), dtype=np.float32)
    np.multiply(main.take(FIRST, axis=2), main.take(SECOND, axis=2), out=found[..., :6])
    np.log(np.maximum(sizes, 0) + FLOOR, out=found[..., 6:9])
    moments = (products @ moving.swapaxes(2, 3) / np.float32(n)).reshape(m, sensors, -1)
    size = (np.add.reduce(sizes, axis=2) + FLOOR) ** np.float32(1.5)
    np.divide(moments.take(ODD, axis=2), size[..., None], out=found[..., 9:])
    return found.reshape(m, -1)


def _coupling(linear: Array, pulled: Array, turning: Array) -> Array:
    """E[aᵢ aⱼ ωₖ] over the size of both: (m, 18)."""
    moments = pulled @ turning.swapaxes(1, 2) / np.float32(linear.shape[-1])
    power = np.add.reduce(mean_product(linear, linear), axis=1)
    spin = np.add.reduce(mean_product(turning, turning), axis=1)
    size = (power + FLOOR) * np.sqrt(spin + FLOOR)
    return (moments / size[:, None, None]).reshape(len(linear), -1)
