"""Blends simple forecasts per user, and measures how far the blend is off.

First sets of an exercise in a session and later ones are learned apart. A user's rows are cut in
time: the early part fits blends, the middle part judges them, the last part measures the interval
and is used for nothing else.

- "The same as last time" is the rule until something is shown to be better: another simple forecast
  on the early and middle part, then a ridge blend last + Σ β_k (forecast_k − last) on the middle
  part. Better means that the mean of the paired differences of absolute errors is more than two of
  its standard errors: choosing by a bare minimum follows noise.
- Interval: split conformal (Vovk, Gammerman & Shafer 2005). With m errors in the last part the
  margin is the ⌈(m + 1) · coverage⌉-th least of them; when that is more than m there is none.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.history import SetLog
from models.load.features import FORECASTS, LAST, TARGETS, forecasts, later_sets
from models.load.model import LIMITS, RELATIVE, LoadModel, blended
from schemas.errors import NotEnoughLabels


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How loads are learned.

    Attributes:
        ridge: penalty of a blend, in sets: so many sets' worth of "the same as last time".
        choose_share: the middle part, of the rows before the last part.
        interval_share: the last part of all rows.
        least_rows: with fewer rows before the last part nothing but "last" is tried.
        coverage: the share of sets that an interval is made to hold.
        least_sets: fewer sets carry no model.
    """

    ridge: float = 20.0
    choose_share: float = 0.35
    interval_share: float = 0.2
    least_rows: int = 20
    coverage: float = 0.8
    least_sets: int = 40


def fit_load(log: SetLog, settings: LoadSettings) -> LoadModel:
    """The model of one user.

    Raises:
        NotEnoughLabels: fewer sets than `least_sets`.
    """
    if len(log) < settings.least_sets:
        raise NotEnoughLabels(f"{len(log)} sets, {settings.least_sets} are needed")
    fits = [_fit_target(log, target, settings) for target in TARGETS]
    return LoadModel(
        weights=np.array([weights for weights, _ in fits]),
        margin=np.array([margin for _, margin in fits]),
        coverage=settings.coverage,
        sets=len(log),
    )


def _fit_target(log: SetLog, target: str, settings: LoadSettings) -> tuple[Floats64, float]:
    table, actual, later = forecasts(log, target), getattr(log, target), later_sets(log)
    known = np.isfinite(table).all(axis=1) & np.isfinite(actual) & (table[:, LAST] > 0)
    table, actual, later = table[known], actual[known], later[known]
    fitted = len(actual) - round(settings.interval_share * len(actual))
    weights = np.array(
        [
            _choose(table[:fitted][phase], actual[:fitted][phase], target, settings)
            for phase in (~later[:fitted], later[:fitted])
        ]
    )
    late = blended(table[fitted:], later[fitted:], weights, target)
    return weights, margin_of(_errors(late, actual[fitted:], target), settings.coverage)


def _choose(table: Floats64, actual: Floats64, target: str, settings: LoadSettings) -> Floats64:
    """Weights (5,) of the forecast that is shown to be the best, else of the last value."""
    alone = np.eye(len(FORECASTS))
    best = alone[LAST]
    if len(actual) < settings.least_rows:
        return best

    def errors(weights: Floats64, part: slice) -> Floats64:
        """The `_errors` of the rows of `part`, after forecasts are brought within `LIMITS`."""
        value = np.clip(table[part] @ weights, *LIMITS[target])
        return _errors(value, actual[part], target)

    every = slice(None)
    challenger = min(alone, key=lambda weights: float(errors(weights, every).mean()))
    if _clearly_less(errors(challenger, every), errors(best, every)):
        best = challenger
    cut = len(actual) - round(settings.choose_share * len(actual))
    blend = ridge_blend(table[:cut], actual[:cut], target, settings.ridge)
    middle = slice(cut, None)
    return blend if _clearly_less(errors(blend, middle), errors(best, middle)) else best


def _clearly_less(left: Floats64, right: Floats64) -> bool:
    """The mean of left − right lies more than two standard errors below 0."""
    difference = left - right
    return bool(difference.mean() < -2 * difference.std() / max(len(difference), 1) ** 0.5)


def _errors(forecast: Floats64, actual: Floats64, target: str) -> Floats64:
    """|forecast − actual|, as a share of the forecast for weight and repetitions."""
    off = np.abs(forecast - actual)
    return off / np.maximum(forecast, 1e-9) if RELATIVE[target] else off


def ridge_blend(table: Floats64, actual: Floats64, target: str, ridge: float) -> Floats64:
    """Weights (5,) that sum to 1 of the blend last + Σ β_k (forecast_k − last).

    Least squares in shares of the last value (for intensity absolute), so that a heavy exercise
    counts no more than a light one. The penalty on β_k is `ridge` times the mean square of its
    column: as if so many typical sets had asked for β = 0.
    """
    last = table[:, LAST]
    scale = last if RELATIVE[target] else np.ones_like(last)
    x = (np.delete(table, LAST, axis=1) - last[:, None]) / scale[:, None]
    y = (actual - last) / scale
    penalty = ridge * (x**2).mean(axis=0)
    penalty = np.where(penalty > 0, penalty, 1.0)
    beta = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
    return np.insert(beta, LAST, 1 - beta.sum()).astype(np.float64)


def margin_of(errors: Floats64, coverage: float) -> float:
    """The margin that holds a further error with probability ≥ coverage; infinite if too few.

    Args:
        errors: (n,), sizes of errors; the margin has their unit.
        coverage: 0 to 1.

    >>> margin_of(np.arange(1.0, 10.0), 0.8), margin_of(np.arange(3.0), 0.8)
    (8.0, inf)
    """
    rank = int(np.ceil((len(errors) + 1) * coverage - 1e-9))
    if rank > len(errors):
        return float("inf")
    return float(np.sort(errors)[rank - 1])
