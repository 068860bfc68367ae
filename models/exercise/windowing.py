"""Stretches of movement as windows, on each wrist that they may be of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.exercise.axis_map import MIRROR, AxisMap, remap_features
from models.exercise.features import Windows, window_features
from models.exercise.layout import layout_of
from models.signal.pieces import Side
from models.signal.wrist import WristSignal
from schemas.inputs import InputLayout
from schemas.notes import QualityNote


@dataclass(frozen=True, slots=True)
class SignalWindows:
    """The windows of one signal.

    Attributes:
        layout: of the models that can read it.
        wrists: its windows on the declared wrist; on the left and on the right where none is
            declared.
        mirrored: of each of them, whether the samples were mirrored.
    """

    layout: InputLayout
    wrists: tuple[Windows, ...]
    mirrored: tuple[bool, ...]

    def remapped(self, axis_map: AxisMap) -> "SignalWindows":
        """The same movement with the samples on other axes."""
        remapped = (
            _remapped(windows, axis_map.mirrored() if mirrored else axis_map)
            for windows, mirrored in zip(self.wrists, self.mirrored, strict=True)
        )
        return replace(self, wrists=tuple(remapped))

    def on_wrist(self, side: Side) -> "SignalWindows":
        """The windows on one wrist; unchanged where one is declared."""
        if len(self.wrists) == 1:
            return self
        n = self.mirrored.index(side == "right")
        return replace(self, wrists=(self.wrists[n],), mirrored=(self.mirrored[n],))


@dataclass(frozen=True, slots=True)
class MovementWindows:
    """The windows of a stretch of movement, and what was corrected in its samples."""

    signals: tuple[SignalWindows, ...]
    notes: tuple[QualityNote, ...]

    def remapped(self, axis_map: AxisMap) -> "MovementWindows":
        """The same movement on other axes, computed from features alone."""
        return replace(self, signals=tuple(signal.remapped(axis_map) for signal in self.signals))

    def on_wrist(self, side: Side) -> "MovementWindows":
        """The same movement on one wrist, where none is declared."""
        return replace(self, signals=tuple(signal.on_wrist(side) for signal in self.signals))


def window_movement(signals: Sequence[WristSignal]) -> MovementWindows:
    """The windows of a stretch of movement."""
    return MovementWindows(
        tuple(_read_signal(signal, window_features(signal)) for signal in signals),
        tuple(dict.fromkeys(note for signal in signals for note in signal.notes)),
    )


def _read_signal(signal: WristSignal, windows: Windows) -> SignalWindows:
    if signal.side:
        return SignalWindows(layout_of(signal), (windows,), (signal.side == "right",))
    return SignalWindows(layout_of(signal), (windows, _remapped(windows, MIRROR)), (False, True))


def _remapped(windows: Windows, axis_map: AxisMap) -> Windows:
    return replace(windows, x=remap_features(windows.x, axis_map))
