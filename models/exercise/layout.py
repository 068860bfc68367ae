"""Input layouts: what a recording holds decides which models can read it."""

from collections.abc import Sequence
from dataclasses import replace

from models.signal.pieces import Recording
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6, InputLayout


def layout_of_recording(recording: Recording) -> InputLayout:
    """The layout of a recording: acceleration and rotation, or acceleration alone."""
    return ACC6 if recording.gyro else ACC3


def common_layout(signals: Sequence[WristSignal]) -> InputLayout:
    """The layout that all signals have: rotation is used where none lacks it."""
    return ACC6 if all(layout_of(signal) == ACC6 for signal in signals) else ACC3


def layout_of(signal: WristSignal) -> InputLayout:
    """The layout of a signal."""
    return ACC3 if signal.gyro_rad_s is None else ACC6


def as_layout(signal: WristSignal, layout: InputLayout) -> WristSignal | None:
    """The signal as models of a layout read it: without rotation for "wrist-acc3".

    None where it lacks the rotation that they need.
    """
    if layout == ACC3:
        return replace(signal, gyro_rad_s=None)
    return signal if layout_of(signal) == ACC6 else None
