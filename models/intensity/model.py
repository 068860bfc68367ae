"""One user's linear regression of intensity."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.history import SetLog
from models.intensity.features import Scale, intensity_rows

NORMAL_80 = 1.2816
"""Four of five values of a normal distribution lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class IntensityModel:
    """A linear model in the features of `models.intensity.features`.

    Attributes:
        scale: the user's usual values.
        weights: float64 (11,).
        intercept: 0 when none was fitted.
        reg_param: regularisation strength that the grid search chose (`ridge`: λ).
        fit_intercept: whether the grid search chose to fit an intercept.
        error: root mean squared error on the user's validation part.
        sets: how many labelled sets it was learned from.
    """

    scale: Scale
    weights: Floats64
    intercept: float
    reg_param: float
    fit_intercept: bool
    error: float
    sets: int

    def interval(self, intensity: float) -> tuple[float, float]:
        """The interval around a prediction that should hold 4 of 5 sets, if errors are normal."""
        margin = NORMAL_80 * self.error
        return max(intensity - margin, 0.0), min(intensity + margin, 1.0)

    def predict_rows(self, x: Floats64) -> Floats64:
        """Intensity of feature rows (n, 11), float64 (n,), between 0 and 1."""
        return np.clip(x @ self.weights + self.intercept, 0.0, 1.0)

    def predict(
        self,
        log: SetLog,
        exercise: str,
        at_s: float,
        *,
        reps: float | None = None,
        weight_kg: float | None = None,
        session: int | None = None,
    ) -> float:
        """How hard a set will be that has not begun.

        Args:
            log: what the user did before.
            exercise: of the set.
            at_s: when it will begin, seconds since the epoch; with the log's last set where that
                is later, as of a device whose clock is ahead.
            reps: planned repetitions; None: unknown, taken as usual.
            weight_kg: planned weight; None: unknown or none, taken as usual.
            session: number in the log of the session that goes on; None: a new one.
        """
        longer = log.followed_by(
            exercise,
            float(log.started_s.max(initial=at_s)),
            log.next_session() if session is None else session,
            reps=reps,
            weight_kg=weight_kg,
        )
        return float(self.predict_rows(intensity_rows(longer, self.scale).x[-1:])[0])
