"""Errors of predicted intensity on sets after a cut-off, beside "the same as last time"."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.history import SetLog
from models.intensity.features import intensity_rows
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel


@dataclass(frozen=True, slots=True)
class IntensityScore:
    """Errors over all labelled sets after the cut-off, of users with a model; NaN without any.

    Attributes:
        mae, rmse: mean absolute and root mean squared error of the models.
        last_mae, last_rmse: of the baseline, the intensity of the last set of the same exercise.
        users: how many have a model and at least one such set.
        better: share of them whose model has the smaller mean absolute error.
        sets: how many sets.
    """

    mae: float
    rmse: float
    last_mae: float
    last_rmse: float
    users: int
    better: float
    sets: int


def errors_after(model: IntensityModel, log: SetLog, cutoff_s: float) -> tuple[Floats64, Floats64]:
    """(errors of the model, errors of the baseline) on labelled sets from the cut-off on.

    Each set is predicted from all sets before it, also those after the cut-off: the model stays,
    the history goes on, as in service.

    Returns:
        (n,) each, in the unit of what is predicted; (0,) where no labelled set is that late.
    """
    rows = intensity_rows(log, model.scale)
    late = (rows.started_s >= cutoff_s) & np.isfinite(rows.y)
    return model.predict_rows(rows.x[late]) - rows.y[late], rows.last[late] - rows.y[late]


def evaluate_intensity(
    logs: Sequence[SetLog], cutoff_s: float, settings: IntensitySettings
) -> IntensityScore:
    """Learns from sets before the cut-off and predicts those after it."""
    models = fit_intensity([log.before(cutoff_s) for log in logs], settings)
    pairs = [
        errors_after(model, log, cutoff_s)
        for model, log in zip(models, logs, strict=True)
        if isinstance(model, IntensityModel)
    ]
    pairs = [(ours, last) for ours, last in pairs if len(ours)]
    ours = np.concatenate([pair[0] for pair in pairs]) if pairs else np.full(1, np.nan)
    last = np.concatenate([pair[1] for pair in pairs]) if pairs else np.full(1, np.nan)
    better = [np.abs(ours).mean() < np.abs(last).mean() for ours, last in pairs]
    return IntensityScore(
        mae=float(np.abs(ours).mean()),
        rmse=float(np.sqrt((ours**2).mean())),
        last_mae=float(np.abs(last).mean()),
        last_rmse=float(np.sqrt((last**2).mean())),
        users=len(pairs),
        better=float(np.mean(better)) if better else float("nan"),
        sets=len(ours) if pairs else 0,
    )
