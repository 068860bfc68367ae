"""Ways to wear a watch otherwise than declared: turned round, other wrist, other axes."""

from dataclasses import dataclass, replace

import numpy as np

from models.exercise.axis_map import MIRROR, AxisMap, Triple, right_handed_maps
from models.signal.pieces import Piece, Recording
from schemas.notes import (
    AXES_SWAPPED,
    AXES_TURNED,
    WAS_OTHER_WRIST,
    WATCH_TURNED_ROUND,
    QualityNote,
)


@dataclass(frozen=True, slots=True)
class Wearing:
    """A way to wear a watch other than declared.

    Attributes:
        note: its name in answers.
        axis_map: that undoes it.
    """

    note: QualityNote
    axis_map: AxisMap


ROUND = Wearing(WATCH_TURNED_ROUND, AxisMap((-1, -1, 1), (-1, -1, 1)))
OTHER_WRIST = Wearing(WAS_OTHER_WRIST, MIRROR)
OTHER_SIGN = Wearing(AXES_TURNED, AxisMap((-1, -1, -1), (1, 1, 1)))
OTHER_FRAMES = tuple(
    Wearing(AXES_SWAPPED, axis_map)
    for axis_map in right_handed_maps()[1:]
    if axis_map != ROUND.axis_map
)
"""Devices, or places to strap them to, whose axes lie along other directions."""


def _of_other_sign(axis_map: AxisMap) -> AxisMap:
    x, y, z = axis_map.acc
    return replace(axis_map, acc=(-x, -y, -z))


FRAMES_OF_OTHER_SIGN = tuple(
    Wearing(AXES_SWAPPED, _of_other_sign(axis_map)) for axis_map in right_handed_maps()[1:]
)
"""Each of them, and a watch turned round, with acceleration of the other sign: most bare sensors,
and those of Android, report +1 g where Apple's reports -1 g."""


def remap_recording(recording: Recording, wearing: Wearing) -> Recording:
    """The recording on other axes.

    >>> piece = Piece(0, 50.0, "g", 1.0, np.array([[1, 2, -32768]], dtype=np.int16))
    >>> remap_recording(Recording((piece,), (), None), OTHER_SIGN).acc[0].counts.tolist()
    [[-1, -2, 32767]]
    """
    acc, gyro, axes = wearing.axis_map.acc, wearing.axis_map.gyro, wearing.axis_map.axes
    return replace(
        recording,
        acc=tuple(_remap_piece(piece, axes, acc) for piece in recording.acc),
        gyro=tuple(_remap_piece(piece, axes, gyro) for piece in recording.gyro),
    )


def _remap_piece(piece: Piece, axes: Triple, signs: Triple) -> Piece:
    remapped = piece.counts[:, axes].astype(np.int32) * np.array(signs)
    counts = np.minimum(remapped, np.iinfo(np.int16).max).astype(np.int16)
    return replace(piece, counts=np.ascontiguousarray(counts))
