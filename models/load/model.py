"""Which forecast a user's sets follow best, and how far it is off."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64
from models.history import SetLog
from models.load.features import LAST, TARGETS, forecasts, later_sets

RELATIVE = {"weight_kg": True, "reps": True, "intensity": False}
LIMITS = {"weight_kg": (0.0, np.inf), "reps": (1.0, np.inf), "intensity": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Forecast:
    """One number with an interval.

    Attributes:
        value: the forecast.
        low, high: the interval; None when too few sets tell how far forecasts are off.
        last: the same as last time, for comparison.
    """

    value: float
    low: float | None
    high: float | None
    last: float


@dataclass(frozen=True, slots=True)
class LoadModel:
    """What was learned of one user, per target in the order of `TARGETS`.

    Attributes:
        weights: float64 (3, 2, 5): how the forecasts are blended, for the first set of an exercise
            in its session and for later ones; sums to 1 over the forecasts.
        margin: float64 (3,): half of the interval: a share of the forecast for weight and
            repetitions, absolute for intensity; infinite when unknown.
        coverage: the share of sets that the interval is made to hold.
        sets: how many sets were learned from.
    """

    weights: Floats64
    margin: Floats64
    coverage: float
    sets: int

    def blend(self, table: Floats64, later: Flags, target: str) -> Floats64:
        """One forecast of a target from the table (n, 5) of simple ones, float64 (n,)."""
        return blended(table, later, self.weights[TARGETS.index(target)], target)

    def predict(
        self, log: SetLog, exercise: str, *, session: int | None = None
    ) -> dict[str, Forecast]:
        """Forecasts of the next set of an exercise; a target without earlier values is left out.

        Args:
            log: what the user did before.
            exercise: of the next set.
            session: number in the log of the session that goes on; None: a new one.
        """
        own = log.where(log.exercise == exercise)
        longer = own.followed_by(
            exercise, np.inf, log.next_session() if session is None else session
        )
        by_target: dict[str, Forecast] = {}
        for number, target in enumerate(TARGETS):
            table = forecasts(longer, target)[-1:]
            if np.isfinite(table).all():
                value = float(self.blend(table, later_sets(longer)[-1:], target)[0])
                margin = float(self.margin[number]) * (value if RELATIVE[target] else 1.0)
                by_target[target] = _with_interval(target, value, margin, float(table[0, LAST]))
        return by_target


def blended(
    table: Floats64,
    later: Flags,
    weights: Floats64,
    target: str,
) -> Floats64:
    """Simple forecasts (n, 5) blended by weights (2, 5), within the limits of the target."""
    return np.clip((table * weights[later.astype(np.int64)]).sum(axis=1), *LIMITS[target])


def _with_interval(target: str, value: float, margin: float, last: float) -> Forecast:
    if not np.isfinite(margin):
        return Forecast(value, None, None, last)
    low, high = LIMITS[target]
    return Forecast(value, max(value - margin, low), min(value + margin, high), last)
