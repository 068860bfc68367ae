"""Intensity: how hard the next set of an exercise will be. A linear regression per user."""

from collections.abc import Sequence

import numpy as np

from models.history import SetLog
from models.intensity.codec import to_bytes
from models.intensity.evaluate import errors_after
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import Evidence

SETTINGS = IntensitySettings()


def learn_intensity(logs: Sequence[SetLog], cutoff_s: float) -> list[PersonalModel | str]:
    """Fit all users together, twice: on all sets, and on those of sessions before the cut-off.

    The first model is the one that serves; it is judged by the second one's errors on later sets.

    Args:
        logs: each with one user's sets.
        cutoff_s: seconds since the epoch.

    Returns:
        A model or the reason why there is none, in the order of `logs`.
    """
    models = fit_intensity(logs, SETTINGS)
    early_models = fit_intensity([log.sessions_before(cutoff_s) for log in logs], SETTINGS)
    return [
        model if isinstance(model, str) else _evaluated(model, early, log, cutoff_s)
        for model, early, log in zip(models, early_models, logs, strict=True)
    ]


def _evaluated(
    model: IntensityModel, early: IntensityModel | str, log: SetLog, cutoff_s: float
) -> PersonalModel:
    if isinstance(early, str):
        return PersonalModel(to_bytes(model))
    errors, baseline_errors = errors_after(early, log, cutoff_s)
    error, baseline_error = (float(np.abs(each).sum()) for each in (errors, baseline_errors))
    return PersonalModel(to_bytes(model), Evidence(len(errors), error, baseline_error))


INTENSITY = PersonalFamily("intensity", learn_intensity, f"intensity-2 {SETTINGS}")
