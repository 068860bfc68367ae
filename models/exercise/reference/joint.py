"""What the channels of a window have in common: correlations, axes, shapes of the movement."""

import numpy as np

from models.arrays import Floats64
from models.exercise.names import LAGS, PAIRS, TRIPLES
from models.exercise.reference.channels import Channels
from models.exercise.reference.single import QUIET

FLOOR = 1e-4  # added to a covariance before its logarithm


def joint(c: Channels) -> Floats64:
    """Joint features, (m, 227) with rotation, (m, 70) without."""
    axes = c.axes
    centred = c.every - c.every.mean(axis=-1, keepdims=True)
    covariance = _mean_products(centred, centred)
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) + QUIET)
    scale = deviation[:, :, None] * deviation[:, None, :]
    correlation = covariance / scale
    turning = centred[:, 3:axes]
    parts = [
        _upper(correlation[:, :axes, :axes], 1),
        _upper(correlation[:, axes:, axes:], 1),
        _posture(c.down),
        _upper(_log_covariance(covariance[:, :axes, :axes]), 0),
        *(_lagged(centred[:, :axes], lag) / scale[:, :axes, :axes] for lag in LAGS),
        _shape(c.linear),
    ]
    if axes == 6:
        parts += [_shape(turning), _coupling(c.linear, turning)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _mean_products(a: Floats64, b: Floats64) -> Floats64:
    """E[aᵢ bⱼ] of (m, p, n) and (m, q, n), (m, p, q)."""
    return a @ b.swapaxes(1, 2) / a.shape[-1]


def _upper(matrices: Floats64, first: int) -> Floats64:
    """The upper triangles of (m, n, n) in a row, from diagonal `first` on."""
    i, j = np.triu_indices(matrices.shape[1], first)
    return matrices[:, i, j]


def _posture(down: Floats64) -> Floats64:
    """Where gravity points: mean, deviation and range of its unit vector, (m, 12)."""
    low, high = np.quantile(down, (0.05, 0.95), axis=-1)
    return np.concatenate([down.mean(axis=-1), down.std(axis=-1), low, high], axis=1)


def _log_covariance(covariance: Floats64) -> Floats64:
    """Matrix logarithm of the covariance: a flat picture of its cone."""
    values, vectors = np.linalg.eigh(covariance + FLOOR * np.eye(covariance.shape[1]))
    scaled = vectors * np.log(np.maximum(values, FLOOR / 2))[:, None, :]
    return scaled @ vectors.swapaxes(1, 2)


def _lagged(x: Floats64, lag: int) -> Floats64:
    """Which axis follows which: E[xᵢ(t + lag) xⱼ(t)], (m, n, n)."""
    return _mean_products(x[..., lag:], x[..., :-lag])


def _shape(x: Floats64) -> Floats64:
    """Of a sensor (m, 3, 200) its axis as a projector, log spreads, third moments: (m, 19).

    A projector has no sign to guess; the odd moments say which way the fast half goes.
    """
    spreads, directions = np.linalg.eigh(_mean_products(x, x))
    main = directions[..., 2]  # where it moves most
    projector = [main[:, i] * main[:, j] for i, j in PAIRS]
    size = (spreads.sum(axis=1) + FLOOR) ** 1.5
    odd = [(x[:, i] * x[:, j] * x[:, k]).mean(axis=-1) / size for i, j, k in TRIPLES]
    return np.stack([*projector, *np.log(np.maximum(spreads, 0) + FLOOR).T, *odd], axis=1)


def _coupling(linear: Floats64, turning: Floats64) -> Floats64:
    """E[aᵢ aⱼ ωₖ] over the size of both, E[|a|²] √E[|ω|²]: (m, 18)."""
    power = (linear**2).sum(axis=1).mean(axis=-1)
    spin = (turning**2).sum(axis=1).mean(axis=-1)
    size = (power + FLOOR) * np.sqrt(spin + FLOOR)
    moments = [
        (linear[:, i] * linear[:, j] * turning[:, k]).mean(axis=-1)
        for i, j in PAIRS
        for k in range(3)
    ]
    return np.stack(moments, axis=1) / size[:, None]
