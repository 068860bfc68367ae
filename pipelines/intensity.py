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
    """All users' grids in one batch, twice: what ships, and what is judged on later sets."""
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
