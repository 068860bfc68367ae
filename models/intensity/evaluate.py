"""Errors of predicted intensity on sets after a cut-off, beside "the same as last time"."""

import numpy as np

from models.arrays import Floats64
from models.history import SetLog
from models.intensity.features import intensity_rows
from models.intensity.model import IntensityModel


def errors_after(model: IntensityModel, log: SetLog, cutoff_s: float) -> tuple[Floats64, Floats64]:
    """(errors of the model, errors of the baseline) on labelled sets of sessions after the cut-off.

    These are the sessions that had not ended by then: the model of `SetLog.sessions_before` has
    seen none of their sets. Each set is predicted from all sets before it, also those after the
    cut-off: the model stays, the history goes on, as in service.

    Returns:
        (n,) each, in the unit of what is predicted; (0,) where no labelled set is that late.
    """
    rows = intensity_rows(log, model.scale)
    late = ~log.in_sessions_before(cutoff_s) & np.isfinite(rows.y)
    return model.predict_rows(rows.x[late]) - rows.y[late], rows.last[late] - rows.y[late]
