"""How a watch is worn: turned round, on the other wrist than it says, with other axes or signs.

A recording does not tell by itself; a model does, the person's own where there is one, because it
knows how the movement feels. Where movement is strange to it as declared, and far less strange in
one other reading, it is read in that one.

How often that turns what was worn as declared, and finds what was turned: decisions 18 and 22. Two
faults at once (the other wrist, and turned round) look too much like other exercises.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from models.activity.segments import Segment
from models.exercise.model import FAMILIAR
from models.exercise.signs import MIRROR, Signs, Triple, frames
from models.recognition.naming import (
    NO_MODEL,
    Named,
    Rung,
    Stretch,
    name_stretch,
    strangeness,
    stretch_of,
)
from models.signal.pieces import Piece, Recording, Side
from models.signal.truth import TURNED, WRONG_UNIT, Timeline, timeline
from models.signal.wrist import WristSignal, wrist_signals

CLEARLY = 0.3  # so much less strange must another reading be
FRAMES_FROM = 3  # windows: of 22 frames one may fit a single window by chance, and all take 1 ms


@dataclass(frozen=True, slots=True)
class Wearing:
    """A way to wear a watch other than it says.

    Attributes:
        note: its name in answers.
        signs: that turn it into what was declared.
    """

    note: str
    signs: Signs


ROUND = Wearing("watch-was-turned-round", Signs((-1, -1, 1), (-1, -1, 1)))
OTHER_WRIST = Wearing("was-the-other-wrist", MIRROR)
OTHER_SIGN = Wearing(TURNED, Signs((-1, -1, -1), (1, 1, 1)))
OTHER_FRAMES = tuple(
    Wearing("axes-were-swapped", signs) for signs in frames()[1:] if signs != ROUND.signs
)
"""Another device, or another place to strap it to: its axes lie along others."""


def as_worn(
    line: Timeline, segments: Sequence[Segment], ladder: Sequence[Rung]
) -> tuple[Timeline, tuple[str, ...]]:
    """A recording as its watch was worn (the same object if as it says), and what was put right.

    Args:
        line: of one wrist.
        segments: where its sets are.
        ladder: models to ask, in order.
    """
    declared = stretch_of(_within(line, segments))
    way = _way(
        ((rung, strangeness(rung.model, declared)) for rung in declared.rungs(ladder)),
        partial(_strange_in, declared),
        _ways(line.truth.side),
        OTHER_FRAMES,
        line.notes,
    )
    if way is None:
        return line, ()
    return timeline(turn(line.truth, way)), _noted((), line.notes, way)


def name_as_worn(signals: Sequence[WristSignal], ladder: Sequence[Rung]) -> Named:
    """Which exercise some movement is, read as its watch was worn.

    Args:
        signals: of one stretch of movement.
        ladder: models in the order in which they are asked; the user's own first.

    Returns:
        The first answer that names an exercise, else the first one; `NO_MODEL` without a model.
    """
    if not ladder:
        return Named(NO_MODEL, None)
    declared = stretch_of(signals)
    first = name_stretch(declared, ladder)
    return _read_again(declared, ladder, first) if _is_strange(first) else first


def _is_strange(named: Named) -> bool:
    """Whether the first rung that reads a stretch knows it so little that others are tried."""
    first = next((one.strange for one in named.asked if one.strange is not None), None)
    return first is not None and first >= FAMILIAR


def _read_again(declared: Stretch, ladder: Sequence[Rung], named: Named) -> Named:
    """The same answer, or that to a reading which is far less strange."""
    noticed = named.asked[0].notes
    windows = sum(len(one.wrists[0].x) for one in declared.reading.signals)
    asked = zip(declared.rungs(ladder), named.asked, strict=False)
    way = _way(
        [(rung, answer.strange) for rung, answer in asked],
        partial(_strange_in, declared),
        _ways(declared.signals[0].side),
        OTHER_FRAMES if windows >= FRAMES_FROM else (),
        noticed,
    )
    if way is None:
        return named
    again = name_stretch(declared.under(way.signs), ladder)
    notes = _noted(again.answer.notes, noticed, way)
    return replace(again, answer=replace(again.answer, notes=notes))


def _strange_in(
    declared: Stretch, rung: Rung, ways: Sequence[Wearing], up_to: float
) -> dict[Wearing, float]:
    """How strange a stretch is to a rung in each of these ways in which it is not stranger."""
    found = {way: strangeness(rung.model, declared.under(way.signs)) for way in ways}
    return {way: least for way, least in found.items() if least is not None and least <= up_to}


def _way(
    declared: Iterable[tuple[Rung, float | None]],
    strange: Callable[[Rung, Sequence[Wearing], float], Mapping[Wearing, float]],
    ways: Sequence[Wearing],
    others: Sequence[Wearing],
    noticed: Sequence[str],
) -> Wearing | None:
    """How a watch was worn, None for as it says.

    The first rung that knows the movement decides, as declared or turned. There are so many frames
    that something unknown is known in one of them: they must make it familiar (decision 39).

    Args:
        declared: rungs in order, and how strange the movement is to each as declared.
        strange: how strange it is to a rung in other ways, if not stranger than a number.
        ways: that are tried first.
        others: that are tried after them: frames of other devices, or none.
        noticed: what was put right in the samples already.
    """
    for rung, value in declared:
        if value is None:
            continue
        if value < FAMILIAR:
            return None
        # The border of a set's novelty, held against strangeness alone: a little generous, and so
        # measured (decision 26). Whether the set is named is decided on its novelty, afterwards.
        border = rung.model.calibration.abstain_above
        known = strange(rung, ways, border)
        way = _clearest(value, known, noticed)
        least = value if way is None else known[way]
        way = _clearest(least, strange(rung, others, FAMILIAR), noticed) or way
        if way is not None or value <= border:
            return way
    return None


def _ways(side: Side | None) -> tuple[Wearing, ...]:
    """Without a side both wrists are tried anyway."""
    return (ROUND, OTHER_SIGN) if side is None else (ROUND, OTHER_SIGN, OTHER_WRIST)


def _clearest(
    declared: float, strange: Mapping[Wearing, float], noticed: Sequence[str]
) -> Wearing | None:
    """The way in which movement is least strange, if it is so clearly enough.

    Where the unit was wrong the sign is a guess from how arms hang: the less strange one is
    believed.
    """
    guessed = WRONG_UNIT in noticed
    clear = [
        way
        for way, value in strange.items()
        if declared - value >= (0 if guessed and way == OTHER_SIGN else CLEARLY)
    ]
    return min(clear, key=lambda way: strange[way], default=None)


def _noted(notes: Sequence[str], noticed: Sequence[str], way: Wearing) -> tuple[str, ...]:
    """The notes with the way; a sign that was turned back was not turned."""
    if way == OTHER_SIGN and TURNED in noticed:
        return tuple(note for note in notes if note != TURNED)
    return (*notes, way.note)


def turn(recording: Recording, way: Wearing) -> Recording:
    """The recording on other axes.

    >>> piece = Piece(0, 50.0, "g", 1.0, np.array([[1, 2, -32768]], dtype=np.int16))
    >>> turn(Recording((piece,), (), None), OTHER_SIGN).acc[0].counts.tolist()
    [[-1, -2, 32767]]
    """
    acc, gyro, axes = way.signs.acc, way.signs.gyro, way.signs.axes
    return replace(
        recording,
        acc=tuple(_signed(piece, axes, acc) for piece in recording.acc),
        gyro=tuple(_signed(piece, axes, gyro) for piece in recording.gyro),
    )


def _signed(piece: Piece, axes: Triple, signs: Triple) -> Piece:
    signed = piece.counts[:, axes].astype(np.int32) * np.array(signs)
    counts = np.minimum(signed, np.iinfo(np.int16).max).astype(np.int16)
    return replace(piece, counts=np.ascontiguousarray(counts))


def _within(line: Timeline, segments: Sequence[Segment]) -> list[WristSignal]:
    """The signals inside segments of a recording."""
    cuts = [line.cut(one.start_ns, one.end_ns) for one in segments]
    return [signal for inside in cuts for signal in wrist_signals(inside)]
