"""Grid search per user with a validation part that is later in time; all users in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.history import SetLog
from models.intensity.features import Scale, fit_scale, intensity_rows
from models.intensity.model import IntensityModel
from models.intensity.ridge import Linear, fit_linear, moments, rmse


@dataclass(frozen=True, slots=True)
class IntensitySettings:
    """How regressors are learned.

    Attributes:
        reg_params, fit_intercepts: the grid; every combination is tried, reg_params outermost.
        validation_share: the latest share of a user's labelled sets; the session in which it begins
            is of it as a whole.
        least_sets: users with fewer sets that have an intensity get no model.
    """

    reg_params: tuple[float, ...] = (0.1, 0.01)
    fit_intercepts: tuple[bool, ...] = (True, False)
    validation_share: float = 0.25
    least_sets: int = 40

    @property
    def grid(self) -> tuple[tuple[float, bool], ...]:
        """(reg_param, fit_intercept) in the order in which ties are decided."""
        return tuple((reg, fit) for reg in self.reg_params for fit in self.fit_intercepts)


@dataclass(frozen=True, slots=True)
class GridFit:
    """What the search found for each user.

    Attributes:
        linear: models with the chosen settings, fitted on training and validation part together.
        chosen: int64 (users,): number of the chosen point of the grid.
        errors: float64 (users, points): root mean squared error on the validation part.
    """

    linear: Linear
    chosen: Ints64
    errors: Floats64


def fit_grid(
    train: Floats64,
    validation: Floats64,
    grid: Sequence[tuple[float, bool]],
) -> GridFit:
    """What Spark ML's `TrainValidationSplit` does, for many users at once.

    Each point of the grid is fitted on the training part; the one with the least root mean squared
    error on the validation part is fitted again on both. Of equal ones the first wins.

    Args:
        train: `ridge.moments` of the training rows, float64 (users, d + 2, d + 2).
        validation: of the validation rows.
        grid: (reg_param, fit_intercept) pairs.
    """
    both = train + validation
    errors = np.empty((len(train), len(grid)))
    refits: list[Linear] = []
    for point, (reg, intercept) in enumerate(grid):
        tried = fit_linear(train, reg_param=reg, fit_intercept=intercept)
        errors[:, point] = rmse(validation, tried)
        refits.append(fit_linear(both, reg_param=reg, fit_intercept=intercept))
    chosen = np.argmin(np.where(np.isfinite(errors), errors, np.inf), axis=1)
    users = np.arange(len(train))
    weights = np.stack([refit.weights for refit in refits])[chosen, users]
    intercepts = np.stack([refit.intercepts for refit in refits])[chosen, users]
    return GridFit(Linear(weights, intercepts), chosen, errors)


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """A user's labelled rows, cut in time: between two sessions, or within the only one.

    Attributes:
        scale: from the training part.
        x: float64 (n, 11), y: float64 (n,): labelled rows, oldest first.
        train: bool (n,): the training part; the other rows are the validation part.
    """

    scale: Scale
    x: Floats64
    y: Floats64
    train: Flags


def training_rows(log: SetLog, settings: IntensitySettings) -> TrainingRows | str:
    """A user's rows, or the reason why the user gets no model.

    Args:
        log: the user's sets before the run's cut-off, of sessions that had ended by then
            (`SetLog.sessions_before`).
        settings: see `IntensitySettings`.
    """
    rated = np.flatnonzero(np.isfinite(log.intensity))
    if len(rated) < settings.least_sets:
        return f"{len(rated)} sets with an intensity, {settings.least_sets} are needed"
    cut = rated[len(rated) - max(round(settings.validation_share * len(rated)), 1)]
    train = log.in_sessions_before(float(log.started_s[cut]))
    if not train[rated].any():  # as where a user names one session for all sets
        train = np.arange(len(log)) < cut
    scale = fit_scale(log.where(train))
    rows = intensity_rows(log, scale)
    return TrainingRows(scale, rows.x[rated], rows.y[rated], train[rated])


def fit_intensity(
    logs: Sequence[SetLog], settings: IntensitySettings
) -> list[IntensityModel | str]:
    """A model for every eligible user, or the reason why there is none, in the order of `logs`."""
    rows = [training_rows(log, settings) for log in logs]
    eligible = [row for row in rows if isinstance(row, TrainingRows)]
    if not eligible:
        return [row for row in rows if isinstance(row, str)]
    grid_fit = fit_grid(
        np.stack([moments(row.x[row.train], row.y[row.train]) for row in eligible]),
        np.stack([moments(row.x[~row.train], row.y[~row.train]) for row in eligible]),
        settings.grid,
    )
    models = iter(_model(user, row, grid_fit, settings) for user, row in enumerate(eligible))
    return [row if isinstance(row, str) else next(models) for row in rows]


def _model(
    user: int, row: TrainingRows, grid_fit: GridFit, settings: IntensitySettings
) -> IntensityModel:
    point = int(grid_fit.chosen[user])
    reg_param, fit_intercept = settings.grid[point]
    return IntensityModel(
        scale=row.scale,
        weights=grid_fit.linear.weights[user],
        intercept=float(grid_fit.linear.intercepts[user]),
        reg_param=reg_param,
        fit_intercept=fit_intercept,
        error=float(grid_fit.errors[user, point]),
        sets=len(row.y),
    )
