"""Input layouts: what a recording holds decides which models can read it."""

from typing import Literal

from models.signal.pieces import Recording
from models.signal.wrist import WristSignal

ModelId = Literal["wrist-acc6", "wrist-acc3"]
ACC6: ModelId = "wrist-acc6"
ACC3: ModelId = "wrist-acc3"


def model_id(recording: Recording) -> ModelId:
    """The layout of a recording: acceleration and rotation, or acceleration alone."""
    return ACC6 if recording.gyro else ACC3


def layout_of(signal: WristSignal) -> ModelId:
    """The layout of a signal."""
    return ACC3 if signal.gyro_rad_s is None else ACC6
