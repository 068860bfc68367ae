"""Intensity: how hard the next set of an exercise will be. A linear regression per user."""

from collections.abc import Sequence

import numpy as np

from models.history import SetLog
from models.intensity.codec import to_bytes
from models.intensity.evaluate import errors_after
from models.intensity.fit import IntensitySettings, fit_intensity
from models.intensity.model import IntensityModel
from pipelines.personal.job import Personal, PersonalFamily

SETTINGS = IntensitySettings()


def learn_intensity(logs: Sequence[SetLog], cutoff_s: float) -> list[Personal | str]:
    """Fit all users together, twice: on all sets, and on those before the cut-off.

    The first model is the one that serves; the second one's errors on later sets judge it.

    Args:
        logs: one user's sets each.
        cutoff_s: seconds since the epoch.

    Returns:
        A model or the reason why there is none, in the order of `logs`.
    """
    shipped = fit_intensity(logs, SETTINGS)
    judged = fit_intensity([log.before(cutoff_s) for log in logs], SETTINGS)
    return [
        model if isinstance(model, str) else _judged(model, early, log, cutoff_s)
        for model, early, log in zip(shipped, judged, logs, strict=True)
    ]


def _judged(
    model: IntensityModel, early: IntensityModel | str, log: SetLog, cutoff_s: float
) -> Personal:
    if isinstance(early, str):
        return Personal(to_bytes(model))
    ours, last = errors_after(early, log, cutoff_s)
    return Personal(
        to_bytes(model), len(ours), float(np.abs(ours).sum()), float(np.abs(last).sum())
    )


INTENSITY = PersonalFamily("intensity", learn_intensity)
