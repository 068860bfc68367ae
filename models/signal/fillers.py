"""Losses that a device fills itself, with zeros or with the last value that it measured.

Read as movement, they are a wrist that falls, or that stops dead and is thrown on. Such rows are
left out, so that they are repaired like any other loss.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Flags, Indices, Ints16
from models.signal.pieces import Piece
from models.signal.repeats import MIN_STEPS, changed_rows, steps_of_change, thinned
from models.signal.timing import MAX_BRIDGED_S, sample_times_ns, true_clock
from models.signal.units import Kind
from schemas.times import NS_PER_S

MIN_ROWS = 3  # the same in a row; fewer may be chance, and hardly matter
MIN_HELD_S = 0.15  # of a value: a sensor that is polled irregularly repeats one for less
BESIDE_S = 1.0  # of rows before a held value and after it, which tell whether the wrist moves
MIN_NEW = 0.5  # share of those rows that are new: others may be filled, too
MAX_FILLED = 0.5  # share of a stream: with more of it zeros the sensor is off


def without_fillers(kind: Kind, pieces: Sequence[Piece]) -> Sequence[Piece]:
    """The pieces of a stream without the rows that stand for lost ones.

    Those are zeros between values that are not, and a value that is held in the midst of movement.
    Either begins and ends with a jump of several of the sensor's steps, which rest does not.
    Rotation is zero at rest, and it may get stuck (`models.signal.stuck`): its fillers are looked
    for only where the wrist moves, and only for as long as a loss is bridged.

    Args:
        kind: of sensor.
        pieces: of one stream, without repeats.

    Returns:
        in time order, those that held fillers with a time for each sample; the same object where
        nothing was filled.

    Raises:
        BadSamples: as `without_repeats`.

    >>> counts = np.outer(np.arange(30, dtype=np.int16) % 7, [9, 5, 7]).astype(np.int16) + 500
    >>> counts[10:20] = 0
    >>> (part,) = without_fillers("acc", [Piece(0, 50.0, "g", 1e-3, counts)])
    >>> part.t_ms[8:12].tolist()
    [160, 180, 400, 420]
    """
    if not pieces or not _has_repeats(pieces):
        return pieces
    timed = true_clock(pieces)
    filled = _filled(kind, timed)
    if not filled.any() or filled.mean() > MAX_FILLED:
        return pieces
    borders = np.cumsum([len(piece.counts) for piece in timed])[:-1]
    parts = zip(timed, np.split(~filled, borders), strict=True)
    return [
        piece if keep.all() else thinned(piece, keep, piece.rate_hz)
        for piece, keep in parts
        if keep.any()
    ]


def _has_repeats(pieces: Sequence[Piece]) -> bool:
    """Whether the x axis, which nearly always decides, has a value `MIN_ROWS` times in a row."""
    x = pieces[0].counts[:, 0]
    if len(pieces) > 1:
        x = np.concatenate([piece.counts[:, 0] for piece in pieces])
    same = x[1:] == x[:-1]
    return bool((same[1:] & same[:-1]).any())


def _filled(kind: Kind, timed: Sequence[Piece]) -> Flags:
    """(n,) which rows of a stream are no samples."""
    counts = np.concatenate([piece.counts for piece in timed])
    t_ns = np.concatenate([sample_times_ns(piece) for piece in timed])
    jumps = steps_of_change(timed) > MIN_STEPS - 0.5
    borders = np.append(np.flatnonzero(changed_rows(counts)), len(counts))
    first, end = borders[:-1], borders[1:]
    after = np.minimum(end, len(counts) - 1)
    apart = (end - first >= MIN_ROWS) & (jumps[first] | (first == 0))
    apart &= jumps[after] | (end == len(counts))
    first, end = first[apart], end[apart]
    lasts_s = (t_ns[end - 1] - t_ns[first]) / NS_PER_S
    moves = _moves_beside(counts, t_ns, first, end)
    zero = (counts[first] == 0).all(axis=1)
    held = ~zero & moves & (lasts_s >= MIN_HELD_S)
    if kind == "gyro":
        zero &= moves
        held &= lasts_s <= MAX_BRIDGED_S
    filled = np.zeros(len(counts), dtype=np.bool_)
    for at in np.flatnonzero(zero | held).tolist():
        filled[first[at] + (0 if zero[at] else 1) : end[at]] = True  # a held value was measured
    return filled


def _moves_beside(counts: Ints16, t_ns: np.ndarray, first: Indices, end: Indices) -> Flags:
    """Of runs of rows [first, end), whether the wrist moves just before and just after them."""
    step_ns = float(np.median(np.diff(t_ns))) if len(t_ns) > 1 else 0.0
    rows = max(MIN_ROWS, round(BESIDE_S * NS_PER_S / step_ns)) if step_ns > 0 else MIN_ROWS
    new = np.append(0, np.cumsum(changed_rows(counts)))
    before, after = np.maximum(first - rows, 0), np.minimum(end + rows, len(counts))
    enough = (first - before >= MIN_ROWS) & (after - end >= MIN_ROWS)
    return (
        enough
        & (new[first] - new[before] >= MIN_NEW * (first - before))
        & (new[after] - new[end] >= MIN_NEW * (after - end))
    )
