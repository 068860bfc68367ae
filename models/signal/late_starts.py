"""Pieces whose start is when they arrived: each is late by a delay of its own.

A delay only makes a start later, and is made up for by those that follow. So the line below all
starts, over the number of samples sent so far, is the device's clock. What stays late was lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import is_

import numpy as np

from models.arrays import Floats64
from models.signal.batches import RATE_TOLERANCE, forward_minimum
from models.signal.overlaps import MAX_DRIFT, MAX_JITTER_S, is_resent, period_ratio
from models.signal.pieces import Piece, is_near_rate, mean_rate_hz
from models.signal.runs import MAX_BRIDGED_S
from models.signal.timing import typical_ratio
from schemas.times import NS_PER_S

EARLY_S = 0.02  # before the piece before it is over: that one was late by more than jitter
MIN_EARLY = 3  # such pieces
MIN_EARLY_SHARE = 0.05  # of all: a clock that is set back now and then makes fewer
FEW, MANY = 8, 32  # pieces on each side of a loss that are compared
MIN_FITTED, MIN_FITTED_S = 16, 30.0  # pieces, seconds: of fewer the claimed rate is more exact
MAX_STRETCH = 4096  # pieces that are fitted at once
MAX_LOSSES = 0.125  # of the pieces: of more, starts say nothing about the clock
MAX_DELAY_S = 2.0  # what is later is no delay of a radio
MIN_LOCAL_RATIO = 0.75  # of the time that `MANY` pieces take: two clocks run where it is less


def undo_delays(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """The pieces of a stream that were stamped on arrival, with the starts that they should have.

    Only where several pieces begin before the one before them is over, and the rate is within 10 %
    of the claimed one. A loss or a pause stays where it is; so does a clock that is set.

    Args:
        pieces: of one stream.

    Returns:
        in time order; the same object where nothing is late.

    >>> late_s = [0.2, 0.0, 0.3, 0.1, 0.0, 0.2, 0.3, 0.0, 0.1]
    >>> block = np.arange(150, dtype=np.int16).reshape(50, 3)
    >>> starts_ns = [round((k + late) * 1e9) for k, late in enumerate(late_s)]
    >>> sent = [Piece(t, 50.0, "g", 1.0, block + k) for k, t in enumerate(starts_ns)]
    >>> [piece.t0_ns // 10**6 for piece in undo_delays(sent)][:4]
    [0, 1000, 2000, 3000]
    """
    if not all(_is_regular(piece) for piece in pieces):
        return pieces
    ordered = sorted(pieces, key=lambda piece: piece.t0_ns)
    if not _come_late(ordered):
        return pieces
    once = _once(ordered)
    placed = [piece for stretch in _stretches(once) for piece in _on_clock(stretch)]
    return pieces if all(map(is_, placed, once)) else placed


def _is_regular(piece: Piece) -> bool:
    """Whether a piece has no times of its own; impossible rates are refused elsewhere."""
    return piece.t_ms is None and len(piece.counts) > 0 and 0 < piece.rate_hz < float("inf")


def _come_late(ordered: Sequence[Piece]) -> bool:
    """Whether pieces begin early again and again, with new samples, at about the claimed rate."""
    if len(ordered) <= MIN_EARLY:
        return False
    least = max(MIN_EARLY, MIN_EARLY_SHARE * (len(ordered) - 1))
    typical = _least_ratio(ordered)
    early = [
        (a, b)
        for a, b in pairwise(ordered)
        if (typical - period_ratio(a, b)) * len(a.counts) > EARLY_S * a.rate_hz
    ]
    if len(early) < least or typical < 1 - MAX_DRIFT:
        return False
    return sum(not is_resent(a, b) for a, b in early) >= least


def _least_ratio(ordered: Sequence[Piece]) -> float:
    """Real over claimed sample period, by single steps or by eight: whichever is less.

    Delays blur the first, and losses lengthen the second. At most 1.0.
    """
    sent_s = np.cumsum([0] + [len(p.counts) / p.rate_hz for p in ordered[:-1]])
    start_s = np.array([p.t0_ns - ordered[0].t0_ns for p in ordered]) / NS_PER_S
    many = [1.0]
    if len(ordered) > FEW:
        many = (start_s[FEW:] - start_s[:-FEW]) / (sent_s[FEW:] - sent_s[:-FEW])
    return min(1.0, typical_ratio(ordered), float(np.median(many)))


def _once(ordered: Sequence[Piece]) -> list[Piece]:
    """The pieces without those that were sent again."""
    again = [
        a.t0_ns == b.t0_ns and np.array_equal(a.counts, b.counts) for a, b in pairwise(ordered)
    ]
    return [ordered[0]] + [
        b for b, is_again in zip(ordered[1:], again, strict=True) if not is_again
    ]


def _stretches(ordered: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces between long silences, of about one rate."""
    stretch = [ordered[0]]
    for before, piece in pairwise(ordered):
        silent = piece.t0_ns - before.end_ns > MAX_BRIDGED_S * NS_PER_S
        alike = is_near_rate(piece.rate_hz, before.rate_hz)
        if silent or not alike or len(stretch) >= MAX_STRETCH:
            yield stretch
            stretch = []
        stretch.append(piece)
    yield stretch


def _on_clock(stretch: list[Piece]) -> list[Piece]:
    """A stretch by the clock below its starts; as it is where no such clock explains them."""
    claimed_s = 1 / mean_rate_hz(stretch)
    sent = np.cumsum([0] + [len(p.counts) for p in stretch[:-1]]).astype(np.float64)
    start_s = np.array([p.t0_ns - stretch[0].t0_ns for p in stretch]) / NS_PER_S
    least_s = MIN_LOCAL_RATIO * claimed_s * (sent[MANY:] - sent[:-MANY])
    if (start_s[MANY:] - start_s[:-MANY] < least_s).any():
        return stretch
    rough_s = typical_ratio(stretch) * claimed_s
    period_s = _period_s(sent, start_s, claimed_s, rough_s)
    placed: list[Piece] = []
    for first, end in _parts(start_s - period_s * sent, MANY):
        own_s, at_0_s = _line_below(sent[first:end], start_s[first:end], period_s)
        at_s = at_0_s + own_s * sent[first:end]
        late_s = float((start_s[first:end] - at_s).max())
        if late_s > MAX_DELAY_S or abs(own_s / claimed_s - 1) > RATE_TOLERANCE:
            return stretch
        placed += [
            replace(piece, t0_ns=stretch[0].t0_ns + round(t_s * NS_PER_S), rate_hz=1 / own_s)
            for piece, t_s in zip(stretch[first:end], at_s.tolist(), strict=True)
        ]
    return placed or stretch


def _period_s(sent: Floats64, start_s: Floats64, claimed_s: float, rough_s: float) -> float:
    """Seconds from one sample to the next, by the longest part of a stretch without a loss."""
    if len(sent) < MIN_FITTED:
        return claimed_s
    steps_s = (start_s[FEW:] - start_s[:-FEW]) / (sent[FEW:] - sent[:-FEW])
    roughly_s = min(rough_s, float(np.median(steps_s)))
    parts = _parts(start_s - roughly_s * sent, FEW)
    first, end = max(parts, default=(0, 1), key=lambda part: part[1] - part[0])
    return _line_below(sent[first:end], start_s[first:end], claimed_s)[0]


def _parts(late_s: Floats64, width: int) -> list[tuple[int, int]]:
    """First piece and the one after the last of each part of one clock; none where most jump.

    A change is less than a delay only if as many pieces as `width` on both sides agree on it.

    >>> _parts(np.array([0.0, 0.2, 0.0, 0.1, 0.0, 1.1, 1.0, 1.2, 1.0]), 8)
    [(0, 5), (5, 9)]
    """
    made_up_s = late_s - forward_minimum(late_s, FEW)
    delay_s = float(np.quantile(made_up_s, 0.9))
    near_s = max(MAX_JITTER_S, delay_s / 3) if width >= MANY else delay_s + MAX_JITTER_S
    far_s = 1.25 * delay_s + MAX_JITTER_S
    found: list[tuple[int, int]] = []
    left = [(0, len(late_s))]
    while left:
        first, end = left.pop()
        at = _change(late_s[first:end], width, near_s, far_s)
        if at is None:
            found.append((first, end))
        else:
            left += [(first, first + at), (first + at, end)]
        if len(found) + len(left) > max(FEW, MAX_LOSSES * len(late_s)):
            return []
    return sorted(found)


def _change(late_s: Floats64, width: int, near_s: float, far_s: float) -> int | None:
    """The piece at which a clock of its own begins most clearly; None where none does."""
    n = len(late_s)
    if n < 2:
        return None
    after_s = forward_minimum(late_s, width)[1:]
    before_s = forward_minimum(late_s[::-1], width)[:0:-1]
    fewest = np.minimum(np.arange(1, n), np.arange(n - 1, 0, -1))
    size_s = np.abs(after_s - before_s)
    clear_s = size_s - np.where(fewest < width, far_s, near_s)
    at = int(clear_s.argmax())
    if clear_s[at] <= 0:
        return None
    low_s, is_loss = min(before_s[at], after_s[at]), after_s[at] > before_s[at]
    is_high = late_s > low_s + min(far_s, 0.75 * size_s[at])  # too late for the lower clock
    at += 1
    while is_loss and at > 1 and is_high[at - 1]:
        at -= 1
    while not is_loss and at < n - 1 and is_high[at]:
        at += 1
    return at


def _line_below(sent: Floats64, start_s: Floats64, period_s: float) -> tuple[float, float]:
    """Slope and value at 0 of the line below all points that is nearest to them on average.

    It is the edge of their lower hull at their mean. Of a few points only the height is fitted.
    """
    if len(sent) < MIN_FITTED or start_s[-1] - start_s[0] < MIN_FITTED_S:
        return period_s, float((start_s - period_s * sent).min())
    points = list(zip(sent.tolist(), start_s.tolist(), strict=True))
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    mean = float(sent.mean())
    (x, y), (x_after, y_after) = next(edge for edge in pairwise(hull) if edge[1][0] >= mean)
    slope = (y_after - y) / (x_after - x)
    return slope, y - slope * x


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Positive where the way from a over b to c turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
