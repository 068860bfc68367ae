"""What the channels of a window have in common: correlations, axes, shapes of the movement."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.exercise.names import LAGS, PAIRS, TRIPLES
from models.exercise.reference.channels import Channels
from models.exercise.reference.single import QUIET, mean_of, mean_product, quantiles

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width
FLOOR = np.float32(1e-4)  # added to a covariance before its logarithm
FIRST, SECOND = np.array(PAIRS, dtype=np.intp).T.copy()
ODD = np.array([3 * PAIRS.index((i, j)) + k for i, j, k in TRIPLES], dtype=np.intp)


def joint(c: Channels, centred: Array) -> Array:
    """Joint features, float32 (m, 227) with rotation, (m, 70) without.

    Args:
        c: the channels.
        centred: (m, n, 200): every channel minus its mean.
    """
    axes = c.axes
    covariance = centred @ centred.swapaxes(1, 2)
    covariance /= np.float32(centred.shape[-1])
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) + QUIET)
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    moving = _moving(c.linear, centred[:, 3:axes])
    products = _products(moving)
    parts = [
        _upper(correlation[:, :axes, :axes], 1),
        _upper(correlation[:, axes:, axes:], 1),
        _posture(c.down),
        _upper(_log_covariance(covariance[:, :axes, :axes]), 0),
        *_lagged(centred[:, :axes], deviation[:, :axes]),
        _shape(moving, products),
    ]
    if axes == 6:
        parts.append(_coupling(c.linear, products[:, 0], moving[:, 1]))
    return np.concatenate(parts, axis=1)


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


def _shape(moving: Array, products: Array) -> Array:
    """Of each sensor its axis as a projector, log spreads, third moments: (m, s · 19).

    A projector has no sign to guess; the odd moments say which way the fast half goes.
    """
    m, sensors, _, n = moving.shape
    sizes, axes = np.linalg.eigh(moving @ moving.swapaxes(2, 3) / np.float32(n))
    main = axes[..., 2]
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
