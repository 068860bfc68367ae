"""Errors of forecast loads on sets after a cut-off, beside "the same as last time"."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.history import SetLog
from models.load.features import LAST, TARGETS, forecasts, later_sets
from models.load.fit import LoadSettings, fit_load
from models.load.model import RELATIVE, LoadModel

MAX_ERROR = 1.0
"""The largest error that counts, as a share. A weight typed as .1 instead of 100 kg makes a
forecast of 100 wrong by a thousandfold, and would alone decide which of two recipes is better."""


@dataclass(frozen=True, slots=True)
class TargetScore:
    """One target over all sets after the cut-off.

    Attributes:
        error: mean absolute error: a share of the actual value (MAPE), at most `MAX_ERROR` a set,
            for weight and repetitions, absolute for intensity.
        last_error: the same for "the same as last time".
        covered: share of sets inside their interval, of those that have one.
        sets: how many sets.
    """

    error: float
    last_error: float
    covered: float
    sets: int


def evaluate_load(
    logs: Sequence[SetLog], cutoff_s: float, settings: LoadSettings
) -> dict[str, TargetScore]:
    """Learns from sessions before the cut-off; forecasts each set after it from all sets before it.

    A session that had not ended by the cut-off is after it as a whole.
    """
    early = [log.sessions_before(cutoff_s) for log in logs]
    models = [
        (fit_load(before, settings), log)
        for before, log in zip(early, logs, strict=True)
        if len(before) >= settings.least_sets
    ]
    return {target: _score(models, cutoff_s, target) for target in TARGETS}


def _score(models: list[tuple[LoadModel, SetLog]], cutoff_s: float, target: str) -> TargetScore:
    rows = [_rows(model, log, cutoff_s, target) for model, log in models]
    rows = [row for row in rows if len(row)]
    if not rows:
        return TargetScore(*[float("nan")] * 3, sets=0)
    every = np.concatenate(rows)
    inside = every[np.isfinite(every[:, 2]), 2]
    return TargetScore(
        error=float(every[:, 0].mean()),
        last_error=float(every[:, 1].mean()),
        covered=float(inside.mean()) if len(inside) else float("nan"),
        sets=len(every),
    )


def _rows(model: LoadModel, log: SetLog, cutoff_s: float, target: str) -> Floats64:
    """Rows of (error, baseline's error, inside the interval or NaN) of one user."""
    table, actual = forecasts(log, target), getattr(log, target)
    late = ~log.in_sessions_before(cutoff_s) & np.isfinite(table).all(axis=1) & (actual > 0)
    table, actual = table[late], actual[late]
    value, last = model.blend(table, later_sets(log)[late], target), table[:, LAST]
    margin = model.margin[TARGETS.index(target)] * (value if RELATIVE[target] else 1.0)
    off = np.abs(value - actual)
    inside = np.where(np.isfinite(margin), off <= margin + 1e-9, np.nan)
    errors = np.column_stack([off, np.abs(last - actual)])
    if RELATIVE[target]:
        errors = np.minimum(errors / actual[:, None], MAX_ERROR)
    return np.column_stack([errors, inside])
