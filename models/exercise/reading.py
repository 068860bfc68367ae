"""Stretches of movement as a model reads them: windows, on each wrist that it may have been."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from models.exercise.features import Windows, cut_signal, features_of
from models.exercise.layout import ModelId, layout_of
from models.exercise.signs import MIRROR, Signs, under_signs
from models.signal.windows import STEP_S
from models.signal.wrist import WristSignal


@dataclass(frozen=True, slots=True)
class ReadSignal:
    """A signal as windows.

    Attributes:
        layout: of the models that can read it.
        wrists: its windows on the wrist that it says; on the left and on the right where it says
            none.
    """

    layout: ModelId
    wrists: tuple[Windows, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A stretch of movement as windows, and what was put right in its samples."""

    signals: tuple[ReadSignal, ...]
    notes: tuple[str, ...]

    def under(self, signs: Signs) -> "Reading":
        """The same movement by a watch whose axes have other signs; no sample is read again."""
        return replace(
            self,
            signals=tuple(
                replace(one, wrists=tuple(_under(windows, signs) for windows in one.wrists))
                for one in self.signals
            ),
        )


def read(signals: Sequence[WristSignal], step_s: float = STEP_S) -> Reading:
    """The windows of a stretch of movement."""
    return read_all([signals], step_s)[0]


def read_all(stretches: Sequence[Sequence[WristSignal]], step_s: float = STEP_S) -> list[Reading]:
    """The windows of many stretches, each as by itself."""
    cuts = [cut_signal(signal, step_s) for signals in stretches for signal in signals]
    windows = iter(features_of(cuts))
    return [
        Reading(
            tuple(
                _read_signal(signal, found)
                for signal, found in zip(signals, islice(windows, len(signals)), strict=True)
            ),
            tuple(dict.fromkeys(note for signal in signals for note in signal.notes)),
        )
        for signals in stretches
    ]


def _read_signal(signal: WristSignal, windows: Windows) -> ReadSignal:
    wrists = (windows,) if signal.side else (windows, _under(windows, MIRROR))
    return ReadSignal(layout_of(signal), wrists)


def _under(windows: Windows, signs: Signs) -> Windows:
    return replace(windows, x=under_signs(windows.x, signs))
