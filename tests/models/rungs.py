"""Fake rungs of the ladder with fixed predictions, and a signal."""

from dataclasses import dataclass

import numpy as np

from models.exercise.prediction import Prediction
from models.recognition.naming import Rung
from models.signal.wrist import WristSignal

REST = WristSignal(0, np.zeros((500, 3), np.float32), None, "left", ())


@dataclass(frozen=True)
class Says:
    """A model with a fixed prediction."""

    exercise: str | None
    reason: str | None = None
    model_id: str = "none"  # reads no signal, so strangeness is never computed

    def predict_movement(self, reading):
        assert reading.signals
        return Prediction(self.exercise, 0.7, abstained=self.exercise is None, reason=self.reason)

    def set_strangeness(self, reading):
        assert reading.signals


def rung(level, *said) -> Rung:
    return Rung(level, f"v-{level}", Says(*said))
