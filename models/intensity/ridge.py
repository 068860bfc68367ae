"""Linear regression as Spark ML fits it, for many users at once, from second moments.

Spark ML's `LinearRegression` with elasticNetParam 0 and its default solver (normal equations,
`WeightedLeastSquares`) minimises, with regParam λ, for n rows

    1 / (2 n) Σ (y − w · x − b)² + λ / (2 σ_y) Σ_j (σ_j w_j)²

where σ_j and σ_y are the *population* standard deviations of the columns and of the label: the
penalty acts on standardised features and a standardised label. With the standardised weights
v_j = w_j σ_j / σ_y the zero of the gradient is

    (S + λ / σ_y · I) v = r

- with intercept: S = correlation of the features, r = correlation with the label, and
  b = mean(y) − w · mean(x): the intercept is not penalised;
- without: S_jk = mean(x_j x_k) / (σ_j σ_k), r_j = mean(x_j y) / (σ_j σ_y): *not* centred, though
  the σ are those around the mean.

A column with σ_j = 0 gets the coefficient 0. A constant label gives b = mean(y), w = 0 with an
intercept, and w = 0 without one where it is 0. Of any other constant label without an intercept
Spark refuses to learn; here the result is NaN, which no selection takes.

Departure: a column whose variance is below 1e-12 of its mean square counts as constant; Spark
leaves that to rounding.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64

CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class Linear:
    """Many linear models: weights float64 (users, d), intercepts float64 (users,)."""

    weights: Floats64
    intercepts: Floats64


def moments(x: Floats64, y: Floats64) -> Floats64:
    """Σ zᵀz over rows z = (1, x, y): all that a fit and its error need, float64 (d + 2, d + 2).

    Moments of parts of the rows add up to the moments of all rows.

    >>> moments(np.array([[2.0], [4.0]]), np.array([1.0, 3.0])).tolist()
    [[2.0, 6.0, 4.0], [6.0, 20.0, 14.0], [4.0, 14.0, 10.0]]
    """
    rows = np.column_stack([np.ones(len(y)), x, y])
    return rows.T @ rows


def fit_linear(sums: Floats64, *, reg_param: float, fit_intercept: bool) -> Linear:
    """Fit one linear model per user.

    Args:
        sums: each user's `moments`, float64 (users, d + 2, d + 2).
        reg_param: λ > 0.
        fit_intercept: whether b is fitted or 0.

    Returns:
        Weights (users, d) and intercepts (users,). Weights are NaN where no intercept is fitted
        and the label is constant and not 0.
    """
    mean = sums / sums[:, :1, :1]
    centre = mean[:, 0, 1:]
    squares = np.diagonal(mean, axis1=1, axis2=2)[:, 1:]
    variance = squares - centre**2
    spread = np.sqrt(np.where(variance > CONSTANT * squares, variance, 0.0))
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    cross = mean[:, 1:, 1:]
    if fit_intercept:
        cross = cross - centre[:, :, None] * centre[:, None, :]
    scaled = cross * inverse[:, :, None] * inverse[:, None, :]
    label_spread = spread[:, -1]
    penalty = reg_param * inverse[:, -1]
    d = sums.shape[1] - 2
    left = scaled[:, :d, :d] + np.where(penalty > 0, penalty, 1.0)[:, None, None] * np.eye(d)
    solved = np.linalg.solve(left, scaled[:, :d, d:])[:, :, 0].astype(np.float64)
    weights = solved * label_spread[:, None] * inverse[:, :d]
    if fit_intercept:
        return Linear(weights, centre[:, -1] - (weights * centre[:, :-1]).sum(axis=1))
    undefined = (label_spread == 0) & (centre[:, -1] != 0)
    return Linear(np.where(undefined[:, None], np.nan, weights), np.zeros(len(sums)))


def rmse(sums: Floats64, linear: Linear) -> Floats64:
    """Root mean squared error of each user's model on the rows of `sums`, float64 (users,)."""
    ones = np.ones((len(sums), 1))
    direction = np.hstack([-linear.intercepts[:, None], -linear.weights, ones])
    squared = np.einsum("ui,uij,uj->u", direction, sums, direction)
    return np.sqrt(np.maximum(squared, 0) / sums[:, 0, 0])
