"""A recording that is corrected once, as a whole; parts are cut from it afterwards."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from models.signal.corrections import corrected
from models.signal.pieces import Piece, Recording
from models.signal.timing import cut_timed, true_clock
from schemas.notes import QualityNote


@dataclass(frozen=True, slots=True)
class Timeline:
    """A corrected recording, from which parts can be cut cheaply.

    Attributes:
        recording: with correct units and signs.
        notes: the corrections.
        acc, gyro: its pieces by their true clock, with the running maximum of their ends.
    """

    recording: Recording
    notes: tuple[QualityNote, ...]
    acc: "_Track"
    gyro: "_Track"

    def cut(self, start_ns: int, end_ns: int) -> Recording:
        """The raw samples of [start_ns, end_ns); counts are slices of what was received."""
        parts = [
            cut_timed(track.around(start_ns, end_ns), start_ns, end_ns)
            for track in (self.acc, self.gyro)
        ]
        return replace(self.recording, acc=parts[0], gyro=parts[1])


@dataclass(frozen=True, slots=True)
class _Track:
    pieces: tuple[Piece, ...]
    ends_ns: tuple[int, ...]

    def around(self, start_ns: int, end_ns: int) -> tuple[Piece, ...]:
        """All pieces that may hold samples of [start_ns, end_ns)."""
        first = bisect_left(self.ends_ns, start_ns)
        return self.pieces[first : bisect_left(self.pieces, end_ns, key=lambda piece: piece.t0_ns)]


def timeline(recording: Recording) -> Timeline:
    """Correct a recording once, as a whole.

    >>> import numpy as np
    >>> piece = Piece(0, 50.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> len(timeline(Recording((piece,), (), None)).cut(500_000_000, 10**9).acc[0].counts)
    25

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    fixed, noted = corrected(recording)
    notes = tuple(dict.fromkeys(note for _, note in noted))
    judged = replace(fixed, units_judged=True)
    return Timeline(judged, notes, _track(fixed.acc), _track(fixed.gyro))


def _track(pieces: Sequence[Piece]) -> _Track:
    timed = sorted(true_clock(pieces), key=lambda piece: piece.t0_ns)
    return _Track(tuple(timed), tuple(accumulate((piece.end_ns for piece in timed), max)))


def cut(recording: Recording, start_ns: int, end_ns: int) -> Recording:
    """The raw samples of [start_ns, end_ns), corrected as part of the whole recording.

    To cut several parts, make a `timeline` once.
    """
    return timeline(recording).cut(start_ns, end_ns)
