"""Features of a set that are known before it begins.

One row per set. Weight and repetitions are those that the set is begun with: planned or chosen
before it, which for a set already done is what was recorded. Everything else comes from earlier
sets only, so a row never sees its own answer. z-scores compare with the user's own mean for the
same exercise in the training part; where nothing is known a feature is 0, the user's usual.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints64
from models.history import DAY_S, SetLog, previous_with

FEATURES = (
    "weight_z",  # weight against the user's usual one for this exercise
    "reps_z",  # repetitions, the same way
    "load_z",  # log(weight · (1 + reps / 30)), the same way
    "last_intensity",  # of the last set of this exercise
    "mean_intensity",  # running mean over earlier sets of this exercise
    "session_intensity",  # running mean over earlier sets of this session
    "weight_step",  # log ratio to the last set of this exercise
    "reps_step",  # difference to the last set of this exercise
    "place",  # sets done before in this session
    "repeat",  # sets of this exercise done before in this session
    "rest_days",  # log(1 + days since this exercise was last done)
)

ROUNDING = 1e-9  # spread up to which equal numbers are told from different ones, as a share


@dataclass(frozen=True, slots=True)
class Scale:
    """A user's usual values per exercise, from the training part.

    Attributes:
        exercises: ascending.
        mean, spread: float64 (exercises, 3) of weight, repetitions and log load; NaN where unknown.
        usual: mean intensity over the sets that have one, 0.5 where none has. It takes the place
            of the last intensity where no earlier set has one.
    """

    exercises: tuple[str, ...]
    mean: Floats64
    spread: Floats64
    usual: float


@dataclass(frozen=True, slots=True)
class IntensityRows:
    """Feature rows of one user's sets.

    Attributes:
        x: float64 (n, 11), no NaN.
        y: float64 (n,): intensity that the user gave, 0 to 1; NaN where none was given.
        last: float64 (n,): intensity of the last earlier set of the same exercise that has one
            (the baseline), else the user's usual.
        started_s: float64 (n,): begin of each set, seconds since the epoch.
    """

    x: Floats64
    y: Floats64
    last: Floats64
    started_s: Floats64


def _measures(log: SetLog) -> Floats64:
    """Weight, repetitions and log load of each set, float64 (n, 3), NaN where not recorded."""
    weight = np.where(log.weight_kg > 0, log.weight_kg, np.nan)
    reps = np.where(log.reps > 0, log.reps, np.nan)
    return np.column_stack([weight, reps, np.log(weight) + np.log1p(reps / 30)])


def fit_scale(log: SetLog) -> Scale:
    """Mean and standard deviation of a user's own sets of each exercise, and usual intensity."""
    names = sorted({str(name) for name in log.exercise})
    mean, spread = np.full((len(names), 3), np.nan), np.full((len(names), 3), np.nan)
    measures = _measures(log)
    for row, name in enumerate(names):
        own = measures[log.exercise == name]
        for column in range(3):
            known = own[np.isfinite(own[:, column]), column]
            if len(known):
                mean[row, column], spread[row, column] = known.mean(), known.std()
    rated = log.intensity[np.isfinite(log.intensity)]
    return Scale(tuple(names), mean, spread, float(rated.mean()) if len(rated) else 0.5)


def intensity_rows(log: SetLog, scale: Scale) -> IntensityRows:
    """Feature rows of every set of `log`, in its order."""
    n = len(log)
    _, code = np.unique(log.exercise, return_inverse=True)
    rated = np.isfinite(log.intensity)
    before, before_rated = previous_with(code), previous_with(code, rated)
    pair = code.astype(np.int64) * (int(log.session.max(initial=0)) + 1) + log.session
    last = np.where(before_rated >= 0, log.intensity[before_rated], scale.usual)
    own = _running_mean(code, log.intensity, scale.usual)
    session = _running_mean(log.session, log.intensity, scale.usual)
    x = np.zeros((n, len(FEATURES)))
    x[:, :3] = _z(log, scale)
    x[:, 3], x[:, 4], x[:, 5] = last, own, session
    x[:, 6] = _step(np.log(np.where(log.weight_kg > 0, log.weight_kg, np.nan)), before)
    x[:, 7] = _step(log.reps, before)
    x[:, 8], x[:, 9] = _count_before(log.session), _count_before(pair)
    days = (log.started_s - log.started_s[before]) / DAY_S
    x[:, 10] = np.where(before >= 0, np.log1p(np.maximum(days, 0)), 0.0)
    return IntensityRows(x, log.intensity, last, log.started_s)


def _z(log: SetLog, scale: Scale) -> Floats64:
    """z-scores of `_measures`, float64 (n, 3), from -5 to 5; 0 where one cannot be computed.

    Where all sets had the same weight or repetitions, the spread is 0 or what rounding made of it.
    """
    number = {name: row for row, name in enumerate(scale.exercises)}
    rows = np.array([number.get(name, -1) for name in log.exercise.tolist()], np.int64)
    known = rows >= 0
    z = np.full((len(log), 3), np.nan)
    rounding = ROUNDING * np.maximum(1, np.abs(scale.mean))
    spread = np.where(scale.spread > rounding, scale.spread, np.nan)
    z[known] = (_measures(log)[known] - scale.mean[rows[known]]) / spread[rows[known]]
    return np.clip(np.nan_to_num(z, nan=0.0), -5, 5)


def _step(value: Floats64, before: Ints64) -> Floats64:
    """Difference to the earlier row, 0 where there is none or a number is missing."""
    return np.where(before >= 0, np.nan_to_num(value - value[before], nan=0.0), 0.0)


def _running_mean(key: Ints64, value: Floats64, empty: float) -> Floats64:
    """Mean of the known values of earlier rows with the same key; `empty` where there are none."""
    total: dict[int, tuple[float, int]] = {}
    mean = np.full(len(key), empty)
    for row, (group, number) in enumerate(zip(key.tolist(), value.tolist(), strict=True)):
        seen, count = total.get(group, (0.0, 0))
        if count:
            mean[row] = seen / count
        if number == number:  # not NaN
            total[group] = (seen + number, count + 1)
    return mean


def _count_before(key: Ints64) -> Floats64:
    """How many earlier rows have the same key.

    >>> _count_before(np.array([4, 4, 5, 4])).tolist()
    [0.0, 1.0, 0.0, 2.0]
    """
    seen: dict[int, int] = {}
    counts = np.zeros(len(key))
    for row, group in enumerate(key.tolist()):
        counts[row] = seen.get(group, 0)
        seen[group] = seen.get(group, 0) + 1
    return counts
