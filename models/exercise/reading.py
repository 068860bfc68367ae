"""Stretches of movement as a model reads them: windows, on each wrist that it may have been."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.exercise.features import Windows, window_features
from models.exercise.layout import layout_of
from models.exercise.signs import MIRROR, Signs, under_signs
from models.signal.windows import STEP_S
from models.signal.wrist import WristSignal
from schemas.inputs import InputLayout


@dataclass(frozen=True, slots=True)
class ReadSignal:
    """A signal as windows.

    Attributes:
        layout: of the models that can read it.
        wrists: its windows on the wrist that it says; on the left and on the right where it says
            none.
        mirrored: of each of them, whether it is read as the mirror image of what was sent.
    """

    layout: InputLayout
    wrists: tuple[Windows, ...]
    mirrored: tuple[bool, ...]

    def under(self, signs: Signs) -> "ReadSignal":
        """The same movement, what was sent having other axes."""
        both = zip(self.wrists, self.mirrored, strict=True)
        seen = (_under(one, signs.mirrored() if mirror else signs) for one, mirror in both)
        return replace(self, wrists=tuple(seen))


@dataclass(frozen=True, slots=True)
class Reading:
    """A stretch of movement as windows, and what was put right in its samples."""

    signals: tuple[ReadSignal, ...]
    notes: tuple[str, ...]

    def under(self, signs: Signs) -> "Reading":
        """The same movement by a watch that has other axes; no sample is read again."""
        return replace(self, signals=tuple(one.under(signs) for one in self.signals))


def read(signals: Sequence[WristSignal], step_s: float = STEP_S) -> Reading:
    """The windows of a stretch of movement."""
    return Reading(
        tuple(_read_signal(signal, window_features(signal, step_s)) for signal in signals),
        tuple(dict.fromkeys(note for signal in signals for note in signal.notes)),
    )


def _read_signal(signal: WristSignal, windows: Windows) -> ReadSignal:
    if signal.side:
        return ReadSignal(layout_of(signal), (windows,), (signal.side == "right",))
    return ReadSignal(layout_of(signal), (windows, _under(windows, MIRROR)), (False, True))


def _under(windows: Windows, signs: Signs) -> Windows:
    return replace(windows, x=under_signs(windows.x, signs))
